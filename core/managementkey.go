package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Permission is what a management key allows.
type Permission string

// The permissions (Users API, "Permissions"). Each stands for itself; none includes another.
const (
	PermissionRead   Permission = "read"   // list and get
	PermissionWrite  Permission = "write"  // change users and their like, authenticate, make tokens
	PermissionManage Permission = "manage" // realms, keys, hooks
)

// ManagementKey is the right of a back end to call the API.
type ManagementKey struct {
	ID          ManagementKeyID `json:"id"`
	Digest      string          `json:"digest"` // SHA-256 of its secret, the only trace of it
	Name        string          `json:"name"`
	Realm       RealmID         `json:"realm,omitempty"` // "" = all realms, and each call names one
	Permissions []Permission    `json:"permissions"`
	CreatedAt   Instant         `json:"created"`
	ExpiresAt   Instant         `json:"expires,omitzero"` // zero = never

	// LastUsedAt is filled by List and Get; seconds behind, and zero for never.
	LastUsedAt time.Time `json:"-"`
}

func (k *ManagementKey) key(Partition) Key { return managementKeyKey(k.Digest) }

// Allows reports whether the key carries permission p.
func (k *ManagementKey) Allows(p Permission) bool { return slices.Contains(k.Permissions, p) }

// Reaches reports whether the key is for the realm.
func (k *ManagementKey) Reaches(realm RealmID) bool { return k.Realm == "" || k.Realm == realm }

// ErrManagementKey says that a management key is missing, unknown or expired.
var ErrManagementKey = &Error{Kind: KindForbidden, Code: "management_key", Detail: "a valid management key is required"}

// ManagementKeys makes and checks management keys, and remembers those in use for as long as the feed
// says that they have not changed. Safe for concurrent use.
type ManagementKeys struct {
	d     *deps
	watch *Watch

	mu    sync.Mutex
	known map[string]*ManagementKey // by digest
	epoch int
}

func newManagementKeys(d *deps) *ManagementKeys {
	m := &ManagementKeys{d: d, known: map[string]*ManagementKey{}}
	m.watch = d.feed.watch(m, invalidationLog(Partition{}))
	return m
}

// Forget drops the keys among subjects.
func (m *ManagementKeys) Forget(subjects []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	for sum, k := range m.known {
		if slices.Contains(subjects, string(k.ID)) {
			delete(m.known, sum)
		}
	}
}

// ForgetAll drops all keys.
func (m *ManagementKeys) ForgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	clear(m.known)
}

// NewManagementKey is what a management key is made of.
type NewManagementKey struct {
	Name        string  // 1 to 100 characters
	Realm       RealmID // "" = all
	Permissions []Permission
	ExpiresAt   time.Time // in the future; zero = never
}

// NewSecret returns a secret for a management key that is yet to be made: "ko_" and 30 characters, the
// last 6 a checksum. It lets a caller put the secret in a safe place before the key exists.
func (m *ManagementKeys) NewSecret() (string, error) {
	b, err := m.d.ids.bucket()
	if err != nil {
		return "", err
	}
	body, err := m.d.ids.secret(prefixManagementSecret, b)
	return body + checksum(body), err
}

// Create makes a management key with a secret from NewSecret, which is not kept. It fails with
// KindInvalid, or KindConflict where a key with this secret exists.
func (m *ManagementKeys) Create(ctx context.Context, in NewManagementKey, secret string, req Request) (*ManagementKey, error) {
	now, err := m.d.clock.now()
	if err != nil {
		return nil, err
	}
	c := m.d.change(Partition{}, now)
	key, err := m.add(c, in, secret, req)
	if err != nil {
		return nil, err
	}
	if err := c.commit(ctx); conflictOn(err, key.key(Partition{})) {
		return nil, &Error{Kind: KindConflict, Code: "management_key_exists", Detail: "a management key with this secret exists"}
	} else if err != nil {
		return nil, fmt.Errorf("core: create management key: %w", err)
	}
	return key, nil
}

// add puts a new key into a Transaction.
func (m *ManagementKeys) add(c *change, in NewManagementKey, secret string, req Request) (*ManagementKey, error) {
	if !LooksLikeManagementKey(secret) || !hasChecksum(secret) {
		return nil, fmt.Errorf("core: add management key: secret is not from NewSecret")
	}
	b, _ := bucketOf(secret[:len(secret)-checksumLength])
	id, err := m.d.ids.id(prefixManagementKey, b)
	if err != nil {
		return nil, err
	}
	key := &ManagementKey{ID: ManagementKeyID(id), Digest: digest(secret), Name: in.Name, Realm: in.Realm,
		Permissions: in.Permissions, CreatedAt: Instant{c.tx.Now}, ExpiresAt: Instant{in.ExpiresAt}}
	if err := key.validate(); err != nil {
		return nil, err
	}
	if !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(c.tx.Now) { // a number of seconds from now, most likely
		return nil, invalid("expires_at", "Expires at must be in the future")
	}
	c.create(key, noExpiry)
	c.index(indexManagementKeys, key.member())
	c.event(Event{Realm: in.Realm, Type: eventMKeyCreated, Request: req.clean()})
	return key, nil
}

// validate refuses what a key cannot be.
func (k *ManagementKey) validate() error {
	if n := utf8.RuneCountInString(k.Name); strings.TrimSpace(k.Name) == "" || n > 100 {
		return invalid("name", "Name must have 1 to 100 characters")
	}
	if !utf8.ValidString(k.Name) || strings.ContainsRune(k.Name, 0) {
		return invalid("name", "Name contains characters that are not allowed")
	}
	if len(k.Permissions) == 0 {
		return invalid("permissions", "Permissions can't be blank")
	}
	for _, p := range k.Permissions {
		if !slices.Contains([]Permission{PermissionRead, PermissionWrite, PermissionManage}, p) {
			return invalid("permissions", "Permissions must be of read, write and manage")
		}
	}
	return nil
}

// member is a key's place among the keys: by id, with what it is kept under.
func (k *ManagementKey) member() string { return string(k.ID) + "\x00" + k.Digest }

// ErrManagementKeyNotFound says that there is no management key with this id.
var ErrManagementKeyNotFound = &Error{Kind: KindNotFound, Code: "management_key_not_found", Detail: "management key not found"}

// List returns up to limit management keys, 1 to MaxRange, the oldest first, from after the one with the id after; ""
// begins at the first. more says that there are others behind. It fails with KindInvalid where after is no id.
func (m *ManagementKeys) List(ctx context.Context, after ManagementKeyID, limit int) (list []*ManagementKey, more bool, err error) {
	from := ""
	if after != "" {
		if !validID(prefixManagementKey, string(after)) {
			return nil, false, invalid("after", "After must be the id of a management key")
		}
		from = string(after) + "\x01"
	}
	members, more, err := m.members(ctx, from, limit)
	if err != nil {
		return nil, false, fmt.Errorf("core: list management keys: %w", err)
	}
	keys := make([]Key, len(members))
	for i, member := range members {
		keys[i] = managementKeyKey(member[strings.IndexByte(member, 0)+1:])
	}
	recs, err := m.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, false, fmt.Errorf("core: list management keys: %w", err)
	}
	for i := range recs {
		k := &ManagementKey{}
		found, err := decode(keys[i], recs[i], k)
		if err != nil {
			return nil, false, err
		}
		if found {
			list = append(list, k)
		}
	}
	return list, more, m.used(ctx, list...)
}

// members returns up to limit places of keys, and whether there are others behind. It asks for those by themselves, as a page may be
// all that one Range returns.
func (m *ManagementKeys) members(ctx context.Context, from string, limit int) (page []string, more bool, err error) {
	at := Range{Index: Index{Name: indexManagementKeys}, From: from, Limit: limit}
	if page, err = m.d.store.Range(ctx, at); err != nil || len(page) < limit {
		return page, false, err
	}
	at.From, at.Limit = page[limit-1]+"\x00", 1
	behind, err := m.d.store.Range(ctx, at)
	return page, len(behind) > 0, err
}

// used fills in when keys were last used.
func (m *ManagementKeys) used(ctx context.Context, keys ...*ManagementKey) error {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = string(k.ID)
	}
	times, err := m.d.lastUsed(ctx, ids...)
	for i := range times {
		keys[i].LastUsedAt = times[i]
	}
	return err
}

// Get returns a management key by its id, or ErrManagementKeyNotFound.
func (m *ManagementKeys) Get(ctx context.Context, id ManagementKeyID) (*ManagementKey, error) {
	key, _, err := m.byID(ctx, id)
	if err != nil {
		return nil, err
	}
	return key, m.used(ctx, key)
}

// byID reads a key and its version.
func (m *ManagementKeys) byID(ctx context.Context, id ManagementKeyID) (*ManagementKey, uint64, error) {
	members, err := m.d.store.Range(ctx, Range{Index: Index{Name: indexManagementKeys}, From: string(id) + "\x00", To: string(id) + "\x01", Limit: 1})
	if err != nil {
		return nil, 0, fmt.Errorf("core: find management key: %w", err)
	}
	if len(members) == 0 || !validID(prefixManagementKey, string(id)) {
		return nil, 0, ErrManagementKeyNotFound
	}
	key := &ManagementKey{}
	version, found, err := m.d.load(ctx, managementKeyKey(members[0][len(id)+1:]), key)
	if err != nil {
		return nil, 0, fmt.Errorf("core: find management key: %w", err)
	}
	if !found {
		return nil, 0, ErrManagementKeyNotFound
	}
	return key, version, nil
}

// ManagementKeyChange is what is to be set of a management key. What is nil stays as it is.
type ManagementKeyChange struct {
	Name        *string
	Permissions *[]Permission
	ExpiresAt   *time.Time // the zero time takes the limit away
}

// Update changes a management key. It fails with ErrManagementKeyNotFound and KindInvalid.
func (m *ManagementKeys) Update(ctx context.Context, id ManagementKeyID, in ManagementKeyChange, req Request) (*ManagementKey, error) {
	var key *ManagementKey
	err := retry(func() error {
		now, err := m.d.clock.now()
		if err != nil {
			return err
		}
		var version uint64
		if key, version, err = m.byID(ctx, id); err != nil {
			return err
		}
		if in.Name != nil {
			key.Name = *in.Name
		}
		if in.Permissions != nil {
			key.Permissions = *in.Permissions
		}
		if in.ExpiresAt != nil {
			key.ExpiresAt = Instant{*in.ExpiresAt}
		}
		if err := key.validate(); err != nil {
			return err
		}
		c := m.d.change(Partition{}, now)
		c.replace(key, version, noExpiry)
		c.event(Event{Realm: key.Realm, Type: eventMKeyUpdated, Request: req.clean()})
		c.invalidate(string(id))
		return c.commit(ctx)
	})
	if err != nil {
		return nil, err
	}
	return key, m.used(ctx, key)
}

// Delete removes a management key. It is refused everywhere within the moment that news takes. It fails with
// ErrManagementKeyNotFound.
func (m *ManagementKeys) Delete(ctx context.Context, id ManagementKeyID, req Request) error {
	return retry(func() error {
		now, err := m.d.clock.now()
		if err != nil {
			return err
		}
		key, version, err := m.byID(ctx, id)
		if err != nil {
			return err
		}
		c := m.d.change(Partition{}, now)
		c.remove(key.key(Partition{}), version)
		c.unindex(indexManagementKeys, key.member())
		c.tx.Delete = append(c.tx.Delete, lastUseKey(string(id)).Name)
		c.event(Event{Realm: key.Realm, Type: eventMKeyDeleted, Request: req.clean()})
		c.invalidate(string(id))
		return c.commit(ctx)
	})
}

// Authenticate returns the key that a secret belongs to, or ErrManagementKey; ErrEmptied where the store has lost what it was set up with, and
// so may have lost the key. Garbage costs no look in the store, a key seen before only where the feed is silent for too long.
func (m *ManagementKeys) Authenticate(ctx context.Context, secret string) (*ManagementKey, error) {
	if !LooksLikeManagementKey(secret) || len(secret) > 64 || !hasChecksum(secret) {
		return nil, ErrManagementKey
	}
	now, err := m.d.clock.now()
	if err != nil {
		return nil, err
	}
	key, err := m.find(ctx, digest(secret), now)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, m.d.missedRealm(ctx, ErrManagementKey)
	}
	if !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt.Time) {
		return nil, ErrManagementKey
	}
	m.d.meter.use(key, now)
	return key, nil
}

// find returns the key with this digest, from memory or the store, or nil.
func (m *ManagementKeys) find(ctx context.Context, sum string, now time.Time) (*ManagementKey, error) {
	m.mu.Lock()
	key, epoch := m.known[sum], m.epoch
	m.mu.Unlock()
	if key != nil && m.watch.Fresh(now) {
		return key, nil
	}
	key = &ManagementKey{}
	_, found, err := m.d.load(ctx, managementKeyKey(sum), key)
	if err != nil {
		return nil, fmt.Errorf("core: find management key: %w", err)
	}
	if !found {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch == epoch && len(m.known) < maxManagementKeysKnown {
		m.known[sum] = key
	}
	return key, nil
}

// maxManagementKeysKnown bounds what is remembered.
const maxManagementKeysKnown = 10_000
