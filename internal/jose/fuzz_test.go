package jose_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/postern-auth/postern/internal/jose"
)

// FuzzParse: the gate and its oracle agree, and what passes can be written in no other way.
func FuzzParse(f *testing.F) {
	for _, header := range []string{
		plainHeader, `{"alg":"RS256"}`, `{"alg":"none"}`, `{"alg":"EdDSA","alg":"none"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`,
		`{"alg":"HS256","typ":""}`, `{"alg":"P\u005323`, "{\"alg\":\"PS256\"}\n", `{"alg":"EdDSA","jwk":{}}`,
	} {
		f.Add(crafted(header, plainClaims, "sig"))
	}
	f.Add(crafted(plainHeader, `{"a":1,"a":2}`, "sig"))
	f.Add(crafted(plainHeader, plainClaims, "sig") + "=")
	f.Add(crafted(plainHeader, plainClaims, "sig") + ".AA.AA")
	f.Add("e30.e30.AB")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, err := jose.Parse(token)
		if got, want := err == nil, admits(token); got != want {
			t.Fatalf("Parse(%q) = %v; the oracle says %t", token, err, want)
		}
		if err != nil {
			return
		}
		var again []string
		for part := range strings.SplitSeq(token, ".") {
			decoded, _ := base64.RawURLEncoding.DecodeString(part)
			again = append(again, base64.RawURLEncoding.EncodeToString(decoded))
		}
		if text := strings.Join(again, "."); text != token {
			t.Errorf("Parse(%q) accepts what encodes to %q", token, text)
		}
		if parsed.Alg() == "" {
			t.Errorf("Parse(%q) has no algorithm", token)
		}
	})
}

// FuzzClaims: the claims that pass are those that encoding/json reads, each with the same value.
func FuzzClaims(f *testing.F) {
	for _, claims := range []string{
		`{}`, plainClaims, sessionClaims, `{"a":[1,{"b":null}],"c":-1.5e+3}`, `{"a":"\ud83d\ude00\u00e9\/"}`,
		`{"\u0061":1,"a":2}`,
		`{"a":"\ud800"}`, `{"a":{"b":1,"b":2}}`, ` {"a" : [ ] , "b":{ }} `, `{"a":01}`, `{"a":1}x`, `{"aud":["a","b"]}`,
		strings.Repeat(`{"a":`, 16) + `1` + strings.Repeat(`}`, 16), strings.Repeat(`{"a":`, 17) + `1` + strings.Repeat(`}`, 17),
	} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token := crafted(plainHeader, text, "sig")
		parsed, err := jose.Parse(token)
		if got, want := err == nil, len(token) <= jose.MaxTokenLength && strictJSON(text); got != want {
			t.Fatalf("claims %q: %v; the oracle says %t", text, err, want)
		}
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatalf("claims %q: encoding/json: %v", text, err)
		}
		for name, raw := range members {
			sameClaim(t, parsed.Unverified(), name, raw)
		}
	})
}

// sameClaim checks what each getter says of a claim against encoding/json.
func sameClaim(t *testing.T, claims jose.Claims, name string, raw json.RawMessage) {
	t.Helper()
	if got, ok := claims.Raw(name); !ok || !bytes.Equal(got, raw) {
		t.Errorf("claim %q = %q, %t; want %q", name, got, ok, raw)
	}
	var value any
	if err := decodeJSON(raw, &value); err != nil {
		t.Fatalf("claim %q: encoding/json: %v", raw, err)
	}
	s, isString := value.(string)
	if got, ok := claims.String(name); got != s || ok != isString {
		t.Errorf("String of %s = %q, %t; want %q, %t", raw, got, ok, s, isString)
	}
	var n int64
	isInt := json.Unmarshal(raw, &n) == nil && string(raw) != "null"
	if got, ok := claims.Int(name); ok != isInt || ok && got != n {
		t.Errorf("Int of %s = %d, %t; want %d, %t", raw, got, ok, n, isInt)
	}
	object, isObject := value.(map[string]any)
	nested, ok := claims.Object(name)
	if ok != isObject {
		t.Errorf("Object of %s = %t; want %t", raw, ok, isObject)
	}
	for name := range object {
		if _, ok := nested.Raw(name); !ok {
			t.Errorf("%s has no %q", raw, name)
		}
	}
	if got, ok := claims.Strings(name); ok {
		want, isArray := value.([]any)
		if !isArray {
			want = []any{value}
		}
		list := []any{}
		for _, s := range got {
			list = append(list, s)
		}
		if !reflect.DeepEqual(list, want) {
			t.Errorf("Strings of %s = %q", raw, got)
		}
	}
}

// raw returns a key as the standard library has it.
func raw(tb testing.TB, key *jose.PrivateKey) any {
	tb.Helper()
	if key.Alg() == jose.HS256 {
		return key.Secret()
	}
	text, err := key.MarshalPEM()
	if err != nil {
		tb.Fatal(err)
	}
	block, _ := pem.Decode(text)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return private
}

// public returns what verifies what raw signs.
func public(raw any) any {
	if signer, ok := raw.(crypto.Signer); ok {
		return signer.Public()
	}
	return raw
}

// FuzzVerify: what jwx refuses with the same key, we refuse; what Sign makes, jwx accepts. Tokens are made of a header
// and claims of any form, signed well, and then changed in one byte of the signature.
func FuzzVerify(f *testing.F) {
	keys := map[jose.Alg]any{}
	for alg, key := range fixed() {
		keys[alg] = raw(f, key)
	}
	for i, alg := range algorithms {
		f.Add(`{"alg":"`+string(alg)+`"}`, plainClaims, uint8(i), uint16(0), uint8(0))
		f.Add(`{"alg":"`+string(alg)+`","typ":"session"}`, sessionClaims, uint8(i), uint16(i), uint8(1))
		f.Add(`{"alg":"none"}`, plainClaims, uint8(i), uint16(0), uint8(0))
		f.Add(`{"alg":"RS256","b64":false,"crit":["b64"]}`, plainClaims, uint8(i), uint16(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, header, claims string, which uint8, at uint16, flip uint8) {
		alg := algorithms[int(which)%len(algorithms)]
		enc := base64.RawURLEncoding
		signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
		signer, err := jws.NewSigner(jwa.SignatureAlgorithm(alg))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signer.Sign([]byte(signed), keys[alg])
		if err != nil {
			t.Fatal(err)
		}
		signature[int(at)%len(signature)] ^= flip
		sameVerdict(t, signed+"."+enc.EncodeToString(signature), alg, keys[alg], flip == 0)

		if token, err := fixed()[alg].Sign("session", []byte(claims)); err == nil {
			payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(alg), public(keys[alg])))
			if err != nil || string(payload) != claims {
				t.Errorf("jwx says of our token %s: %q, %v", token, payload, err)
			}
		}
	})
}

// sameVerdict checks that we accept only what jwx accepts, and all that is signed well and passes the gate.
func sameVerdict(t *testing.T, token string, alg jose.Alg, key any, good bool) {
	t.Helper()
	parsed, err := jose.Parse(token)
	if err != nil {
		return
	}
	_, err = parsed.Verify(fixed()[alg].Public())
	_, jwxErr := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(alg), public(key)))
	if err == nil && jwxErr != nil {
		t.Errorf("we accept %s, and jwx says %v", token, jwxErr)
	}
	if err == nil && !good {
		t.Errorf("we accept %s, whose signature was changed", token)
	}
	ours := parsed.Alg() == alg && (parsed.KeyID() == "" || parsed.KeyID() == fixed()[alg].ID())
	if err != nil && good && ours {
		t.Errorf("we refuse %s: %v", token, err)
	}
}

// FuzzParseJWKS: keys that were read can be published and read again.
func FuzzParseJWKS(f *testing.F) {
	for _, key := range []string{
		edKey, ecKey, offKey, edKey + `,"kid":"a","alg":"EdDSA","use":"sig"`, edKey + `,"d":"AAAA"`, `"kty":"RSA","n":"AQAB","e":"AQAB"`,
		`"kty":"oct","k":"AAAA"`, `"kty":"AKP"`, edKey + `,"x5c":["AAAA"]`, edKey + `,"key_ops":["verify"]`,
	} {
		f.Add([]byte(`{"keys":[{` + key + `}]}`))
	}
	for _, alg := range algorithms[:4] {
		set, err := jose.JWKS(fixed()[alg].Public())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(set)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := jose.ParseJWKS(text)
		if err != nil {
			return
		}
		set, err := jose.JWKS(published(keys)...)
		if err != nil {
			t.Fatalf("ParseJWKS(%q) = %v, of which JWKS says %v", text, keys, err)
		}
		again, err := jose.ParseJWKS(set)
		if err != nil || len(again) != len(keys) {
			t.Fatalf("ParseJWKS(%q) = %v, which reads back as %v, %v", text, keys, again, err)
		}
		for i, key := range keys {
			if again[i].ID() != key.ID() || again[i].Alg() != key.Alg() || !key.Alg().Foreign() {
				t.Errorf("%v reads back as %v", key, again[i])
			}
			pem, err := key.MarshalPEM()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jose.ParsePublicKey(pem, key.Alg()); (err == nil) != key.Alg().Asymmetric() {
				t.Errorf("%v as PEM: %v; want it read where its algorithm is ours", key, err)
			}
		}
	})
}

// FuzzParsePublicKey: a key that was read is written and read back as itself.
func FuzzParsePublicKey(f *testing.F) {
	for _, alg := range algorithms[:4] {
		text, err := fixed()[alg].Public().MarshalPEM()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, string(alg))
		f.Add(bytes.ReplaceAll(text, []byte("PUBLIC"), []byte("RSA PUBLIC")), "")
	}
	f.Fuzz(func(t *testing.T, text []byte, alg string) {
		key, err := jose.ParsePublicKey(text, jose.Alg(alg))
		if err != nil {
			return
		}
		again, err := key.MarshalPEM()
		if err != nil {
			t.Fatal(err)
		}
		same, err := jose.ParsePublicKey(again, key.Alg())
		if err != nil || same.ID() != key.ID() || alg != "" && alg != string(key.Alg()) {
			t.Errorf("ParsePublicKey(%q, %q) = %v, which reads back as %v, %v", text, alg, key, same, err)
		}
	})
}
