package core

import (
	"context"
	"crypto/subtle"
	"fmt"
)

// APIKeyPolicy says what is kept of a realm's API keys (Users API, "Realms").
type APIKeyPolicy string

// The choices.
const (
	APIKeyHash    APIKeyPolicy = ""        // a digest: a key is shown when it is made, and never again
	APIKeyEncrypt APIKeyPolicy = "encrypt" // beside it the key itself, sealed, so that it can be shown again
)

// keptPlace is where an API key is sealed for.
func keptPlace(id CredentialID) string { return "api key:" + string(id) }

// keep seals a new API key where its realm wants it to be shown again.
func (d *deps) keep(ctx context.Context, realm *Realm, c *Credential, key string) error {
	c.APIKey.Sealed, c.APIKey.Era = "", 0
	if realm.Settings.APIKeyPolicy != APIKeyEncrypt {
		return nil
	}
	state, err := d.realms.state(ctx, realm.ID)
	if err != nil {
		return err
	}
	data, err := d.realms.sealer(ctx, state)
	if err != nil {
		return err
	}
	c.APIKey.Sealed, err = data.seal(d.random, keptPlace(c.ID), []byte(key))
	c.APIKey.Era = realm.KeyEra
	return err
}

// shows reports whether the realm shows an API key again: one that was kept since the realm last began to keep them.
func (r *Realm) shows(k *APIKey) bool {
	return k != nil && k.Sealed != "" && r.Settings.APIKeyPolicy == APIKeyEncrypt && k.Era == r.KeyEra
}

// forget drops what a realm shows no more of an API key. It happens whenever the key is written.
func (k *APIKey) forget(realm *Realm) {
	if !realm.shows(k) {
		k.Sealed, k.Era = "", 0
	}
}

// Shown returns an API key itself, or "" where the realm does not show it again.
func (k *APIKeys) Shown(ctx context.Context, credential *Credential) (string, error) {
	state, err := k.d.realms.state(ctx, credential.Realm)
	if err != nil {
		return "", err
	}
	return k.d.shown(ctx, state, credential)
}

// shown is Shown of a realm that was read already.
func (d *deps) shown(ctx context.Context, state *realmState, credential *Credential) (string, error) {
	if !state.shows(credential.APIKey) {
		return "", nil
	}
	data, err := d.realms.sealer(ctx, state)
	if err != nil {
		return "", err
	}
	key, err := data.open(keptPlace(credential.ID), credential.APIKey.Sealed)
	if err != nil {
		return "", err
	}
	if !credential.APIKey.is(string(key)) {
		return "", fmt.Errorf("core: what is sealed of the API key %s is another key", credential.ID)
	}
	return string(key), nil
}

// is reports whether a text is this very key.
func (k *APIKey) is(text string) bool {
	return subtle.ConstantTimeCompare([]byte(digest(text)), []byte(k.Digest)) == 1
}

// ShownOf is Shown of a user's first API key, which goes by User.api_key (Users API, "Passwords & API Keys").
func (k *APIKeys) ShownOf(ctx context.Context, user *User) (string, error) {
	id, known := user.has(CredentialAPIKey)
	if !known {
		return "", nil
	}
	state, err := k.d.realms.state(ctx, user.Realm)
	if err != nil || state.Settings.APIKeyPolicy != APIKeyEncrypt {
		return "", err
	}
	h, err := k.d.heldBy(ctx, state.Realm, user.ID, id)
	if err == ErrCredentialNotFound {
		return "", nil // replaced or deleted at the same moment
	}
	if err != nil {
		return "", err
	}
	return k.Shown(ctx, h.Credential)
}
