package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// dataKey seals what users of a realm have that the store must not read, and keys the hashes of what is too short to be
// hashed without one. It lies in the store, sealed under the master key.
type dataKey struct {
	*MasterKey
	hashKey
}

// hashKey keys hashes of what is too short to be hashed without one: nobody who lacks it can try texts.
type hashKey []byte

// dataKeyName is what the data key is called among a realm's sealed keys.
const dataKeyName = "data"

// openData unseals a realm's data key, if there is one.
func (d *deps) openData(keys *signingKeys) (*dataKey, error) {
	if keys.Data == "" {
		return nil, nil
	}
	secret, err := d.master.open(keys.place(dataKeyName), keys.Data)
	if err != nil {
		return nil, err
	}
	return newDataKey(secret)
}

// newDataKey returns the data key made of 32 random bytes.
func newDataKey(secret []byte) (*dataKey, error) {
	seal, err := NewMasterKey(secret)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("postern hashes\x00"))
	return &dataKey{seal, mac.Sum(nil)}, nil
}

// hash returns what is kept of a text, for the given place (a record's id).
func (k hashKey) hash(place, text string) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(place + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// dataKey returns a realm's data key, and makes it where there is none.
func (r *Realms) dataKey(ctx context.Context, id RealmID) (*dataKey, error) {
	var key *dataKey
	err := retry(func() error {
		state, now, err := r.begin(ctx, id)
		if err != nil {
			return err
		}
		if key = state.data; key != nil {
			return nil
		}
		secret := make([]byte, MasterKeySize)
		if _, err := io.ReadFull(r.d.random, secret); err != nil {
			return fmt.Errorf("core: make data key: %w", err)
		}
		if state.sealed.Data, err = r.d.master.seal(r.d.random, state.sealed.place(dataKeyName), secret); err != nil {
			return err
		}
		if key, err = newDataKey(secret); err != nil {
			return err
		}
		c := r.d.change(Partition{}, now)
		c.replace(state.sealed, state.sealedAt, noExpiry)
		c.invalidate(string(id) + moreKeys)
		return c.commit(ctx)
	})
	if err != nil {
		return nil, err
	}
	r.Forget([]string{string(id)})
	return key, nil
}

// sealer returns a realm's data key: the remembered one, or else from the store, where it is made if need be.
func (r *Realms) sealer(ctx context.Context, state *realmState) (*dataKey, error) {
	if state.data != nil {
		return state.data, nil
	}
	return r.dataKey(ctx, state.ID)
}
