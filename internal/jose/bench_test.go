package jose_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/postern-auth/postern/internal/jose"
)

// sessionClaims are those of a session token, at their usual length.
const sessionClaims = `{"iss":"https://auth.example.com/v1/realms/rlm_2TqAw8Yc4Zn0bV6sXe1uKd",` +
	`"sub":"usr_2TqAw8Yc4Zn0bV6sXe1uKd","aud":"rlm_2TqAw8Yc4Zn0bV6sXe1uKd","iat":1795000000,"exp":1795021600,` +
	`"jti":"2TqAw8Yc4Zn0bV6sXe1uKd","sid":"kss_2TqAw8Yc4Zn0bV6sXe1uKd","gen":3,"uid":"usr_2TqAw8Yc4Zn0bV6sXe1uKd",` +
	`"un":"ada","fn":"Ada Lovelace"}`

// read parses, verifies and reads what core reads of a session token.
func read(token string, key *jose.PublicKey) bool {
	parsed, err := jose.Parse(token)
	if err != nil {
		return false
	}
	claims, err := parsed.Verify(key)
	if err != nil {
		return false
	}
	all := true
	for _, name := range [...]string{"sub", "sid", "jti", "iss", "aud"} {
		_, ok := claims.String(name)
		all = all && ok
	}
	for _, name := range [...]string{"exp", "iat", "gen"} {
		_, ok := claims.Int(name)
		all = all && ok
	}
	return all
}

// TestVerifyAllocates holds the check of a token seen for the first time to its allocations.
func TestVerifyAllocates(t *testing.T) {
	key := generate(t, jose.EdDSA)
	token := sign(t, key, "session", sessionClaims)
	got := testing.AllocsPerRun(100, func() {
		if !read(token, key.Public()) {
			t.Fatal("the token was refused")
		}
	})
	if got > 25 {
		t.Errorf("a new token allocates %v times; want at most 25", got)
	}
}

// TestRefusalIsCheap holds refusals to their memory, whatever is sent.
func TestRefusalIsCheap(t *testing.T) {
	token := sign(t, generate(t, jose.EdDSA), "session", sessionClaims)
	for name, text := range map[string]string{
		"2 MiB":          strings.Repeat("a", 2<<20),
		"a million dots": strings.Repeat(".", 1e6),
		"8 KiB of dots":  strings.Repeat(".", jose.MaxTokenLength),
		"2 MiB signed":   token + strings.Repeat("A", 2<<20),
		"deep":           crafted(`{"alg":"EdDSA"}`, `{"a":`+strings.Repeat("[", 5000), "sig"),
		"repeats late":   crafted(`{"alg":"EdDSA"}`, `{`+strings.Repeat(`"a":{"b":[1,2,{"c":{}}]},`, 200)+`"z":1}`, "sig"),
	} {
		const runs = 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := jose.Parse(text); !errors.Is(err, jose.ErrMalformed) {
				t.Errorf("Parse(%s) = %v; want %v", name, err, jose.ErrMalformed)
			}
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > 64<<10 {
			t.Errorf("Parse(%s) allocates %d bytes; want at most 64 KiB", name, got)
		}
	}
}

// BenchmarkVerify is a new token, to be compared with BenchmarkEd25519Verify: at most 1.2 times.
func BenchmarkVerify(b *testing.B) {
	key := generate(b, jose.EdDSA)
	token := sign(b, key, "session", sessionClaims)
	b.ReportAllocs()
	for b.Loop() {
		if !read(token, key.Public()) {
			b.Fatal("the token was refused")
		}
	}
}

// BenchmarkEd25519Verify is the signature check of the same token alone.
func BenchmarkEd25519Verify(b *testing.B) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	token := sign(b, generate(b, jose.EdDSA), "session", sessionClaims)
	signed := []byte(token[:strings.LastIndexByte(token, '.')])
	signature := ed25519.Sign(private, signed)
	b.ReportAllocs()
	for b.Loop() {
		if !ed25519.Verify(public, signed, signature) {
			b.Fatal("the signature was refused")
		}
	}
}

// BenchmarkParse is the gate alone.
func BenchmarkParse(b *testing.B) {
	token := sign(b, generate(b, jose.EdDSA), "session", sessionClaims)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Parse(token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseWorst are the costliest texts that the gate reads to their end.
func BenchmarkParseWorst(b *testing.B) {
	var many strings.Builder
	for i := range 720 {
		many.WriteString(`"` + base64.RawURLEncoding.EncodeToString([]byte{byte(i), byte(i >> 8)}) + `":1,`)
	}
	for name, claims := range map[string]string{
		"members": `{` + many.String() + `"":1}`,
		"objects": `{"a":[` + strings.Repeat(`{"a":1},`, 700) + `1]}`,
		"numbers": `{"a":[` + strings.Repeat(`1,`, 2900) + `1]}`,
		"escapes": `{` + strings.Repeat(`"\ud83d\ude00":1,`, 300) + `"":1}`,
	} {
		text := crafted(`{"alg":"EdDSA"}`, claims, "sig")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = jose.Parse(text)
			}
		})
	}
}

// BenchmarkRefuse is what a flood of oversized tokens costs.
func BenchmarkRefuse(b *testing.B) {
	text := strings.Repeat("a.", 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Parse(text); err == nil {
			b.Fatal("accepted")
		}
	}
}

// BenchmarkSign is what doc.go says of signing.
func BenchmarkSign(b *testing.B) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	key := generate(b, jose.EdDSA)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ed25519.Sign(private, []byte(sessionClaims))
		}
	})
	b.Run("jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sign(b, key, "session", sessionClaims)
		}
	})
	b.Run("jwx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			headers := jws.NewHeaders()
			_ = headers.Set(jws.KeyIDKey, key.ID())
			_ = headers.Set(jws.TypeKey, "session")
			with := jws.WithKey(jwa.EdDSA, private, jws.WithProtectedHeaders(headers))
			if _, err := jws.Sign([]byte(sessionClaims), with); err != nil {
				b.Fatal(err)
			}
		}
	})
}
