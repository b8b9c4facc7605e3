package core

import (
	"context"
	"fmt"
)

// APIKeyCopy is a user's API key on its way from realm to realm: what is kept of it, which has its digest, and the key itself where the
// realm that it is from shows it again.
type APIKeyCopy struct {
	*Credential
	Sealed string // the key under the master key: it opens where that is the same; "" = the key is known by its digest alone
}

// copyKey returns an API key as an export has it.
func (u *Users) copyKey(ctx context.Context, state *realmState, c *Credential) (APIKeyCopy, error) {
	one := APIKeyCopy{Credential: c}
	key, err := u.d.shown(ctx, state, c)
	if err != nil {
		return one, err
	}
	c.APIKey.Sealed, c.APIKey.Era = "", 0 // which are the realm's own
	if key != "" {
		one.Sealed, err = u.d.master.seal(u.d.random, copyPlace(c.ID, CredentialAPIKey, false), []byte(key))
	}
	return one, err
}

// bringKey makes an API key of which the digest is known. Where the key itself came along, the realm keeps it if it keeps its own.
func (u *Users) bringKey(ctx context.Context, c *change, state *realmState, user *User, in APIKeyCopy, dry bool) error {
	var errs fieldErrors
	errs.check(user.Type == UserAPI, "api_keys", "API keys are for api users only")
	errs.check(user.count(CredentialAPIKey) < maxAPIKeys, "api_keys", fmt.Sprintf("API keys are too many (maximum is %d)", maxAPIKeys))
	errs.check(in.APIKey != nil && isDigest(in.APIKey.Digest), "api_keys", "API keys must have the digest that an export has")
	if err := errs.err(); err != nil {
		return err
	}
	if len(in.APIKey.Addresses) > maxAddresses {
		return invalid("api_keys", fmt.Sprintf("Allowed addresses are too many (maximum is %d)", maxAddresses))
	}
	limits := *in.APIKey
	limits.Sealed, limits.Era = "", 0
	if err := limits.limit(nil, &in.APIKey.Permissions, nil, c.tx.Now); err != nil {
		return err
	}
	made, err := u.copied(user, in.ID, CredentialAPIKey, in.Name, in.CreatedAt)
	if err != nil {
		return err
	}
	made.APIKey, made.LastUsedAt = &limits, in.LastUsedAt
	key, err := u.d.brought(in)
	if err == nil && key != "" && !dry { // which writes nothing, and so makes no key to seal with
		err = u.d.keep(ctx, state.Realm, made, key)
	}
	if err != nil {
		return err
	}
	c.putKey(&keyChange{after: made})
	return nil
}

// brought returns the API key that came along with its digest. It is "" where none did, and where it was sealed under another master key: what has
// the key is let in all the same, and must not be shut out because the realm cannot show it.
func (d *deps) brought(in APIKeyCopy) (string, error) {
	if in.Sealed == "" || d.master.foreign(in.Sealed) {
		return "", nil
	}
	key, err := d.master.open(copyPlace(in.ID, CredentialAPIKey, false), in.Sealed)
	if err != nil {
		return "", invalid("api_keys", fmt.Sprintf("What is sealed of the API key %s is damaged, or is another credential's", in.ID))
	}
	if !in.APIKey.is(string(key)) {
		return "", invalid("api_keys", fmt.Sprintf("What is sealed of the API key %s is another key than its digest says", in.ID))
	}
	return string(key), nil
}
