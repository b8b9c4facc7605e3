package core

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// APTKey is a public key of an account provider: what verifies its APTs. The private half never
// comes here, unless Generate made it, and then it leaves in the same breath.
type APTKey struct {
	ID        APTKeyID `json:"id"`
	Realm     RealmID  `json:"realm"`
	KeyID     string   `json:"kid"` // RFC 7638 thumbprint
	Alg       jose.Alg `json:"alg"`
	PublicKey string   `json:"pem"` // PKIX PEM
	Name      string   `json:"name,omitempty"`
	State     State    `json:"state"` // active or retired
	CreatedAt Instant  `json:"created"`
	NotAfter  Instant  `json:"not_after,omitzero"` // zero = no limit

	// EndedSessions says that no session that the key vouched for is alive any more.
	EndedSessions bool    `json:"ended_sessions,omitempty"`
	EndedAt       Instant `json:"ended,omitzero"` // when that began

	// LastUsedAt is filled by List and Get; seconds behind, and zero for never.
	LastUsedAt time.Time `json:"-"`

	public *jose.PublicKey
}

// Failures of APT keys.
var (
	ErrAPTKeyNotFound = &Error{Kind: KindNotFound, Code: "apt_key_not_found", Detail: "APT key not found"}
	errTooManyAPTKeys = &Error{Kind: KindConflict, Code: "too_many_keys", Detail: "a realm has at most 5 active APT keys; retire one first"}
	errTooManyRetired = &Error{Kind: KindConflict, Code: "too_many_keys", Detail: "a realm has at most 100 APT keys, retired ones among them; delete one first"}
)

// How many APT keys a realm may have. All of them lie in one record, which has room for as many of the longest.
const (
	maxActiveAPTKeys = 5
	maxAPTKeys       = 100
)

// aptKeys are the APT keys of a realm, in one record.
type aptKeys struct {
	Realm RealmID  `json:"realm"`
	Keys  []APTKey `json:"keys"`
}

func (k *aptKeys) key(Partition) Key { return aptKeysKey(k.Realm) }

// parse readies the keys for verifying.
func (k *aptKeys) parse() error {
	for i := range k.Keys {
		public, err := jose.ParsePublicKey([]byte(k.Keys[i].PublicKey), k.Keys[i].Alg)
		if err != nil {
			return fmt.Errorf("core: APT key %s: %w", k.Keys[i].ID, err)
		}
		k.Keys[i].public = public
	}
	return nil
}

// byID returns a copy of a key, or ErrAPTKeyNotFound.
func (k *aptKeys) byID(id APTKeyID) (*APTKey, error) {
	for _, key := range k.Keys {
		if key.ID == id {
			return &key, nil
		}
	}
	return nil, ErrAPTKeyNotFound
}

// put replaces the key that has the same id.
func (k *aptKeys) put(key APTKey) {
	for i := range k.Keys {
		if k.Keys[i].ID == key.ID {
			k.Keys[i] = key
		}
	}
}

// ended reports whether the sessions that a key vouched for were ended.
func (k *aptKeys) ended(id APTKeyID) bool {
	key, err := k.byID(id)
	return err == nil && key.EndedSessions
}

// active returns the keys that may have signed an APT with this kid; all active ones where it has none.
func (k *aptKeys) active(kid string, now time.Time) []APTKey {
	var keys []APTKey
	for _, key := range k.Keys {
		if key.State == StateActive && key.inTime(now) && (kid == "" || kid == key.KeyID) {
			keys = append(keys, key)
		}
	}
	return keys
}

// APTKeys keeps the public keys of account providers.
type APTKeys struct{ d *deps }

// Generate makes a key pair for an account provider and keeps its public half. The private half is
// returned as PKCS#8 PEM, this once.
func (a *APTKeys) Generate(ctx context.Context, realm RealmID, name string, alg jose.Alg, req Request) (key *APTKey, privatePEM []byte, err error) {
	if !alg.Asymmetric() {
		return nil, nil, invalid("generate", "Generate must be RS256, PS256, ES256 or EdDSA")
	}
	private, err := jose.Generate(alg, a.d.random)
	if err != nil {
		return nil, nil, fmt.Errorf("core: generate APT key: %w", err)
	}
	privatePEM, err = private.MarshalPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("core: generate APT key: %w", err)
	}
	publicPEM, err := private.Public().MarshalPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("core: generate APT key: %w", err)
	}
	key, err = a.Add(ctx, realm, name, publicPEM, alg, req)
	if err != nil {
		return nil, nil, err
	}
	return key, privatePEM, nil
}

// Add keeps a public key (PKIX or PKCS#1 PEM) that APTs of a realm may be signed with. alg "" takes
// RS256 for an RSA key, and for others what the curve says. Adding a key that is there returns it. It fails
// with KindInvalid, KindConflict (five are active, or there are 100) and ErrRealmNotFound.
func (a *APTKeys) Add(ctx context.Context, realm RealmID, name string, publicPEM []byte, alg jose.Alg, req Request) (*APTKey, error) {
	if isPrivateKeyPEM(publicPEM) {
		return nil, invalid("public_key", "Public key is a private key; send only its public half, and replace the key, since it was sent")
	}
	public, err := jose.ParsePublicKey(publicPEM, alg)
	if err != nil {
		return nil, invalid("public_key", "Public key is not one that can be used: "+err.Error())
	}
	text, err := public.MarshalPEM()
	if err != nil {
		return nil, fmt.Errorf("core: add APT key: %w", err)
	}
	key := APTKey{KeyID: public.ID(), Alg: public.Alg(), PublicKey: string(text), Name: cut(name, 100), State: StateActive}
	err = retry(func() error { return a.add(ctx, realm, &key, req) })
	return &key, err
}

// add appends key to the realm's keys, and completes it.
func (a *APTKeys) add(ctx context.Context, realm RealmID, key *APTKey, req Request) error {
	state, now, err := a.read(ctx, realm)
	if err != nil {
		return err
	}
	for _, k := range state.apt.Keys {
		if k.KeyID != key.KeyID || k.State != StateActive {
			continue
		}
		if k.Alg != key.Alg || !k.inTime(now) {
			return &Error{Kind: KindConflict, Code: "key_exists", Detail: "this key is there already, with another algorithm or past its not_after; change or retire that one"}
		}
		*key = k
		return nil
	}
	if len(state.apt.active("", now)) >= maxActiveAPTKeys {
		return errTooManyAPTKeys
	}
	if len(state.apt.Keys) >= maxAPTKeys {
		return errTooManyRetired
	}
	b, _ := bucketOf(string(realm))
	id, err := a.d.ids.id(prefixAPTKey, b)
	if err != nil {
		return err
	}
	key.ID, key.Realm, key.CreatedAt = APTKeyID(id), realm, Instant{now}
	state.apt.Keys = append(state.apt.Keys, *key)
	return a.commit(ctx, state, now, Event{Type: eventAPTKeyCreated, APTKey: key.ID, Request: req.clean()}, moreKeys)
}

// read returns a realm as the store has it now, and the time.
func (a *APTKeys) read(ctx context.Context, realm RealmID) (*realmState, time.Time, error) {
	now, err := a.d.clock.now()
	if err != nil {
		return nil, now, err
	}
	state, err := a.d.realms.read(ctx, realm)
	return state, now, err
}

// commit writes a realm's APT keys. news is what follows the realm's id in the subject that is invalidated.
func (a *APTKeys) commit(ctx context.Context, state *realmState, now time.Time, e Event, news string) error {
	e.Realm = state.ID
	c := a.d.change(Partition{}, now)
	c.replace(state.apt, state.aptAt, noExpiry)
	if e.Type == eventAPTKeyDeleted {
		c.tx.Delete = append(c.tx.Delete, lastUseKey(string(e.APTKey)).Name)
	}
	c.event(e)
	c.invalidate(string(state.ID) + news)
	return c.commit(ctx)
}

// List returns a realm's APT keys, the oldest first. It fails with ErrRealmNotFound.
func (a *APTKeys) List(ctx context.Context, realm RealmID) ([]APTKey, error) {
	state, err := a.d.realms.managed(ctx, realm)
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(state.apt.Keys)
	return keys, a.used(ctx, keys)
}

// used fills in when keys were last used.
func (a *APTKeys) used(ctx context.Context, keys []APTKey) error {
	ids := make([]string, len(keys))
	for i := range keys {
		ids[i] = string(keys[i].ID)
	}
	times, err := a.d.lastUsed(ctx, ids...)
	for i := range times {
		keys[i].LastUsedAt = times[i]
	}
	return err
}

// Get returns an APT key by its id, or ErrAPTKeyNotFound.
func (a *APTKeys) Get(ctx context.Context, realm RealmID, id APTKeyID) (*APTKey, error) {
	state, err := a.d.realms.managed(ctx, realm)
	if err != nil {
		return nil, err
	}
	key, err := state.apt.byID(id)
	if err != nil {
		return nil, err
	}
	keys := []APTKey{*key}
	return &keys[0], a.used(ctx, keys)
}

// APTKeyChange is what is to be set of an APT key. What is nil stays as it is.
type APTKeyChange struct {
	Name     *string    // at most 100 bytes are kept
	NotAfter *time.Time // from then on the key verifies nothing; the zero time takes the limit away
	State    *State     // StateRetired; a retired key stays retired

	// EndSessions ends, with the retirement, all sessions that the key vouched for, for when it has leaked.
	EndSessions bool
}

// Update changes an APT key. It fails with ErrAPTKeyNotFound and KindInvalid.
func (a *APTKeys) Update(ctx context.Context, realm RealmID, id APTKeyID, in APTKeyChange, req Request) (*APTKey, error) {
	if in.State != nil && *in.State != StateActive && *in.State != StateRetired {
		return nil, invalid("state", "State must be active or retired")
	}
	var key *APTKey
	err := retry(func() error {
		state, now, err := a.read(ctx, realm)
		if err != nil {
			return err
		}
		if key, err = state.apt.byID(id); err != nil {
			return err
		}
		if err := key.change(in, now); err != nil {
			return err
		}
		state.apt.put(*key)
		if len(state.apt.active("", now)) > maxActiveAPTKeys {
			return errTooManyAPTKeys
		}
		news := moreKeys
		if key.EndedSessions {
			news = "" // every guard of the realm must look again
		}
		return a.commit(ctx, state, now, Event{Type: eventAPTKeyUpdated, APTKey: id, Request: req.clean()}, news)
	})
	if err != nil {
		return nil, err
	}
	keys := []APTKey{*key}
	return &keys[0], a.used(ctx, keys)
}

// inTime reports whether the key may verify at a time.
func (k *APTKey) inTime(now time.Time) bool {
	return k.NotAfter.IsZero() || now.Before(k.NotAfter.Time)
}

// change sets what in asks for.
func (k *APTKey) change(in APTKeyChange, now time.Time) error {
	if in.Name != nil {
		k.Name = cut(*in.Name, 100)
	}
	if in.NotAfter != nil {
		k.NotAfter = Instant{*in.NotAfter}
	}
	if in.State != nil && *in.State == StateActive && k.State == StateRetired {
		return invalid("state", "State can't be changed: a retired key stays retired; add it again")
	}
	if in.State != nil {
		k.State = *in.State
	}
	if in.EndSessions && k.State != StateRetired {
		return invalid("end_sessions", "End sessions goes with retiring the key")
	}
	if in.EndSessions && !k.EndedSessions {
		k.EndedSessions, k.EndedAt = true, Instant{now}
	}
	return nil
}

// endedSlack is more than the time by which a session may have been seen, or given out, after its key ended it: news
// travels, clocks differ, and "last seen" is noted behind.
const endedSlack = time.Hour

// keptUntil returns from when on none of the sessions that the key ended would be alive even without it: nobody has
// seen them since, so the longest that a session of the realm may go unseen is over.
func (k *APTKey) keptUntil(realm *Realm) time.Time {
	return k.EndedAt.Add(max(realm.LongestIdle, realm.Settings.SessionIdle).Duration() + endedSlack)
}

// Delete removes an APT key, retired or not. Sessions that it vouched for live on unless it was retired with
// EndSessions: such a key must be kept until they would have expired by themselves; before that, deleting it is a
// KindConflict that says how long. It fails with ErrAPTKeyNotFound.
func (a *APTKeys) Delete(ctx context.Context, realm RealmID, id APTKeyID, req Request) error {
	return retry(func() error {
		state, now, err := a.read(ctx, realm)
		if err != nil {
			return err
		}
		key, err := state.apt.byID(id)
		if err != nil {
			return err
		}
		if until := key.keptUntil(state.Realm); key.EndedSessions && now.Before(until) {
			return &Error{Kind: KindConflict, Code: "key_ended_sessions",
				Detail: "this key ended the sessions that it vouched for, and must be kept so that they stay ended, until " + until.Format(time.RFC3339)}
		}
		state.apt.Keys = slices.DeleteFunc(state.apt.Keys, func(k APTKey) bool { return k.ID == id })
		return a.commit(ctx, state, now, Event{Type: eventAPTKeyDeleted, APTKey: id, Request: req.clean()}, moreKeys)
	})
}

// verify returns the claims of an APT that one of the keys signed, and that key; nil for none.
func (k *aptKeys) verify(token jose.Token, now time.Time) (jose.Claims, *APTKey) {
	for _, key := range k.active(token.KeyID(), now) {
		if claims, err := token.Verify(key.public); err == nil {
			return claims, &key
		}
	}
	return jose.Claims{}, nil
}
