package issuer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

// noon is when tokens are judged; the keys were fetched a minute before.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

var trust = issuer.Trust{
	Issuer: "https://login.example.com", Audiences: []string{"app", "app2"}, Algorithms: []jose.Alg{jose.EdDSA, jose.ES256, jose.RS256}, Skew: time.Minute,
}

// claims returns those of a good token, with some changed; nil leaves one out.
func claims(change map[string]any) string {
	all := map[string]any{"iss": trust.Issuer, "sub": "u1", "aud": "app", "iat": noon.Unix() - 300, "exp": noon.Unix() + 300}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, _ := json.Marshal(all)
	return string(text)
}

// keysOf returns keys as they were fetched a minute before noon.
func keysOf(t testing.TB, keys ...*jose.PrivateKey) *issuer.Keys {
	t.Helper()
	var published []jose.Published
	for _, k := range keys {
		published = append(published, k.Public())
	}
	text, err := jose.JWKS(published...)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer.Keys{KeySet: set, At: noon.Add(-time.Minute)}
}

// verify judges a token that key signed over claims.
func verify(t *testing.T, trust issuer.Trust, keys *issuer.Keys, key *jose.PrivateKey, typ, claims string) error {
	t.Helper()
	text, err := key.Sign(typ, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.ParseForeign(text)
	if err != nil {
		t.Fatal(err)
	}
	_, err = trust.Verify(keys, token, noon)
	return err
}

// why returns what a token was refused for, "" where it was not, and "?" where nothing is said about it.
func why(err error) string {
	if err == nil {
		return ""
	}
	if refused, is := errors.AsType[*issuer.RefusedError](err); is {
		return refused.Why
	}
	return "?"
}

// TestVerifyEitherName takes EdDSA by the name that it was not allowed and published by.
func TestVerifyEitherName(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	keys := keysOf(t, key)
	for _, named := range []jose.Alg{jose.EdDSA, jose.Ed25519} {
		trust := trust
		trust.Algorithms = []jose.Alg{named}
		if err := verify(t, trust, keys, key, "JWT", claims(nil)); err != nil {
			t.Errorf("a token of EdDSA where %s is allowed: %v", named, err)
		}
	}
	trust := trust
	trust.Algorithms = []jose.Alg{jose.ES256, jose.Ed25519}
	other := newKey(t, jose.RS256)
	if err := verify(t, trust, keysOf(t, other), other, "JWT", claims(nil)); why(err) == "" {
		t.Error("a token of RS256 is taken where ES256 and Ed25519 are allowed")
	}
}

// TestVerifyClaims is what a token's claims must say.
func TestVerifyClaims(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	keys := keysOf(t, key)
	const noTime, future, other = "it does not say, in seconds, when it expires", "it is from the future", "it is meant for another audience"
	const unread = "its iat or nbf is no time in seconds"
	for _, test := range []struct {
		change map[string]any
		want   string
	}{
		{nil, ""},
		{map[string]any{"aud": []string{"x", "app2"}}, ""},
		{map[string]any{"aud": []string{"x"}}, other},
		{map[string]any{"aud": "ap"}, other},
		{map[string]any{"aud": "APP"}, other},
		{map[string]any{"aud": ""}, other},
		{map[string]any{"aud": []any{"app", 1}}, other},
		{map[string]any{"aud": map[string]any{"app": 1}}, other},
		{map[string]any{"aud": nil}, other},
		{map[string]any{"iss": "https://login.example.com/"}, "it is another issuer's"},
		{map[string]any{"iss": nil}, "it is another issuer's"},
		{map[string]any{"iss": []string{trust.Issuer}}, "it is another issuer's"},
		{map[string]any{"exp": nil}, noTime},
		{map[string]any{"exp": "1795000000"}, noTime},
		{map[string]any{"exp": 1e30}, noTime},
		{map[string]any{"exp": int64(1)<<40 + 1}, noTime},
		{map[string]any{"exp": noon.Unix()}, "it has expired"},
		{map[string]any{"exp": noon.Unix() + 1}, ""},
		{map[string]any{"exp": json.Number("1795780801.9")}, ""},
		{map[string]any{"exp": -1}, "it has expired"},
		{map[string]any{"iat": noon.Unix() + 60}, ""},
		{map[string]any{"iat": noon.Unix() + 61}, future},
		{map[string]any{"iat": "now"}, unread},
		{map[string]any{"iat": -1}, unread},
		{map[string]any{"iat": json.RawMessage("1.7e9")}, unread},
		{map[string]any{"nbf": json.RawMessage("null")}, unread},
		{map[string]any{"iat": nil}, ""},
		{map[string]any{"nbf": noon.Unix() + 60}, ""},
		{map[string]any{"nbf": noon.Unix() + 61}, future},
		{map[string]any{"nbf": nil, "iat": nil}, ""},
		{map[string]any{"cnf": map[string]any{"jkt": "abc"}}, "it is bound to a key, which was not shown"},
		{map[string]any{"cnf": false}, "it is bound to a key, which was not shown"},
		{map[string]any{"events": map[string]any{}}, "it is a security event"},
	} {
		if got := why(verify(t, trust, keys, key, "JWT", claims(test.change))); got != test.want {
			t.Errorf("Verify with %v: %q, want %q", test.change, got, test.want)
		}
	}
	aged := trust
	aged.MaxAge = 5 * time.Minute
	for iat, want := range map[any]string{noon.Unix() - 299: "", noon.Unix() - 300: "it was issued too long ago", nil: "it was issued too long ago"} {
		if got := why(verify(t, aged, keys, key, "JWT", claims(map[string]any{"iat": iat}))); got != want {
			t.Errorf("Verify with max age 5m and iat %v: %q, want %q", iat, got, want)
		}
	}
}

// TestVerifyKeys is which keys a token may be signed with, and when that cannot be known.
func TestVerifyKeys(t *testing.T) {
	ed, ec, stranger := newKey(t, jose.EdDSA), newKey(t, jose.ES256), newKey(t, jose.EdDSA)
	keys := keysOf(t, ed, ec)
	fresh, old := map[string]any{"iat": noon.Unix()}, map[string]any{"iat": noon.Unix() - 300}
	none := map[string]any{"iat": nil}
	for _, test := range []struct {
		name   string
		keys   *issuer.Keys
		key    *jose.PrivateKey
		typ    string
		change map[string]any
		want   error
	}{
		{name: "one of its keys", keys: keys, key: ed},
		{name: "another of its keys", keys: keys, key: ec, typ: "at+jwt"},
		{name: "an old token of a key that is not its", keys: keys, key: stranger, change: old, want: refused("its key is not one that the issuer publishes")},
		{name: "a token without iat, likewise", keys: keys, key: stranger, change: none, want: refused("its key is not one that the issuer publishes")},
		{name: "a new token of a key that is not known", keys: keys, key: stranger, change: fresh, want: issuer.ErrNewerKey},
		{name: "one of less than the skew before the keys were fetched", keys: keys, key: stranger, change: map[string]any{"iat": noon.Unix() - 119}, want: issuer.ErrNewerKey},
		{name: "one of the skew before", keys: keys, key: stranger, change: map[string]any{"iat": noon.Unix() - 120}, want: refused("its key is not one that the issuer publishes")},
		{name: "no keys yet", key: ed, want: issuer.ErrNoKeys},
		{name: "no keys yet, and it has expired anyhow", key: ed, change: map[string]any{"exp": 1}, want: refused("it has expired")},
		{name: "keys of long ago", keys: &issuer.Keys{KeySet: keys.KeySet, At: noon.Add(-issuer.MaxKeysAge - 1)}, key: ed, want: issuer.ErrOldKeys},
		{name: "a logout token", keys: keys, key: ed, typ: "logout+jwt", want: refused("its typ is that of another kind of token")},
		{name: "a session token of Postern's", keys: keys, key: ed, typ: "session+jwt", want: refused("its typ is that of another kind of token")},
	} {
		typ := test.typ
		if typ == "" {
			typ = "JWT"
		}
		err := verify(t, trust, test.keys, test.key, typ, claims(test.change))
		if !errors.Is(err, test.want) && why(err) != why(test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	only := trust
	only.Algorithms = []jose.Alg{jose.ES256}
	if got := why(verify(t, only, keys, ed, "JWT", claims(nil))); got != "its algorithm is not one that this issuer may use here" {
		t.Errorf("an algorithm that is not allowed, of a key that is known: %q", got)
	}
}

// TestVerifyWithoutKid takes a token that names no key where one alone fits, and says what keeps it out where that is not so.
func TestVerifyWithoutKid(t *testing.T) {
	first, second, ec := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA), newKey(t, jose.ES256)
	text, err := first.SignBare([]byte(claims(nil)))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.ParseForeign(text)
	if err != nil {
		t.Fatal(err)
	}
	const several = "it has no kid, and of the keys that the issuer publishes not exactly one fits"
	for want, keys := range map[string]*issuer.Keys{"": keysOf(t, first, ec), several: keysOf(t, first, second)} {
		if _, err := trust.Verify(keys, token, noon); why(err) != want {
			t.Errorf("a token without kid, with the keys %v: %q, want %q", keys.Fingerprints(), why(err), want)
		}
	}
	if _, err := trust.Verify(keysOf(t, ec), token, noon); why(err) != several {
		t.Errorf("a token without kid, with no key that fits: %q, want %q", why(err), several)
	}
}

// refused returns the error of a refusal.
func refused(why string) error { return &issuer.RefusedError{Why: why} }

// TestVerifyForged: a signature that does not fit is a refusal also of a token from a moment ago, and a public key is no secret.
func TestVerifyForged(t *testing.T) {
	key, other := newKey(t, jose.RS256), newKey(t, jose.RS256)
	keys := keysOf(t, key)
	enc := base64.RawURLEncoding.EncodeToString
	payload := enc([]byte(claims(map[string]any{"iat": noon.Unix()})))
	judge := func(header string, signature []byte) error {
		t.Helper()
		token, err := jose.ParseForeign(enc([]byte(header)) + "." + payload + "." + enc(signature))
		if err != nil {
			return err
		}
		_, err = trust.Verify(keys, token, noon)
		return err
	}
	header := `{"alg":"RS256","kid":"` + key.ID() + `"}`
	if got := why(judge(header, make([]byte, 384))); got != "its signature does not verify" {
		t.Errorf("a signature of zeros: %q", got)
	}
	text, err := other.Sign("JWT", []byte(claims(nil)))
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := base64.RawURLEncoding.DecodeString(text[len(text)-512:])
	if err != nil {
		t.Fatal(err)
	}
	if got := why(judge(header, stolen)); got != "its signature does not verify" {
		t.Errorf("another key's signature under this one's kid: %q", got)
	}
	public, err := key.Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	confused := `{"alg":"HS256","kid":"` + key.ID() + `"}`
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(enc([]byte(confused)) + "." + payload))
	for name, err := range map[string]error{
		"HS256 with the public key as secret": judge(confused, mac.Sum(nil)),
		"none":                                judge(`{"alg":"none"}`, []byte("x")),
		"a key of its own":                    judge(`{"alg":"RS256","jwk":{"kty":"RSA"}}`, stolen),
	} {
		if !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, jose.ErrMalformed)
		}
	}
}
