package guard

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer ", "bearer a", "Bearer  a.b-c_d~e+f/g==", "Bearer =", "Bearer a b", "Bearer a,b", "Basic YTpi", "Basic OmtleQ==", "ApiKey k"} {
		f.Add(seed)
	}
	c := &compiled{sources: sourceSet{bearer: true, key: true}}
	schemes := map[Source]string{SourceBearer: "Bearer ", SourceAPIKey: "ApiKey "}
	f.Fuzz(func(t *testing.T, header string) {
		found, why := c.authorization([]string{header})
		if why != nil && found != (shown{}) {
			t.Errorf("%q: %+v; a refusal returns nothing", header, found)
		}
		if found.source == "" {
			return
		}
		if found.text == "" || !hasScheme(header, "Basic") && strings.ContainsRune(found.text, ' ') {
			t.Errorf("%q shows %q, which is no credential", header, found.text)
		}
		if strings.ContainsRune(found.text, ' ') || found.text[0] == '\t' {
			return // a password may hold anything
		}
		if again, _ := c.authorization([]string{schemes[found.source] + found.text}); again != found {
			t.Errorf("%q shows %+v, which reads back as %+v", header, found, again)
		}
		h := http.Header{"Authorization": {header}}
		if c.remove(h, false); len(h) != 0 {
			t.Errorf("%q shows a credential and is passed on", header)
		}
	})
}

// TestNoNameThatFoldsToOursComesThrough makes names of ours up that differ in case and in what stands between the
// words.
func TestNoNameThatFoldsToOursComesThrough(t *testing.T) {
	hs, err := newIdentityHeaders(map[string]string{"Remote-User": "username", "X-Postern-User-Id": "id"})
	if err != nil {
		t.Fatal(err)
	}
	names := &Names{}
	names.add(hs)
	rapid.Check(t, func(t *rapid.T) {
		ours := rapid.SampledFrom([]string{"Remote-User", "X-Postern-User-Id", "X-Postern-Assertion", "X-Postern-"}).Draw(t, "ours")
		name := []byte(ours)
		for i, c := range name {
			switch {
			case c == '-':
				name[i] = rapid.SampledFrom([]byte("-_.!#$%&'*+^`|~")).Draw(t, "between")
			case rapid.Bool().Draw(t, "other case"):
				name[i] = c ^ 0x20
			}
		}
		if ours == "X-Postern-" {
			name = append(name, rapid.StringMatching(`[A-Za-z0-9._~-]{0,20}`).Draw(t, "rest")...)
		}
		for _, key := range []string{string(name), http.CanonicalHeaderKey(string(name))} {
			h := http.Header{key: {"evil"}, "Accept": {"kept"}, "X-Posternity": {"kept"}, "Remote-User2": {"kept"}}
			if !names.named([]string{"close, " + key}) {
				t.Errorf("Connection: close, %s passes", key)
			}
			if names.strip(h); len(h) != 3 {
				t.Errorf("of a request with %q, %v comes through", key, h)
			}
		}
	})
}

// TestHundredThousandForgedNames makes as many names up that fold to ours, and sends them all.
func TestHundredThousandForgedNames(t *testing.T) {
	names := &Names{}
	hs, err := newIdentityHeaders(map[string]string{"Remote-User": "username", "X-Plan": "custom.plan"})
	if err != nil {
		t.Fatal(err)
	}
	names.add(hs)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	ours := []string{"Remote-User", "X-Plan", "X-Postern-User-Id", "X-Postern-Assertion", "X-Postern-Permissions", "X-Postern-"}
	const between = "-_.!#$%&'*+^`|~ \t\x00\xff"
	for range 1000 {
		h := http.Header{"Accept": {"kept"}, "X-Posternity": {"kept"}, "X-Planet": {"kept"}}
		for range 100 {
			name := []byte(ours[random.IntN(len(ours))])
			for i, c := range name {
				if c == '-' {
					name[i] = between[random.IntN(len(between))]
				} else if random.IntN(2) == 0 {
					name[i] = c ^ 0x20
				}
			}
			h[string(name)] = []string{"evil"}
		}
		if names.strip(h); len(h) != 3 {
			t.Fatalf("seed %d: %v comes through", seed, h)
		}
	}
}
