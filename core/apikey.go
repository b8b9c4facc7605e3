package core

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// APIKey is what only a credential of the kind api_key has: a secret that a program shows with each request. API keys are
// for api users: somebody's own would pass by their password and second factor.
type APIKey struct {
	Digest    string  `json:"digest"`           // SHA-256 of the key
	ExpiresAt Instant `json:"expires,omitzero"` // zero = never

	Permissions []string       `json:"permissions,omitzero"` // those of the user's that it carries; nil = all
	Addresses   []netip.Prefix `json:"addresses,omitempty"`  // that it may be shown from; nil = any

	// Sealed is the key itself under the realm's data key, where the realm has APIKeyEncrypt; "" is no trace of it. Era is
	// the realm's KeyEra at that time.
	Sealed string `json:"sealed,omitempty"`
	Era    int    `json:"era,omitempty"`
}

// apiKeyClaim finds an API key by its digest, and makes the key unique in its realm.
type apiKeyClaim struct {
	Realm      RealmID      `json:"realm"`
	User       UserID       `json:"user"`
	Credential CredentialID `json:"credential"`
	Digest     string       `json:"digest"`
}

func (a *apiKeyClaim) key(p Partition) Key { return apiKeyKey(p, a.Digest) }

// Bounds of API keys.
const (
	maxAPIKeys      = 20  // of one user
	maxAPIKeyLength = 256 // characters; the least is what makes 128 bits
	maxAddresses    = 50  // prefixes that one key may be shown from
)

// GenerateAPIKey stands for a key in its place and asks for one to be made.
const GenerateAPIKey = "generate"

// isAPIKeyPrefix is the rule for what a realm's generated keys begin with.
func isAPIKeyPrefix(s string) bool { return only(s, lettersAndDigits+"_", 1, 20) }

// APIKeys makes API keys and says whose they are. Safe for concurrent use.
type APIKeys struct {
	d     *deps
	users *Users
}

// NewAPIKey is what an API key is made of.
type NewAPIKey struct {
	Key         string // of the caller's choice; "" or GenerateAPIKey makes one
	Name        string // at most 100 characters
	ExpiresAt   time.Time
	Permissions []string // nil = all of the user's; at most 20
	Addresses   []string // CIDRs or single addresses; none = any; at most 50
}

// Create gives an api user another key and returns it, which is kept only where the realm has APIKeyEncrypt. It fails with KindInvalid, also where the key is
// taken, and with ErrUserNotFound.
func (k *APIKeys) Create(ctx context.Context, realm RealmID, idOrName string, in NewAPIKey, req Request) (credential *Credential, key string, err error) {
	if err := k.d.admitChosen(ctx, realm, in.Key); err != nil {
		return nil, "", err
	}
	err = retry(func() error {
		state, now, err := k.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		user, version, err := k.users.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		after := *user
		var added *keyChange
		if added, key, err = k.d.newAPIKey(ctx, state.Realm, &after, in, now); err != nil {
			return err
		}
		p, _ := state.owner(string(user.ID))
		c := k.d.change(p, now)
		c.replace(&after, version, noExpiry)
		c.putKey(added)
		c.event(Event{Realm: realm, Type: eventUserUpdated, User: user.ID, Credential: added.after.ID, Request: req.clean()})
		credential = added.after
		return added.taken(p, c.commit(ctx))
	})
	if err != nil {
		return nil, "", err
	}
	return credential, key, nil
}

// newAPIKey returns a new key of a user, who lists it from now on.
func (d *deps) newAPIKey(ctx context.Context, realm *Realm, user *User, in NewAPIKey, now time.Time) (*keyChange, string, error) {
	if user.Type != UserAPI {
		return nil, "", invalid("credential_type", "API keys are for api users only")
	}
	if user.count(CredentialAPIKey) >= maxAPIKeys {
		return nil, "", invalid("user_id", fmt.Sprintf("User has %d API keys already, which is the most", maxAPIKeys))
	}
	credential, err := d.newCredential(user, CredentialAPIKey, in.Name, Instant{now})
	if err != nil {
		return nil, "", err
	}
	key, err := d.keyText(realm, user, in.Key)
	if err != nil {
		return nil, "", err
	}
	credential.APIKey = &APIKey{Digest: digest(key)}
	if err := credential.APIKey.limit(&in.ExpiresAt, &in.Permissions, &in.Addresses, now); err != nil {
		return nil, "", err
	}
	return &keyChange{after: credential}, key, d.keep(ctx, realm, credential, key)
}

// claim returns what finds an API key.
func (c *Credential) claim() *apiKeyClaim {
	return &apiKeyClaim{Realm: c.Realm, User: c.User, Credential: c.ID, Digest: c.APIKey.Digest}
}

// limit sets what a key is limited to, and refuses what cannot be. What is nil stays as it is.
func (k *APIKey) limit(expires *time.Time, permissions, addresses *[]string, now time.Time) error {
	var errs fieldErrors
	if expires != nil {
		errs.check(expires.IsZero() || expires.After(now), "expires_at", "Expires at must be in the future")
		errs.check(!expires.After(lastExpiry), "expires_at", "Expires at is too far away")
		k.ExpiresAt = Instant{*expires}
	}
	if permissions != nil {
		errs.check(len(*permissions) <= maxPermissions, "permissions", fmt.Sprintf("Permissions are too many (maximum is %d)", maxPermissions))
		errs.check(all(*permissions, IsPermission),
			"permissions", "Permissions must have 1 to 62 letters, digits and * : ; . _ -")
		k.Permissions = *permissions
	}
	if addresses != nil {
		errs.check(len(*addresses) <= maxAddresses, "allowed_addresses", fmt.Sprintf("Allowed addresses are too many (maximum is %d)", maxAddresses))
		k.Addresses = nil
		for _, text := range *addresses {
			p, err := parseAddresses(text)
			errs.check(err == nil, "allowed_addresses", "Allowed addresses must be addresses or CIDRs like 192.0.2.0/24")
			k.Addresses = append(k.Addresses, p)
		}
	}
	return errs.err()
}

// IsPermission reports whether a permission may be called s: by 1 to 62 letters, digits and * : ; . _ - (Users API, "Memberships").
func IsPermission(s string) bool { return only(s, lettersAndDigits+"*:;._-", 1, 62) }

// parseAddresses reads a CIDR, or an address that stands for itself alone.
func parseAddresses(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(text); err != nil {
			return netip.Prefix{}, err
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() || p.Addr().Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%s is no plain address", text)
	}
	return p.Masked(), nil
}
