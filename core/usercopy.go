package core

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// ExportParts says what an export has of users, besides themselves.
type ExportParts struct {
	Passwords      bool // hashes
	Memberships    bool
	APIKeys        bool // digests, and keys that the realm shows again, sealed under the master key
	Authenticators bool // TOTP secrets, sealed under the master key
	RecoveryCodes  bool // hashes of those that are left, sealed with their key under the master key
}

// has reports whether an export has credentials of a kind.
func (p ExportParts) has(t CredentialType) bool {
	return t == CredentialAPIKey && p.APIKeys || t == CredentialTOTP && p.Authenticators || t == CredentialRecovery && p.RecoveryCodes
}

// UserParts are what an export has of one user, and what an import makes with the user.
type UserParts struct {
	Memberships    []*Membership // their ids are kept; one without has an id made of the user's and the org's
	APIKeys        []APIKeyCopy  // likewise, of the user's and the digest
	Authenticators []AuthenticatorCopy
	RecoveryCodes  *RecoveryCopy // nil = none
}

// isDigest reports whether s is what digest returns.
func isDigest(s string) bool { return only(s, lettersAndDigits+"_-", 43, 43) }

// parts returns what an export is to have of a page of users.
func (u *Users) parts(ctx context.Context, state *realmState, users []*User, want ExportParts) ([]UserParts, error) {
	all := make([]UserParts, len(users))
	var keys []Key
	var take []func(key Key, rec Record) error
	for i, user := range users {
		p, _ := state.owner(string(user.ID))
		if want.Memberships {
			keys = append(keys, membershipsKey(p, user.ID))
			take = append(take, func(key Key, rec Record) error {
				joined := &memberships{}
				_, err := decode(key, rec, joined)
				all[i].Memberships = joined.List
				return err
			})
		}
		for _, ref := range user.Credentials {
			if want.has(ref.Type) {
				keys = append(keys, credentialKey(p, ref.ID))
				take = append(take, func(key Key, rec Record) error { return u.copyCredential(ctx, state, &all[i], key, rec) })
			}
		}
	}
	if len(keys) == 0 {
		return all, nil
	}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: export users: %w", err)
	}
	for i := range recs {
		if err := take[i](keys[i], recs[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// copyCredential adds a credential to what an export has of its user.
func (u *Users) copyCredential(ctx context.Context, state *realmState, to *UserParts, key Key, rec Record) error {
	c := &Credential{}
	found, err := decode(key, rec, c)
	switch {
	case err != nil || !found: // deleted since the user was read
		return err
	case c.APIKey != nil:
		var one APIKeyCopy
		one, err = u.copyKey(ctx, state, c)
		to.APIKeys = append(to.APIKeys, one)
	default:
		err = u.copyFactor(ctx, state, to, c)
	}
	if err != nil {
		return fmt.Errorf("core: export credential %s: %w", c.ID, err)
	}
	return nil
}

// bringParts makes what an imported user comes with, in the Transaction that makes the user. The orgs of memberships must be
// there.
func (u *Users) bringParts(ctx context.Context, c *change, state *realmState, user *User, in UserParts, dry bool, req Request) error {
	for i, one := range in.APIKeys {
		if err := u.bringKey(ctx, c, state, user, one, dry); err != nil {
			return err
		}
		if slices.ContainsFunc(in.APIKeys[:i], func(o APIKeyCopy) bool { return o.APIKey.Digest == one.APIKey.Digest }) {
			return errKeyTaken
		}
	}
	for _, one := range in.Authenticators {
		if err := u.bringAuthenticator(ctx, c, state, user, one, dry); err != nil {
			return err
		}
	}
	if in.RecoveryCodes != nil {
		if err := u.bringRecovery(ctx, c, state, user, *in.RecoveryCodes, dry); err != nil {
			return err
		}
	}
	return u.bringMemberships(ctx, c, state.Realm, user, in.Memberships, req)
}

// bringMemberships makes the memberships of an imported user.
func (u *Users) bringMemberships(ctx context.Context, c *change, realm *Realm, user *User, in []*Membership, req Request) error {
	if len(in) > MaxMemberships { // before as many orgs are read
		return errTooManyMemberships
	}
	list := &memberships{Realm: user.Realm, User: user.ID}
	ids := make([]OrgID, 0, len(in))
	for _, one := range in {
		if one.Org != "" {
			ids = append(ids, one.Org)
		}
	}
	orgs, versions, err := (&Orgs{u.d}).readAll(ctx, realm, ids)
	if err != nil {
		return err
	}
	for _, one := range in {
		made, err := joinedBefore(user, one)
		if err != nil {
			return err
		}
		if org := orgs[one.Org]; org != nil {
			c.unchanged(org.key(c.tx.Partition), versions[org.ID])
			made.Suspended = org.State != StateActive
		} else if one.Org != "" {
			return errNoOrg
		}
		taken := list.find(func(o *Membership) bool { return o.ID == made.ID }) >= 0
		if err := list.add(made); err != nil {
			return err
		}
		if taken {
			return errMembershipTaken
		}
		c.join(made, req)
	}
	if len(list.List) > 0 {
		c.set(list, noExpiry) // whoever makes the user first makes this; a condition more would be one too many for some
	}
	return u.membershipsFree(ctx, c.tx.Partition, list)
}

// errMembershipTaken says that somebody has a membership with the id of an imported one.
var errMembershipTaken = invalid("memberships", "Id of a membership has already been taken")

// membershipsFree refuses a new user's memberships where others have their ids: each would be found in the place of the other. No record
// bears the id of a membership, so nothing keeps two imports at once from bringing one id for two users; within one import, users
// with one id come one after another.
func (u *Users) membershipsFree(ctx context.Context, p Partition, list *memberships) error {
	all := make([]Range, len(list.List))
	for i, one := range list.List {
		all[i] = Range{Index: membershipsIndex(p), From: idBody(one.ID), To: idBody(one.ID) + "\xff", Limit: 1}
	}
	places, err := ranges(ctx, u.d.store, all)
	if err != nil {
		return fmt.Errorf("core: find memberships: %w", err)
	}
	for _, place := range slices.Concat(places...) {
		if _, whose := memberOf(place); whose != list.User { // whom another import of the same may have made just now
			return errMembershipTaken
		}
	}
	return nil
}

// errKeyTaken says that an imported API key is there already.
var errKeyTaken = invalid("api_keys", "API key has already been taken")

// partsTaken says that what an import brings stood in its way, if it did, since somebody else has it. What the very user has,
// whom another import of the same has made, stays the conflict that it is.
func (u *Users) partsTaken(ctx context.Context, realm *Realm, id UserID, in UserParts, err error) error {
	p, _ := realm.owner(string(id))
	var taken error
	for key, why := range in.claims(p) {
		if conflictOn(err, key) {
			taken = why
		}
	}
	if taken == nil {
		return err
	}
	if _, _, missing := u.byID(ctx, realm, id); missing == ErrUserNotFound {
		return taken
	} else if missing != nil {
		return missing
	}
	return err
}

// claims returns the records that must be absent for an import to bring these parts, and what it is told where one is not.
func (in UserParts) claims(p Partition) map[Key]error {
	all := map[Key]error{}
	credential := func(id CredentialID, attribute string) {
		all[credentialKey(p, id)] = invalid(attribute, "Id of a credential has already been taken")
	}
	for _, one := range in.APIKeys {
		credential(one.ID, "api_keys")
		all[apiKeyKey(p, one.APIKey.Digest)] = errKeyTaken
	}
	for _, one := range in.Authenticators {
		credential(one.ID, "authenticators")
	}
	if in.RecoveryCodes != nil {
		credential(in.RecoveryCodes.ID, "recovery_codes")
	}
	return all
}

// ofUser refuses an id that is not of a kind, or does not lie where the user does.
func ofUser(user *User, prefix, id string) error {
	own, _ := bucketOf(string(user.ID))
	if b, ok := bucketOf(id); !ok || !validID(prefix, id) || b != own {
		return invalid("id", fmt.Sprintf("Id must begin with %s and go with the user's", prefix))
	}
	return nil
}

// joinedBefore returns a membership as it was elsewhere.
func joinedBefore(user *User, in *Membership) (*Membership, error) {
	if err := ofUser(user, prefixMembership, string(in.ID)); err != nil {
		return nil, err
	}
	one := &Membership{ID: in.ID, Org: in.Org, CreatedAt: in.CreatedAt}
	if one.CreatedAt.IsZero() {
		one.CreatedAt = user.CreatedAt
	}
	change := MembershipChange{Permissions: &in.Permissions, Custom: &in.Custom}
	if !in.ExpiresAt.IsZero() {
		change.ExpiresAt = &in.ExpiresAt.Time
	}
	return one, one.apply(change)
}

// copied returns a credential as it was elsewhere, which the user lists from now on.
func (u *Users) copied(user *User, id CredentialID, kind CredentialType, name string, made Instant) (*Credential, error) {
	if err := ofUser(user, prefixCredential, string(id)); err != nil {
		return nil, err
	}
	if user.holds(id) || id == passwordID(user.ID) {
		return nil, invalid("id", "Id of a credential must be of one alone")
	}
	if made.IsZero() {
		made = user.CreatedAt
	}
	user.Credentials = append(slices.Clone(user.Credentials), CredentialRef{ID: id, Type: kind})
	c := &Credential{ID: id, Realm: user.Realm, User: user.ID, Type: kind, CreatedAt: made}
	return c, c.rename(name)
}

// arrange lists the password and recovery codes of an imported user among the authenticators as they were listed elsewhere: all in the order in
// which they were made. Authenticators are in theirs already.
func (in UserParts) arrange(user *User, kept *password) {
	made := map[CredentialID]time.Time{}
	for _, one := range in.Authenticators {
		made[one.ID] = one.CreatedAt.Time
	}
	var between []CredentialID
	if kept != nil {
		made[kept.ID], between = kept.CreatedAt.Time, append(between, kept.ID)
	}
	if r := in.RecoveryCodes; r != nil {
		made[r.ID], between = r.CreatedAt.Time, append(between, r.ID)
	}
	for _, id := range between {
		i := slices.IndexFunc(user.Credentials, func(r CredentialRef) bool { return r.ID == id })
		ref, list := user.Credentials[i], slices.Delete(slices.Clone(user.Credentials), i, i+1)
		later := slices.IndexFunc(list, func(o CredentialRef) bool {
			return cmp.Or(made[o.ID].Compare(made[id]), cmp.Compare(o.ID, id)) > 0 // ids grow with time too
		})
		if later < 0 {
			later = len(list)
		}
		user.Credentials = slices.Insert(list, later, ref)
	}
}

// OrgImport is an org that comes from an export.
type OrgImport struct {
	ID OrgID // kept; OrgFromSource makes one for an org of another system
	OrgChange
	CreatedAt time.Time // zero = now
}

// Import makes an org as it was elsewhere. made is false where one with that id is there already, which is then left as it is. A
// dry import writes nothing. It fails with KindInvalid, and with KindUnavailable where one with that
// id was deleted and its memberships are still going.
func (o *Orgs) Import(ctx context.Context, realm RealmID, in OrgImport, dry bool, req Request) (made bool, err error) {
	state, now, err := (&Users{o.d}).begin(ctx, realm)
	if err != nil {
		return false, err
	}
	if !validID(prefixOrg, string(in.ID)) {
		return false, invalid("id", "Id must be org_ and 22 letters and digits")
	}
	org := &Org{ID: in.ID, Realm: realm, State: StateActive, CreatedAt: Instant{now}}
	if !in.CreatedAt.IsZero() {
		org.CreatedAt = Instant{in.CreatedAt}
	}
	if err := org.apply(in.OrgChange); err != nil {
		return false, err
	}
	if _, _, err := o.byID(ctx, state.Realm, in.ID); err != ErrOrgNotFound || dry {
		return err == ErrOrgNotFound, ignoring(err, ErrOrgNotFound)
	}
	p, _ := state.owner(string(in.ID))
	u, _, err := o.unsettled(ctx, p)
	if err != nil {
		return false, err
	}
	if _, going := u.Orgs[in.ID]; going { // the memberships of one that was deleted, and with them would go those that come now
		return false, errUnsettled
	}
	c := o.d.change(p, now)
	c.found(org, req)
	err = c.commit(ctx)
	if conflictOn(err, org.key(p)) {
		return false, nil // another import of the same was faster
	}
	return err == nil, err
}

// ignoring returns err, or nil where it is the one that means nothing here.
func ignoring(err, nothing error) error {
	if err == nothing {
		return nil
	}
	return err
}
