package core

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// All names of records, indexes, logs and buckets are built in this file. A name's first part says
// what is kept there:
//
//	system partition
//	  first            what the store was set up with
//	  r:<realm>        Realm
//	  k:<realm>        its signing keys
//	  a:<realm>        its APT keys
//	  g:<guid>         environment guid -> realm
//	  rn:<digest>      name of a realm -> realm
//	  m:<digest>       ManagementKey, by the digest of its secret
//	  index realms     <name> NUL <realm>
//	  w:<work>         lease: which process does some work
//	  h:<hook>         AppHook
//	  index hooks      <realm, or nothing> NUL <hook>
//	  l:<key>          when an APT key or management key was last used
//	  lp:<policy>      LoginPolicy
//	  index lps:<realm> its login policies: <policy>
//	  ro:<kind>:<realm> what those of a kind in a realm come past when they are made, since there is a limit to them
//	  j:<job>          a job: work that is done batch by batch
//	  index jobs       <job>
//	  index mkeys      <management key> NUL <digest>
//	  pm:<realm>       how many of its partitions have their marks
//	  ek               what events are sealed with
//	realm partition of the owner's bucket
//	  u:<user>         User
//	  p:<user>         password
//	  c:<credential>   Credential
//	  lt:<digest>      a login token: the password was right, a second factor is asked for
//	  s:<session>      Session
//	  i:<digest>       arbitrary_id -> user
//	  x:<digest>       a spent APT
//	  t:<digest>       a one-time token, by the digest of its secret
//	  pu:<digest>      a parked signup, by the digest of its token
//	  si:<user>        that a user signs in again and again, within a second
//	  index us:<user>  sessions of a user: <expiry> <session>
//	  d:<user>         places of a deleted user
//	  b:<user>         the memberships of a user, all of them
//	  index ms         memberships: <membership> <user>
//	  index om:<org>   memberships in an org: <membership> <user>
//	  index u:<order>:<state><type>  users in a sort order: <place>
//	  index ur:<order>:<state><type>:<bucket>  users with a reference: <digest> <place>
//	  bucket f:<user>  failed sign-ins
//	  bucket f:<user>:<device>  failed sign-ins from a device that is known
//	  bucket c:<user>  codes that may have been of the user's authenticators
//	  bucket c:<user>:<device>  the same, in sign-ins from a device that is known
//	  bucket r:<user>  reissued tokens
//	  bucket t:<kind>:<user>  one-time tokens made
//	realm partition of the bucket in a generated API key, else of its digest's hash
//	  ak:<digest>      API key -> credential and user
//	realm partition of the org's bucket
//	  o:<org>          Org
//	  do:<org>         places of a deleted org
//	  index o:<order>:<state>  orgs in a sort order: <place>
//	  index or:<order>:<state>:<bucket>  orgs with a reference: <digest> <place>
//	realm partition of the name's hash
//	  n:<digest>       username or e-mail address -> user
//	  bucket f:<digest> failed sign-ins under a name that is nobody's
//	realm partition of the address's hash
//	  bucket a:<digest>  sign-ins from an address
//	realm partition 0
//	  y:<day>:<APT key> Usage
//	  index usage      <day> <APT key>
//	any realm partition
//	  pm               its mark: that it holds what it held
//	  ue               that its e-mail addresses have become unique
//	  uo               orgs whose state the memberships of their members do not tell yet
//	realm partition of the digest's hash in the realm that a call names, or system partition where it names none
//	  oc:<digest>      a call that may be repeated, and its answer or how far it has come
//	any partition
//	  oa:<digest>:<try> the answer to such a call whose last change was here
//	  e:<event>        Event
//	  ec               how far the event log has been read
//	  eh:<realm>       where the chain of a realm's sealed events ends
//	  ef:<realm>       how much of its beginning was removed
//	  nt:<notification> Notification
//	  index er:<realm> events of a realm: <type> NUL <event>
//	  index es:<bucket> events about something: <digest> <type> NUL <event>
//	  index nd         notifications to deliver: <time> <notification> <hook>
//	  log inv          subjects whose verdicts are no longer true
//	  log ev           events
const (
	indexRealms         = "realms"
	indexManagementKeys = "mkeys"
	indexUsage          = "usage"
	indexJobs           = "jobs"
	indexMemberships    = "ms"
	logInvalidation     = "inv"
	logEvents           = "ev"
	indexHooks          = "hooks"
	indexDue            = "nd"
)

// How many of a log's newest entries are kept.
const (
	keepInvalidations = 10_000
	keepEvents        = 1_000_000 // where nobody reads them; what has been read goes sooner, see keepEventsRead
)

func firstKey() Key                       { return Key{Name: "first"} }
func realmKey(id RealmID) Key             { return Key{Name: "r:" + string(id)} }
func signingKeysKey(id RealmID) Key       { return Key{Name: "k:" + string(id)} }
func aptKeysKey(id RealmID) Key           { return Key{Name: "a:" + string(id)} }
func environmentKey(guid string) Key      { return Key{Name: "g:" + digest(guid)} }
func realmNameKey(name string) Key        { return Key{Name: "rn:" + digest(name)} }
func leaseKey(work string) Key            { return Key{Name: "w:" + work} }
func markedRealmKey(id RealmID) Key       { return Key{Name: "pm:" + string(id)} }
func lastUseKey(id string) Key            { return Key{Name: "l:" + id} }
func managementKeyKey(sum string) Key     { return Key{Name: "m:" + sum} }
func loginPolicyKey(id LoginPolicyID) Key { return Key{Name: "lp:" + string(id)} }
func jobKey(id JobID) Key                 { return Key{Name: "j:" + string(id)} }
func rosterKey(kind string, realm RealmID) Key {
	return Key{Name: "ro:" + kind + ":" + string(realm)}
}

func userKey(p Partition, id UserID) Key        { return Key{p, "u:" + string(id)} }
func formerUserKey(p Partition, id UserID) Key  { return Key{p, "d:" + string(id)} }
func signingInKey(p Partition, id UserID) Key   { return Key{p, "si:" + string(id)} }
func passwordKey(p Partition, id UserID) Key    { return Key{p, "p:" + string(id)} }
func sessionKey(p Partition, id SessionID) Key  { return Key{p, "s:" + string(id)} }
func apiKeyKey(p Partition, sum string) Key     { return Key{p, "ak:" + sum} }
func loginTokenKey(p Partition, sum string) Key { return Key{p, "lt:" + sum} }
func credentialKey(p Partition, id CredentialID) Key {
	return Key{p, "c:" + string(id)}
}
func arbitraryIDKey(p Partition, id string) Key { return Key{p, "i:" + shortDigest(id)} }
func usageKey(p Partition, day string, key APTKeyID) Key {
	return Key{p, "y:" + day + ":" + string(key)}
}
func spentKey(p Partition, what string) Key      { return Key{p, "x:" + digest(what)} }
func oneTimeKey(p Partition, sum string) Key     { return Key{p, "t:" + sum} }
func signupKey(p Partition, sum string) Key      { return Key{p, "pu:" + sum} }
func nameKey(p Partition, normalised string) Key { return Key{p, "n:" + shortDigest(normalised)} }

func repeatableKey(p Partition, sum string) Key        { return Key{p, "oc:" + sum} }
func repeatAnswerKey(p Partition, sum, try string) Key { return Key{p, "oa:" + sum + ":" + try} }

func membershipsKey(p Partition, id UserID) Key { return Key{p, "b:" + string(id)} }
func orgKey(p Partition, id OrgID) Key          { return Key{p, "o:" + string(id)} }
func formerOrgKey(p Partition, id OrgID) Key    { return Key{p, "do:" + string(id)} }
func partitionMarkKey(p Partition) Key          { return Key{p, "pm"} }
func uniqueEmailsKey(p Partition) Key           { return Key{p, "ue"} }
func unsettledKey(p Partition) Key              { return Key{p, "uo"} }

func membershipsIndex(p Partition) Index          { return Index{p, indexMemberships} }
func orgMembersIndex(p Partition, id OrgID) Index { return Index{p, "om:" + string(id)} }

func eventKey(p Partition, id EventID) Key         { return Key{p, "e:" + string(id)} }
func eventCursorKey(p Partition) Key               { return Key{p, "ec"} }
func eventSecretKey() Key                          { return Key{Name: "ek"} }
func eventChainKey(p Partition, realm RealmID) Key { return Key{p, "eh:" + string(realm)} }
func eventFloorKey(p Partition, realm RealmID) Key { return Key{p, "ef:" + string(realm)} }
func appHookKey(id AppHookID) Key                  { return Key{Name: "h:" + string(id)} }
func notificationKey(p Partition, id NotificationID) Key {
	return Key{p, "nt:" + string(id)}
}

// eventBuckets is how many indexes the events about users, orgs and their like are spread over, for the reason
// that referenceBuckets has.
const eventBuckets = 1 << 14

// realmEventsIndex returns the name of the index of a realm's events, and what its members of a type begin with.
func realmEventsIndex(realm RealmID, kind string) (name, prefix string) {
	return "er:" + string(realm), kind + "\x00"
}

// subjectEventsIndex returns the name of the index of the events about something, by its id, and what the members
// about it and of a type begin with. A reader compares the id itself, as with references.
func subjectEventsIndex(subject, kind string) (name, prefix string) {
	sum := sha256.Sum256([]byte(subject))
	bucket := encode(0, uint64(binary.BigEndian.Uint16(sum[:]))%eventBuckets, 3)
	return "es:" + bucket, string(sum[2:8]) + kind + "\x00"
}

func userSessionsIndex(p Partition, id UserID) Index { return Index{p, "us:" + string(id)} }

// referenceBuckets is how many indexes the users with a reference are spread over, in every order. Redis keeps a
// sorted set of up to 128 members of up to 64 bytes in far less room than a larger one: 53 bytes a member, measured
// at a million users with a reference each, where one index for all takes 142. Beyond some 1.5 million in a
// partition of one state and type, or with long names, they take what one index would.
const referenceBuckets = 1 << 14

// userIndex returns the names of a group's indexes, by order, and what the group's members in them begin with.
// What follows in a member is text, so prefix + "\xff" is beyond all of them. Two references
// that share 62 bits of their SHA-256 share a prefix; a reader compares the reference itself.
func userIndex(g userGroup) (name func(UserOrder) string, prefix string) {
	suffix := ":" + string(g.state[0]) + string(g.kind[0])
	if g.reference == "" {
		return func(o UserOrder) string { return "u:" + string(o) + suffix }, ""
	}
	bucket, prefix := referenceBucket(g.reference)
	return func(o UserOrder) string { return "ur:" + string(o) + suffix + ":" + bucket }, prefix
}

// orgIndex is userIndex for orgs.
func orgIndex(g orgGroup) (name func(OrgOrder) string, prefix string) {
	suffix := ":" + string(g.state[0])
	if g.reference == "" {
		return func(o OrgOrder) string { return "o:" + string(o) + suffix }, ""
	}
	bucket, prefix := referenceBucket(g.reference)
	return func(o OrgOrder) string { return "or:" + string(o) + suffix + ":" + bucket }, prefix
}

// referenceBucket returns which of the indexes a reference is in, and what its members there begin with.
func referenceBucket(reference string) (bucket, prefix string) {
	sum := sha256.Sum256([]byte(reference))
	return encode(0, uint64(binary.BigEndian.Uint16(sum[:]))%referenceBuckets, 3), string(sum[2:8])
}

func failuresBucket(p Partition, id UserID) Bucket { return Bucket{p, "f:" + string(id)} }

// codesBucket counts what may be codes of a user's authenticators, in sign-ins from a device that is known, "" = all others.
func codesBucket(p Partition, id UserID, device string) Bucket {
	if device != "" {
		return Bucket{p, "c:" + string(id) + ":" + device}
	}
	return Bucket{p, "c:" + string(id)}
}

func reissuesBucket(p Partition, id UserID) Bucket { return Bucket{p, "r:" + string(id)} }
func issuesBucket(p Partition, kind string, id UserID) Bucket {
	return Bucket{p, "t:" + kind + ":" + string(id)}
}
func deviceBucket(p Partition, id UserID, device string) Bucket {
	return Bucket{p, "f:" + string(id) + ":" + device}
}

// strangerBucket counts sign-ins under a name that is nobody's, so that they are refused like others.
func strangerBucket(p Partition, normalised string) Bucket {
	return Bucket{p, "f:" + shortDigest(normalised)}
}

func eventLog(p Partition) Log        { return Log{p, logEvents} }
func invalidationLog(p Partition) Log { return Log{p, logInvalidation} }

func loginPoliciesIndex(id RealmID) Index { return Index{Name: "lps:" + string(id)} }

// addressBucket counts sign-ins from an address, of whomever.
func addressBucket(r *Realm, address string) Bucket {
	return Bucket{r.partition(bucketOfText(address)), "a:" + shortDigest(address)}
}

// partition returns the partition of a bucket in a realm.
func (r *Realm) partition(b bucket) Partition {
	return Partition{Realm: r.ID, Number: int(b) % r.Partitions}
}

// partitions returns all partitions of a realm.
func (r *Realm) partitions() []Partition {
	all := make([]Partition, r.Partitions)
	for i := range all {
		all[i] = Partition{Realm: r.ID, Number: i}
	}
	return all
}

// owner returns the partition of an entity by its id, and false for what cannot be an id.
func (r *Realm) owner(id string) (Partition, bool) {
	b, ok := bucketOf(id)
	return r.partition(b), ok
}

// bucketOfText spreads names and arbitrary_ids over the buckets.
func bucketOfText(s string) bucket {
	sum := sha256.Sum256([]byte(s))
	return bucket((int(sum[0])<<16 | int(sum[1])<<8 | int(sum[2])) % bucketCount)
}

// digest returns the SHA-256 of s in 43 characters. Secrets are kept by it.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// shortDigest returns half a SHA-256 in 22 characters, for names, of which there are many. Two names
// that share one would take 2^64 tries to make, and would only be in each other's way.
func shortDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], sum[:16])
	return string(text[:])
}

// sessionMember is a session's place among its user's: by expiry, so that the dead are in front.
func sessionMember(s *Session) string {
	return hexMillis(s.deadline().UnixMilli()) + string(s.ID)
}

// sessionOf returns the session that has a place among its user's.
func sessionOf(member string) SessionID { return SessionID(member[len(hexMillis(0)):]) }

// hexMillis writes milliseconds since the epoch so that they sort as text.
func hexMillis(ms int64) string { return fmt.Sprintf("%012x", ms) }
