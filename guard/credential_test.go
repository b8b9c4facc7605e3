package guard

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer ", "bearer a", "Bearer  a.b-c_d~e+f/g==", "Bearer =", "Bearer a b", "Bearer a,b", "Basic YTpi"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, ok := bearer(header)
		if again, _ := bearer("Bearer " + token); ok && again != token {
			t.Errorf("bearer(%q) = %q, which reads back as %q", header, token, again)
		}
		if !ok && token != "" {
			t.Errorf("bearer(%q) = %q, false; a refusal returns nothing", header, token)
		}
		if ok && (token == "" || strings.ContainsRune(token, ' ')) {
			t.Errorf("bearer(%q) = %q, which is no token", header, token)
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
