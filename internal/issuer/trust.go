package issuer

import (
	"errors"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// MaxKeysAge is for how long keys are relied on after the last fetch that went well.
const MaxKeysAge = 72 * time.Hour

// Trust is what a token of an issuer must satisfy.
type Trust struct {
	Issuer     string
	Audiences  []string      // at least one of them
	Algorithms []jose.Alg    // asymmetric ones
	Skew       time.Duration // how far its clock may be ahead of ours
	MaxAge     time.Duration // how long ago a token may have been issued; 0 = as long as it has not expired
}

// Proven is a token that its issuer signed, and that is meant for us.
type Proven struct {
	Claims  jose.Claims
	Expires time.Time // by its exp, or by Trust.MaxAge
	Key     string    // fingerprint of the key that verified it
}

// RefusedError says what is wrong with a token, in a constant text that follows "the token is not valid: ".
type RefusedError struct {
	Why string

	// Newer says that the token was issued after the keys were fetched, or does not say when it was. The issuer may have a key since that is not
	// among them, or that has the kid of one of them, so that a fetch may help.
	Newer bool
}

// Error returns why.
func (e *RefusedError) Error() string { return e.Why }

// What keeps a token from being judged. None of these says that it is bad.
var (
	ErrNoKeys  = errors.New("issuer: its keys were not fetched yet")
	ErrOldKeys = errors.New("issuer: its keys could not be fetched for too long")
	// ErrNewerKey asks for a fetch: the token was issued after the last one, maybe with a key that was published since.
	ErrNewerKey = errors.New("issuer: the token may be signed with a key that was published since the last fetch")
)

// refuse returns a RefusedError.
func refuse(why string) error { return &RefusedError{Why: why} }

// Verify judges a token, under keys that are nil where none were fetched yet. It fails with a *RefusedError, or with one of the
// errors of this package that say nothing about the token. What costs little comes first.
func (t *Trust) Verify(keys *Keys, token jose.Token, now time.Time) (Proven, error) {
	if !token.IsPlainJWT() {
		return Proven{}, refuse("its typ is that of another kind of token")
	}
	if !slices.ContainsFunc(t.Algorithms, token.Alg().Is) {
		return Proven{}, refuse("its algorithm is not one that this issuer may use here")
	}
	claims := token.Unverified()
	expires, issued, err := t.times(claims, now)
	if err != nil {
		return Proven{}, err
	}
	if err := t.meant(claims); err != nil {
		return Proven{}, err
	}
	switch {
	case keys == nil:
		return Proven{}, ErrNoKeys
	case now.Sub(keys.At) > MaxKeysAge:
		return Proven{}, ErrOldKeys
	}
	fitting := keys.Fitting(token)
	for _, key := range fitting {
		if claims, err := token.Verify(key); err == nil {
			return Proven{claims, expires, key.Fingerprint()}, nil
		}
	}
	newer := issued != 0 && time.Unix(issued, 0).Add(t.Skew).After(keys.At)
	if token.KeyID() != "" && (len(fitting) > 0 || keys.Has(token.KeyID())) {
		return Proven{}, &RefusedError{Why: "its signature does not verify", Newer: newer || issued == 0}
	}
	if newer {
		return Proven{}, ErrNewerKey
	}
	why := "its key is not one that the issuer publishes"
	if token.KeyID() == "" {
		why = "it has no kid, and of the keys that the issuer publishes not exactly one fits"
	}
	return Proven{}, &RefusedError{Why: why, Newer: issued == 0}
}

// latest is the last second that a token may speak of, far beyond any that is used and far from where times overflow.
const latest = 1 << 40

// times reads exp, iat and nbf (RFC 7519 §4.1), and refuses a token that is over, or not yet begun. issued is 0 where it does not say.
func (t *Trust) times(claims jose.Claims, now time.Time) (expires time.Time, issued int64, err error) {
	exp, ok := claims.Seconds("exp")
	if !ok || exp > latest {
		return time.Time{}, 0, refuse("it does not say, in seconds, when it expires")
	}
	if exp <= now.Unix() {
		return time.Time{}, 0, refuse("it has expired")
	}
	ahead := now.Add(t.Skew).Unix()
	if issued, err = begun(claims, "iat", ahead); err == nil {
		_, err = begun(claims, "nbf", ahead)
	}
	if err != nil {
		return time.Time{}, 0, err
	}
	if oldest := int64(t.MaxAge / time.Second); oldest > 0 {
		if issued == 0 || now.Unix() >= issued+oldest {
			return time.Time{}, 0, refuse("it was issued too long ago")
		}
		exp = min(exp, issued+oldest)
	}
	return time.Unix(exp, 0), issued, nil
}

// begun returns the time in a claim, 0 where there is none. It refuses one that lies ahead, or that cannot be read.
func begun(claims jose.Claims, name string, ahead int64) (int64, error) {
	if _, there := claims.Raw(name); !there {
		return 0, nil
	}
	at, ok := claims.Seconds(name)
	if !ok || at < 0 {
		return 0, refuse("its iat or nbf is no time in seconds")
	}
	if at > ahead {
		return 0, refuse("it is from the future")
	}
	return at, nil
}

// meant refuses a token that is another issuer's, meant for others, or not for whoever merely holds it.
func (t *Trust) meant(claims jose.Claims) error {
	if iss, ok := claims.String("iss"); !ok || iss != t.Issuer {
		return refuse("it is another issuer's")
	}
	audiences, _ := claims.Strings("aud")
	if !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(t.Audiences, a) }) {
		return refuse("it is meant for another audience")
	}
	if _, bound := claims.Raw("cnf"); bound {
		return refuse("it is bound to a key, which was not shown") // RFC 7800 §3
	}
	if _, event := claims.Raw("events"); event {
		return refuse("it is a security event") // RFC 8417 §2.2; older logout tokens have the typ JWT
	}
	return nil
}
