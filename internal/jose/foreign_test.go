package jose_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// TestParseForeign lets through what issuers elsewhere write into headers.
func TestParseForeign(t *testing.T) {
	for header, plain := range map[string]bool{
		`{"alg":"RS256","kid":"k","typ":"JWT"}`:                                true, // Keycloak, Auth0
		`{"typ":"JWT","alg":"RS256","x5t":"nOo3ZDrODXEK1jKWhXslHR_KXEg"}`:      true, // Entra ID
		`{"alg":"ES256","kid":"k","typ":"at+jwt","x5t#S256":"a b"}`:            true,
		`{"alg":"EdDSA","typ":"application/at+JWT"}`:                           true,
		`{"alg":"RS256","cat":"cl_B7d4PD111AAA","nonce":["any"],"other":null}`: true, // RFC 7515 §4
		`{"alg":"PS256","typ":"logout+jwt"}`:                                   false,
		`{"alg":"PS256","typ":"session+jwt"}`:                                  false,
		`{"alg":"PS256","typ":"assertion+jwt"}`:                                false,
		`{"alg":"PS256","typ":"secevent+jwt"}`:                                 false,
		`{"alg":"PS256","typ":"application/JWT/at+jwt"}`:                       false,
	} {
		token, err := jose.ParseForeign(crafted(header, plainClaims, "sig"))
		if err != nil {
			t.Errorf("ParseForeign of header %s: %v", header, err)
			continue
		}
		if got := token.IsPlainJWT(); got != plain {
			t.Errorf("IsPlainJWT of header %s = %t, want %t", header, got, plain)
		}
	}
}

// TestParseForeignRefuses what would choose its own key or algorithm, or could be read in two ways.
func TestParseForeignRefuses(t *testing.T) {
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"HS512"}`, `{"alg":"ES256K"}`, `{"alg":"RS1"}`, `{"alg":"Ed448"}`, `{"alg":"rs256"}`, `{"alg":["RS256"]}`, `{}`, `[]`, ``, `{"kid":"a"}`,
		`{"alg":"RS256","alg":"HS256"}`, `{"alg":"RS256","x5t":"a","x5t":"b"}`, `{"alg":"RS256","kid":1}`, `{"alg":"RS256","kid":"a\n"}`,
		`{"alg":"RS256","typ":null}`, `{"alg":"RS256","typ":""}`, `{"alg":"RS256","jwk":{"kty":"oct","k":"AA"}}`, `{"alg":"RS256","jwk":null}`,
		`{"alg":"RS256","jku":"https://evil.example"}`, `{"alg":"RS256","x5u":"https://evil.example"}`, `{"alg":"RS256","x5c":["MII"]}`,
		`{"alg":"RS256","crit":["exp"]}`, `{"alg":"RS256","b64":false}`, `{"alg":"RS256","\u0062\u0036\u0034":false}`,
		`{"alg":"RS256","enc":"A256GCM"}`, `{"alg":"RS256","zip":"DEF"}`, `{"alg":"RS256","cty":"JWT"}`, `{"alg":"RS256","epk":{}}`,
	} {
		if got, err := jose.ParseForeign(crafted(header, plainClaims, "sig")); !errors.Is(err, jose.ErrMalformed) || got.Alg() != "" {
			t.Errorf("ParseForeign of header %s = %q, %v; want %v", header, got.Alg(), err, jose.ErrMalformed)
		}
	}
	good := crafted(`{"alg":"RS256"}`, plainClaims, "sig")
	for name, text := range map[string]string{
		"claims twice": crafted(`{"alg":"RS256"}`, `{"sub":"a","sub":"b"}`, "sig"), "no signature": crafted(`{"alg":"RS256"}`, plainClaims, ""),
		"padding": good + "=", "four parts": good + ".AA", "a line end": good + "\n", "spare bits": "eyJhbGciOiJSUzI1NiJ9.e30.AB",
		"too long": crafted(`{"alg":"RS256"}`, `{"a":"`+strings.Repeat("a", 7000)+`"}`, "sig"),
		"deep":     crafted(`{"alg":"RS256"}`, strings.Repeat(`{"a":`, 17)+`1`+strings.Repeat(`}`, 17), "sig"),
	} {
		if _, err := jose.ParseForeign(text); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("ParseForeign of %s: %v; want %v", name, err, jose.ErrMalformed)
		}
	}
}

// setOf returns the set that these keys are published in.
func setOf(t *testing.T, keys ...string) *jose.KeySet {
	t.Helper()
	set, err := jose.ParseKeySet([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// jwkOf returns a key as it is published, with other members than it had; an empty text leaves one out.
func jwkOf(t *testing.T, alg jose.Alg, members map[string]string) string {
	t.Helper()
	text, err := fixed()[alg].Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	var key map[string]string
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		if key[name] = value; value == "" {
			delete(key, name)
		}
	}
	text, err = json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestKeySetFitting finds the keys that fit: those of a kid, of which there may be several, and without a kid the one of its kind.
func TestKeySetFitting(t *testing.T) {
	rsa, ec := jwkOf(t, jose.RS256, map[string]string{"kid": "r"}), jwkOf(t, jose.ES256, map[string]string{"kid": "e"})
	open := jwkOf(t, jose.RS256, map[string]string{"kid": "r", "alg": ""})
	ed, newer := jwkOf(t, jose.EdDSA, map[string]string{"kid": "o"}), jwkOf(t, jose.EdDSA, map[string]string{"kid": "n", "alg": "Ed25519"})
	other := jwkOf(t, jose.PS256, map[string]string{"kid": "p", "alg": "RS256"})
	again := jwkOf(t, jose.PS256, map[string]string{"kid": "r", "alg": "RS256"})
	for _, test := range []struct {
		name   string
		set    *jose.KeySet
		header string
		want   string
	}{
		{"by kid", setOf(t, rsa, ec), `{"alg":"RS256","kid":"r"}`, "RS256 key r"},
		{"unknown kid", setOf(t, rsa, ec), `{"alg":"RS256","kid":"x"}`, ""},
		{"kid of another kind", setOf(t, rsa, ec), `{"alg":"RS256","kid":"e"}`, ""},
		{"another algorithm than published", setOf(t, rsa), `{"alg":"PS256","kid":"r"}`, ""},
		{"published without algorithm", setOf(t, open), `{"alg":"PS256","kid":"r"}`, "PS256 key r"},
		{"published without algorithm, as another kind", setOf(t, open), `{"alg":"ES256","kid":"r"}`, ""},
		{"no kid, one fits", setOf(t, rsa, ec), `{"alg":"ES256"}`, "ES256 key e"},
		{"no kid, two fit", setOf(t, rsa, other), `{"alg":"RS256"}`, ""},
		{"no kid, one key by two names", setOf(t, ed, newer, rsa), `{"alg":"Ed25519"}`, "Ed25519 key o"},
		{"no kid, two keys by two names", setOf(t, ed, jwkOf(t, jose.EdDSA, map[string]string{"alg": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})), `{"alg":"EdDSA"}`, ""},
		{"published by the older name, named by the newer", setOf(t, ed), `{"alg":"Ed25519","kid":"o"}`, "Ed25519 key o"},
		{"published by the newer name, named by the older", setOf(t, newer), `{"alg":"EdDSA","kid":"n"}`, "EdDSA key n"},
		{"a kid twice", setOf(t, rsa, again), `{"alg":"RS256","kid":"r"}`, "RS256 key r, RS256 key r"},
		{"a kid twice, for two algorithms", setOf(t, open, jwkOf(t, jose.ES256, map[string]string{"kid": "r"})), `{"alg":"ES256","kid":"r"}`, "ES256 key r"},
		{"a kid five times", setOf(t, rsa, again, rsa, rsa, again), `{"alg":"RS256","kid":"r"}`, "RS256 key r, RS256 key r, RS256 key r, RS256 key r"},
	} {
		token, err := jose.ParseForeign(crafted(test.header, plainClaims, "sig"))
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, key := range test.set.Fitting(token) {
			found = append(found, key.String())
		}
		if got := strings.Join(found, ", "); got != test.want {
			t.Errorf("%s: Fitting(%s) = %q, want %q", test.name, test.header, got, test.want)
		}
	}
	if a, b := setOf(t, rsa).Fingerprints(), setOf(t, again).Fingerprints(); slices.Equal(a, b) {
		t.Errorf("two keys that were published under one kid share a fingerprint: %q", a)
	}
}

// TestParseKeySetRefuses a set that verifies nothing.
func TestParseKeySetRefuses(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `<html>`} {
		if set, err := jose.ParseKeySet([]byte(text)); !errors.Is(err, jose.ErrKey) || set != nil {
			t.Errorf("ParseKeySet(%q) = %v, %v; want %v", text, set, err, jose.ErrKey)
		}
	}
}

// TestClaimsSeconds reads times with and without fractions.
func TestClaimsSeconds(t *testing.T) {
	for raw, want := range map[string]int64{`0`: 0, `1795000000`: 1795000000, `1795000000.9`: 1795000000, `-5`: -5} {
		if got, ok := claimsOf(t, `{"exp":`+raw+`}`).Seconds("exp"); got != want || !ok {
			t.Errorf("Seconds of %s = %d, %t; want %d", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`"1795000000"`, `1.795e9`, `1E3`, `9223372036854775808`, `null`, `true`, `[1]`, `{}`} {
		if got, ok := claimsOf(t, `{"exp":`+raw+`}`).Seconds("exp"); got != 0 || ok {
			t.Errorf("Seconds of %s = %d, %t; want refused", raw, got, ok)
		}
	}
}

// foreignAlgs are the algorithms that issuers elsewhere may sign with.
var foreignAlgs = []string{"EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// refusedName is what the header of a foreign token must not have.
var refusedName = regexp.MustCompile(`^(crit|b64|jwk|jku|x5u|x5c|enc|zip|cty|epk)$`)

// admitsForeign says what the gate for foreign tokens should, by other means.
func admitsForeign(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	header, ok := decoded(parts[0])
	if !ok || !strictJSON(header) {
		return false
	}
	var members map[string]any
	if json.Unmarshal([]byte(header), &members) != nil {
		return false
	}
	for name, value := range members {
		s, isString := value.(string)
		if refusedName.MatchString(name) || slices.Contains([]string{"alg", "kid", "typ"}, name) && (!isString || !plain.MatchString(s)) {
			return false
		}
	}
	alg, _ := members["alg"].(string)
	// The rest is as for our own tokens, whose header has nothing else.
	return slices.Contains(foreignAlgs, alg) && len(token) <= jose.MaxTokenLength &&
		admits(compact(`{"alg":"EdDSA"}`, "{}", "sig")[:len(compact(`{"alg":"EdDSA"}`))]+"."+parts[1]+"."+parts[2])
}

// FuzzParseForeign: the gate and its oracle agree, and whatever passes the gate for our own tokens under an asymmetric algorithm
// passes this one too.
func FuzzParseForeign(f *testing.F) {
	for _, header := range []string{
		plainHeader, `{"alg":"RS256"}`, `{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"EdDSA","x5t":"a"}`, `{"alg":"EdDSA","x5t":{"jwk":1}}`,
		`{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","jwk":{}}`, `{"alg":"P\u005323`, "{\"alg\":\"PS256\"}\n",
	} {
		f.Add(crafted(header, plainClaims, "sig"))
	}
	f.Add(crafted(plainHeader, `{"a":1,"a":2}`, "sig"))
	f.Add(crafted(plainHeader, plainClaims, "sig") + "=")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, err := jose.ParseForeign(token)
		if got, want := err == nil, admitsForeign(token); got != want {
			t.Fatalf("ParseForeign(%q) = %v; the oracle says %t", token, err, want)
		}
		if own, ownErr := jose.Parse(token); ownErr == nil && own.Alg().Asymmetric() && err != nil {
			t.Errorf("ParseForeign(%q) = %v, and Parse lets it through", token, err)
		}
		if err == nil && !slices.Contains(foreignAlgs, string(parsed.Alg())) {
			t.Errorf("ParseForeign(%q) lets %s through", token, parsed.Alg())
		}
	})
}
