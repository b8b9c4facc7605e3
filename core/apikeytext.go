package core

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// keyText returns the key to give a user: the chosen one, or a new one. A new one is the realm's prefix, 22 random
// characters, the user's bucket, and a checksum of all that.
func (d *deps) keyText(realm *Realm, user *User, chosen string) (string, error) {
	if chosen != "" && chosen != GenerateAPIKey {
		return chosen, checkChosen(chosen)
	}
	b, _ := bucketOf(string(user.ID))
	prefix := realm.Settings.APIKeyPrefix
	body, err := d.ids.secret(prefix, b)
	return body + checksum(body), err
}

// chosenBits is how hard to guess a key of a caller's choice must be, if it is random.
const chosenBits = 128

// checkChosen refuses a key that is shorter than 128 random bits, that is not random in plain sight, that a header could
// not carry as it is, or that could be taken for another kind of secret.
func checkChosen(key string) error {
	switch {
	case len(key) > maxAPIKeyLength:
		return invalid("api_key", fmt.Sprintf("API key is too long (maximum is %d characters)", maxAPIKeyLength))
	case !isPlain(key):
		return invalid("api_key", "API key must be of ASCII characters without spaces")
	case beginsLike(key, shownSecrets):
		return invalid("api_key", "API key begins like a secret of another kind")
	case strength(key) < chosenBits:
		return invalid("api_key", "API key is too easy to guess (use at least 22 random letters and digits, or 32 random hexadecimal digits)")
	}
	return nil
}

// strength returns how many bits a text has, were its characters random ones of the smallest usual alphabet that has
// them all. It is 0 for a text of few different characters.
func strength(key string) float64 {
	seen := map[rune]bool{}
	var lower, upper, letters, others bool
	for _, c := range key {
		seen[c] = true
		switch {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'f':
			lower = true
		case 'A' <= c && c <= 'F':
			upper = true
		case 'a' <= c && c <= 'z':
			lower, letters = true, true
		case 'A' <= c && c <= 'Z':
			upper, letters = true, true
		default:
			others = true
		}
	}
	alphabet := 62
	switch {
	case len(seen) < 8:
		return 0
	case others || letters && lower && upper:
	case letters:
		alphabet = 36
	case lower || upper:
		alphabet = 16
	default:
		alphabet = 10
	}
	return float64(len(key)) * math.Log2(float64(alphabet))
}

// isPlain reports whether a text is of visible ASCII characters.
func isPlain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

// plausible reports whether a text may be an API key of the realm, without a look in the store: it ends in the checksum of
// a generated key or, where there are chosen ones, could have been chosen.
func (r *Realm) plausible(key string) bool {
	return len(key) <= maxAPIKeyLength && isPlain(key) && (isGenerated(key) || r.ChosenKeys && strength(key) >= chosenBits)
}

// isGenerated reports whether a text has the form of a generated key.
func isGenerated(key string) bool {
	return len(key) > idLength+bucketLength+checksumLength && hasChecksum(key)
}

// holder returns the partition that finds an API key: that of the bucket in a generated one, which is its user's.
func (r *Realm) holder(key string) Partition {
	if isGenerated(key) {
		if b, ok := bucketOf(key[:len(key)-checksumLength]); ok {
			return r.partition(b)
		}
	}
	return r.partition(bucketOfText(digest(key)))
}

// admitChosen notes in the realm that there are chosen keys, before its first is made. Elsewhere that key may be taken for
// garbage until the news has come.
func (d *deps) admitChosen(ctx context.Context, id RealmID, key string) error {
	if key == "" || key == GenerateAPIKey || isGenerated(key) || checkChosen(key) != nil {
		return nil
	}
	return d.noteChosen(ctx, id)
}

// noteChosen notes in the realm that there are chosen keys.
func (d *deps) noteChosen(ctx context.Context, id RealmID) error {
	return retry(func() error {
		now, err := d.clock.now()
		if err != nil {
			return err
		}
		realm := &Realm{}
		version, found, err := d.load(ctx, realmKey(id), realm)
		if err != nil {
			return fmt.Errorf("core: note chosen API keys: %w", err)
		}
		if !found {
			return ErrRealmNotFound
		}
		if !realm.ChosenKeys {
			realm.ChosenKeys = true
			c := d.change(Partition{}, now)
			c.replace(realm, version, noExpiry)
			c.invalidate(string(id) + moreKeys)
			if err := c.commit(ctx); err != nil {
				return err
			}
		}
		d.realms.Forget([]string{string(id)})
		return nil
	})
}

// admitKey is admitChosen for a change of a user.
func (u *Users) admitKey(ctx context.Context, realm RealmID, in UserChange) error {
	if in.APIKey == nil {
		return nil
	}
	return u.d.admitChosen(ctx, realm, *in.APIKey)
}
