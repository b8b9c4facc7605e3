package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-auth/postern/internal/jose"
)

// APTKey is a public key of an account provider: what verifies its APTs. The private half never
// comes here, unless Generate made it, and then it leaves in the same breath.
type APTKey struct {
	ID        APTKeyID `json:"id"`
	KeyID     string   `json:"kid"` // RFC 7638 thumbprint
	Alg       jose.Alg `json:"alg"`
	PublicKey string   `json:"pem"` // PKIX PEM
	Name      string   `json:"name,omitempty"`
	State     State    `json:"state"`
	CreatedAt Instant  `json:"created"`

	public *jose.PublicKey
}

// maxActiveAPTKeys is how many of a realm's APT keys may be active.
const maxActiveAPTKeys = 5

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

// active returns the keys that may have signed an APT with this kid; all active ones where it has none.
func (k *aptKeys) active(kid string) []APTKey {
	var keys []APTKey
	for _, key := range k.Keys {
		if key.State == StateActive && (kid == "" || kid == key.KeyID) {
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
// with KindInvalid, KindConflict (five are active) and ErrRealmNotFound.
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
	state, err := a.d.realms.read(ctx, realm)
	if err != nil {
		return err
	}
	for _, k := range state.apt.Keys {
		if k.KeyID == key.KeyID && k.State == StateActive {
			*key = k
			return nil
		}
	}
	if len(state.apt.active("")) >= maxActiveAPTKeys {
		return &Error{Kind: KindConflict, Code: "too_many_keys", Detail: fmt.Sprintf("a realm has at most %d active APT keys; retire one first", maxActiveAPTKeys)}
	}
	now, err := a.d.clock.now()
	if err != nil {
		return err
	}
	b, _ := bucketOf(string(realm))
	id, err := a.d.ids.id(prefixAPTKey, b)
	if err != nil {
		return err
	}
	key.ID, key.CreatedAt = APTKeyID(id), Instant{now}
	state.apt.Keys = append(state.apt.Keys, *key)
	c := a.d.change(Partition{}, now)
	c.replace(state.apt, state.aptAt, noExpiry)
	c.event(Event{Realm: realm, Type: eventAPTKeyCreated, APTKey: key.ID, Request: req.clean()})
	c.invalidate(string(realm))
	return c.commit(ctx)
}

// errNoKeyFits says that no active key of the realm verifies a token.
var errNoKeyFits = errors.New("no active APT key of this environment verifies it")

// verify returns the claims of an APT that one of the keys signed, and that key.
func (k *aptKeys) verify(token jose.Token) (jose.Claims, *APTKey, error) {
	for _, key := range k.active(token.KeyID()) {
		if claims, err := token.Verify(key.public); err == nil {
			return claims, &key, nil
		}
	}
	return jose.Claims{}, nil, errNoKeyFits
}
