package core

import (
	"context"
	"time"
)

// keyChange is an API key that is made or changed.
type keyChange struct {
	before  *Credential // nil = it is new
	version uint64      // of before
	after   *Credential
}

// putKey writes an API key, and what finds it. Of one that was there it tells whoever remembers it.
func (c *change) putKey(k *keyChange) {
	if k == nil {
		return
	}
	if k.before != nil {
		c.replace(k.after, k.version, noExpiry)
		c.invalidate(string(k.after.ID))
		if k.before.APIKey.Digest == k.after.APIKey.Digest {
			return
		}
		c.tx.Delete = append(c.tx.Delete, k.before.claim().key(c.tx.Partition).Name)
	} else {
		c.create(k.after, noExpiry)
	}
	c.create(k.after.claim(), noExpiry)
}

// taken says that somebody else's key stood in the way of a Transaction, if it did.
func (k *keyChange) taken(p Partition, err error) error {
	if k != nil && conflictOn(err, k.after.claim().key(p)) {
		return invalid("api_key", "API key has already been taken")
	}
	return err
}

// APIKeyChange is what is to be set of an API key. What is nil stays as it is.
type APIKeyChange struct {
	Key         *string // of the caller's choice; "" or GenerateAPIKey makes one. The former key is refused at once.
	Name        *string
	ExpiresAt   *time.Time // the zero time takes the limit away
	Permissions *[]string  // a nil list takes the limit away
	Addresses   *[]string  // an empty list takes the limit away
}

// Update changes an API key. It returns the key where it is a new one, else "". It fails with ErrCredentialNotFound and
// KindInvalid.
func (k *APIKeys) Update(ctx context.Context, realm RealmID, id CredentialID, in APIKeyChange, req Request) (credential *Credential, key string, err error) {
	if in.Key != nil {
		if err := k.d.admitChosen(ctx, realm, *in.Key); err != nil {
			return nil, "", err
		}
	}
	err = retry(func() error {
		state, now, err := k.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		h, err := k.d.held(ctx, state.Realm, id)
		if err != nil {
			return err
		}
		var changed *keyChange
		if changed, key, err = h.changeKey(ctx, k.d, state.Realm, in, now); err != nil {
			return err
		}
		c := k.d.change(h.at, now)
		c.putKey(changed)
		c.event(Event{Realm: realm, Type: eventUserUpdated, User: h.User, Credential: id, Request: req.clean()})
		credential = changed.after
		return changed.taken(h.at, c.commit(ctx))
	})
	if err != nil {
		return nil, "", err
	}
	return credential, key, nil
}

// changeKey returns what a change makes of an API key, and the key where it is a new one.
func (h *held) changeKey(ctx context.Context, d *deps, realm *Realm, in APIKeyChange, now time.Time) (*keyChange, string, error) {
	if h.APIKey == nil {
		return nil, "", ErrCredentialNotFound
	}
	after, limits, key := *h.Credential, *h.APIKey, ""
	after.APIKey = &limits
	if in.Name != nil {
		if err := after.rename(*in.Name); err != nil {
			return nil, "", err
		}
	}
	if in.Key != nil {
		var err error
		if key, err = d.keyText(realm, h.user, *in.Key); err != nil {
			return nil, "", err
		}
		limits.Digest = digest(key)
		if err = d.keep(ctx, realm, &after, key); err != nil {
			return nil, "", err
		}
	}
	limits.forget(realm)
	if err := limits.limit(in.ExpiresAt, in.Permissions, in.Addresses, now); err != nil {
		return nil, "", err
	}
	return &keyChange{before: h.Credential, version: h.version, after: &after}, key, nil
}

// firstKey returns what the shortcut User.api_key asks for: that the user's first API key be this one, or be made (Users
// API, "Passwords & API Keys"). nil asks for nothing.
func (u *Users) firstKey(ctx context.Context, realm *Realm, user *User, text *string, now time.Time) (*keyChange, error) {
	if text == nil {
		return nil, nil
	}
	if user.Type != UserAPI {
		return nil, invalid("api_key", "API key is for api users only")
	}
	id, known := user.has(CredentialAPIKey)
	var changed *keyChange
	var err error
	if !known {
		changed, user.NewAPIKey, err = u.d.newAPIKey(ctx, realm, user, NewAPIKey{Key: *text}, now)
		return changed, err
	}
	h, err := u.d.heldBy(ctx, realm, user.ID, id)
	if err != nil {
		return nil, err
	}
	changed, user.NewAPIKey, err = h.changeKey(ctx, u.d, realm, APIKeyChange{Key: text}, now)
	return changed, err
}
