package jose_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/postern-auth/postern/internal/jose"
)

// decryptionKeys returns one key of each kind, the same for the whole run.
var decryptionKeys = sync.OnceValue(func() []*jose.DecryptionKey {
	var keys []*jose.DecryptionKey
	for _, alg := range []jose.EncryptionAlg{jose.RSAOAEP256, jose.ECDHES} {
		key, err := jose.GenerateDecryptionKey(alg, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// encrypt returns an encrypted token.
func encrypt(tb testing.TB, token string, key *jose.DecryptionKey) string {
	tb.Helper()
	text, err := jose.Encrypt(token, key.Public(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// TestEncrypt opens what was encrypted, with the one key that can, in whatever form that key is kept.
func TestEncrypt(t *testing.T) {
	token := sign(t, fixed()[jose.RS256], "apt", plainClaims)
	keys := decryptionKeys()
	for i, key := range keys {
		sealed, err := key.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.UnmarshalDecryptionKey(sealed)
		if err != nil || again.ID() != key.ID() || again.Alg() != key.Alg() {
			t.Fatalf("UnmarshalDecryptionKey(Marshal()) = %v, %v; want %v", again, err, key)
		}
		text, err := key.Public().JWK()
		if err != nil {
			t.Fatal(err)
		}
		published, err := jose.ParseEncryptionKey(text)
		if err != nil || published.ID() != key.ID() || published.Alg() != key.Alg() {
			t.Fatalf("ParseEncryptionKey(JWK()) = %v, %v; want %v", published, err, key)
		}
		if text := fmt.Sprintf("%v %+v %#v", key, key, key); !strings.Contains(text, key.ID()) || len(text) > 300 {
			t.Errorf("a decryption key is printed as %s", text)
		}
		encrypted, err := jose.Encrypt(token, published, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := jose.Decrypt(encrypted, again); got != token || err != nil {
			t.Errorf("%s: Decrypt(Encrypt(token)) = %q, %v", key.Alg(), got, err)
		}
		undecrypted(t, "another kind of key", encrypted, keys[1-i])
		other, err := jose.GenerateDecryptionKey(key.Alg(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		undecrypted(t, "another key", encrypted, other)
		if _, err := jose.Parse(encrypted); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("Parse of an encrypted token = %v; want %v", err, jose.ErrMalformed)
		}
	}
}

// TestDecryptRefusesChanges changes each character of an encrypted token in turn.
func TestDecryptRefusesChanges(t *testing.T) {
	token := sign(t, fixed()[jose.EdDSA], "apt", plainClaims)
	key := decryptionKeys()[1]
	encrypted := encrypt(t, token, key)
	for i := range encrypted {
		for _, c := range []byte(".A_\n=") {
			if changed := []byte(encrypted); changed[i] != c {
				changed[i] = c
				undecrypted(t, fmt.Sprintf("character %d is %q", i, c), string(changed), key)
			}
		}
	}
}

// foreign encrypts with jwx as another signer may. edit changes the header.
func foreign(
	t *testing.T, payload string, key *jose.DecryptionKey, edit map[string]any, options ...jwe.EncryptOption,
) string {
	t.Helper()
	text, err := key.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	var public any
	if err := parsed.Raw(&public); err != nil {
		t.Fatal(err)
	}
	header := jwe.NewHeaders()
	for name, value := range edit {
		if err := header.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	options = append([]jwe.EncryptOption{
		jwe.WithKey(jwa.KeyEncryptionAlgorithm(key.Alg()), public),
		jwe.WithContentEncryption(jwa.A256GCM),
		jwe.WithProtectedHeaders(header),
	}, options...)
	encrypted, err := jwe.Encrypt([]byte(payload), options...)
	if err != nil {
		t.Fatal(err)
	}
	return string(encrypted)
}

// TestDecryptRefusesForms refuses what jwx would open.
func TestDecryptRefusesForms(t *testing.T) {
	token := sign(t, fixed()[jose.RS256], "apt", plainClaims)
	jwt := map[string]any{"cty": "JWT"}
	for _, key := range decryptionKeys() {
		for name, header := range map[string]map[string]any{
			"bare":             jwt,
			"with typ and kid": {"cty": "JWT", "typ": "JWT", "kid": key.ID()},
			"with its realm":   {"cty": "JWT", "environment_guid": "5a1b"},
		} {
			if got, err := jose.Decrypt(foreign(t, token, key, header), key); got != token || err != nil {
				t.Errorf("%s, %s: Decrypt = %q, %v; want it opened", key.Alg(), name, got, err)
			}
		}
		for name, encrypted := range map[string]string{
			"compressed":        foreign(t, token, key, jwt, jwe.WithCompress(jwa.Deflate)),
			"A128GCM":           foreign(t, token, key, jwt, jwe.WithContentEncryption(jwa.A128GCM)),
			"CBC":               foreign(t, token, key, jwt, jwe.WithContentEncryption(jwa.A256CBC_HS512)),
			"no cty":            foreign(t, token, key, nil),
			"another cty":       foreign(t, token, key, map[string]any{"cty": "json"}),
			"another kid":       foreign(t, token, key, map[string]any{"cty": "JWT", "kid": "k"}),
			"crit":              foreign(t, token, key, map[string]any{"cty": "JWT", "crit": []string{"exp"}}),
			"apu":               foreign(t, token, key, map[string]any{"cty": "JWT", "apu": []byte("Alice")}),
			"JSON":              foreign(t, token, key, jwt, jwe.WithJSON()),
			"bare claims":       foreign(t, plainClaims, key, jwt),
			"encrypted twice":   foreign(t, encrypt(t, token, key), key, jwt),
			"not a good token":  foreign(t, token+"=", key, jwt),
			"a signed token":    token,
			"nothing":           "",
			"four dots":         "....",
			"a million dots":    strings.Repeat(".", 1e6),
			"17 KiB":            strings.Repeat("a", 17<<10),
			"six parts":         encrypt(t, token, key) + ".AAAA",
			"two of its halves": encrypt(t, token, key) + encrypt(t, token, key),
		} {
			undecrypted(t, string(key.Alg())+", "+name, encrypted, key)
		}
	}
}

// TestEncryptedFor reads whom an encrypted token is for, from its header alone.
func TestEncryptedFor(t *testing.T) {
	token := sign(t, fixed()[jose.RS256], "apt", plainClaims)
	for _, key := range decryptionKeys() {
		for _, environment := range []string{"", "5a1b"} {
			encrypted, err := jose.Encrypt(token, key.Public(), environment)
			if err != nil {
				t.Fatal(err)
			}
			if got := jose.EncryptedFor(encrypted); got != environment {
				t.Errorf("EncryptedFor(%q) = %q; want %q", encrypted, got, environment)
			}
			if got, err := jose.Decrypt(encrypted, key); got != token || err != nil {
				t.Errorf("Decrypt = %q, %v; want the token", got, err)
			}
		}
	}
	for _, text := range []string{"", "....", token, "e30....", "eyJlbnZpcm9ubWVudF9ndWlkIjoxfQ....", strings.Repeat("a", 17<<10)} {
		if got := jose.EncryptedFor(text); got != "" {
			t.Errorf("EncryptedFor(%.40q) = %q; want nothing", text, got)
		}
	}
}

// TestDecryptRefusesHeader refuses what another signer may have meant otherwise, above all an epk that is not on the
// curve, before it is multiplied.
func TestDecryptRefusesHeader(t *testing.T) {
	const epk = `"epk":{` + ecKey + `}`
	zeros := strings.Repeat("A", 43)
	for _, header := range []string{
		``, `{}`, `[]`, `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT"}`, `{"alg":"ECDH-ES","enc":"A256GCM",` + epk + `}`,
		`{"enc":"A256GCM","cty":"JWT",` + epk + `}`, `{"alg":"ECDH-ES","cty":"JWT",` + epk + `}`,
		`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","cty":"JWT",` + epk + `}`, `{"alg":"dir","enc":"A256GCM","cty":"JWT"}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","cty":"JWT","p2c":1000000000,"p2s":"AAAA"}`,
		`{"alg":"RSA1_5","enc":"A256GCM","cty":"JWT"}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","zip":"DEF",` + epk + `}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","jku":"https://evil.example",` + epk + `}`,
		`{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A256GCM","cty":"JWT",` + epk + `}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":"x"}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"jwt",` + epk + `}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","typ":1,` + epk + `}`,
		`{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","environment_guid":1,` + epk + `}`,
	} {
		undecryptedHeader(t, header)
	}
	for _, point := range []string{
		offKey, edKey, ecKey + `,"d":"AAAA"`, strings.Replace(ecKey, "P-256", "P-384", 1), strings.Replace(ecKey, "f83O", "83O", 1),
		`"kty":"EC","crv":"P-256","x":"` + zeros + `","y":"` + zeros + `"`, ``,
	} {
		undecryptedHeader(t, `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":{`+point+`}}`)
	}
}

// undecryptedHeader checks that the header alone is reason to refuse.
func undecryptedHeader(t *testing.T, header string) {
	t.Helper()
	text := compact(header, "", strings.Repeat("i", 12), "ciphertext", strings.Repeat("t", 16))
	if got, err := jose.Decrypt(text, decryptionKeys()[1]); !errors.Is(err, jose.ErrMalformed) || got != "" {
		t.Errorf("Decrypt with header %s = %q, %v; want %v", header, got, err, jose.ErrMalformed)
	}
}

// undecrypted checks that an encrypted token is refused and gives nothing.
func undecrypted(t *testing.T, name, encrypted string, key *jose.DecryptionKey) {
	t.Helper()
	got, err := jose.Decrypt(encrypted, key)
	if !errors.Is(err, jose.ErrMalformed) && !errors.Is(err, jose.ErrDecryption) || got != "" {
		t.Errorf("%s: Decrypt(%.300s) = %q, %v; want refused", name, encrypted, got, err)
	}
}

// TestEncryptionKeyRefuses holds what may be encrypted to, and with.
func TestEncryptionKeyRefuses(t *testing.T) {
	use := `,"use":"enc","alg":"ECDH-ES"`
	for _, text := range []string{
		``, `{}`, `[]`, `{` + edKey + use + `}`, `{` + offKey + use + `}`, `{` + ecKey + `}`, `{` + ecKey + `,"use":"enc"}`,
		`{` + ecKey + `,"use":"sig","alg":"ECDH-ES"}`, `{` + ecKey + `,"use":"enc","alg":"RSA-OAEP-256"}`,
		`{` + ecKey + use + `,"kid":"a b"}`,
		`{` + ecKey + use + `,"d":"AAAA"}`, `{` + ecKey + use + `}x`, strings.Repeat(" ", 17<<10) + `{` + ecKey + use + `}`,
	} {
		if key, err := jose.ParseEncryptionKey([]byte(text)); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("ParseEncryptionKey(%.200s) = %v, %v; want %v", text, key, err, jose.ErrKey)
		}
	}
	if key, err := jose.ParseEncryptionKey([]byte(`{` + ecKey + use + `,"kid":"2026"}`)); err != nil || key.ID() != "2026" {
		t.Errorf("ParseEncryptionKey with a kid = %v, %v", key, err)
	}
	if key, err := jose.GenerateDecryptionKey("RSA1_5", rand.Reader); !errors.Is(err, jose.ErrKey) || key != nil {
		t.Errorf("GenerateDecryptionKey(RSA1_5) = %v, %v; want %v", key, err, jose.ErrKey)
	}
	signing, err := fixed()[jose.ES256].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "ECDH-ES", "ECDH-ES x", "HS256 " + strings.Repeat("s", 32), string(signing)} {
		if key, err := jose.UnmarshalDecryptionKey([]byte(text)); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("UnmarshalDecryptionKey(%q) = %v, %v; want %v", text, key, err, jose.ErrKey)
		}
	}
	if _, err := jose.Encrypt("not a token", decryptionKeys()[0].Public(), ""); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("Encrypt of no token = %v; want %v", err, jose.ErrMalformed)
	}
}

// FuzzDecrypt: nothing comes out that nobody encrypted.
func FuzzDecrypt(f *testing.F) {
	header := `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","epk":{` + ecKey + `}}`
	f.Add(header, []byte(""), []byte("iviviviviviv"), []byte("text"), []byte("tagtagtagtagtagt"))
	off := strings.Replace(header, ecKey, offKey, 1)
	f.Add(off, []byte(""), []byte("iviviviviviv"), []byte("text"), []byte("tagtagtagtagtagt"))
	f.Add(`{"environment_guid":"5a1b"}`, []byte(""), []byte("iviviviviviv"), []byte("text"), []byte("tagtagtagtagtagt"))
	f.Add(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, []byte(""), []byte("iv"), []byte("text"), []byte("tag"))
	f.Fuzz(func(t *testing.T, header string, encryptedKey, iv, ciphertext, tag []byte) {
		text := compact(header, string(encryptedKey), string(iv), string(ciphertext), string(tag))
		for _, key := range decryptionKeys() {
			undecrypted(t, "made up", text, key)
		}
		var read map[string]any
		_ = json.Unmarshal([]byte(header), &read) // what is no JSON names nothing
		if got := jose.EncryptedFor(text); got != "" && read["environment_guid"] != got {
			t.Errorf("EncryptedFor = %q, of a header that does not say so: %s", got, header)
		}
	})
}
