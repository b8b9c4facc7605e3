package guard_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestChallengesSayWhatToShow holds that whoever shows nothing hears of what is taken, and of nothing else.
func TestChallengesSayWhatToShow(t *testing.T) {
	const bearer, cookie, key = guard.SourceBearer, guard.SourceCookie, guard.SourceAPIKey
	says := map[guard.Source]string{bearer: "Authorization: Bearer", cookie: "cookie __Host-postern", key: "X-Api-Key"}
	for _, from := range [][]guard.Source{{bearer}, {cookie}, {key}, {bearer, key}, {cookie, key}} {
		g := newWorld().guard(t, guard.Options{Settings: guard.Settings{From: from}, Keys: keys{}})
		resp, _ := serve(g, request("GET", "/"))
		read, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		body := string(read)
		for source, text := range says {
			if got := strings.Contains(body, text); got != slices.Contains(from, source) {
				t.Errorf("from %v: %q says %q = %t", from, body, text, got)
			}
		}
	}
}

// TestChallenges ask for what the guard takes. Programs that wait to be asked for a password are, and browsers, which would ask people, are not.
func TestChallenges(t *testing.T) {
	const bearer, basic, git, firefox = `Bearer realm="postern"`, `, Basic realm="postern", charset="UTF-8"`, "git/2.39.5", "Mozilla/5.0 (X11; rv:140.0) Firefox/140.0"
	all := []guard.Source{guard.SourceBearer, guard.SourceCookie, guard.SourceAPIKey}
	key := []guard.Source{guard.SourceAPIKey}
	for _, tt := range []struct {
		from    []guard.Source
		headers []string
		want    string
	}{
		{nil, []string{"User-Agent", git}, bearer},
		{all, []string{"User-Agent", git}, bearer + basic},
		{all, []string{"User-Agent", git, "Authorization", "Basic OmFrX25vYm9keQ=="}, bearer + `, error="invalid_token"` + basic},
		{all, []string{"User-Agent", firefox}, bearer},
		{all, []string{"User-Agent", "node", "Sec-Fetch-Mode", "cors"}, bearer},
		{all, []string{"User-Agent", "node", "Origin", "https://app.example.com"}, bearer},
		{all, nil, bearer},
		{key, []string{"User-Agent", git}, `ApiKey realm="postern"` + basic},
		{key, []string{"User-Agent", firefox}, `ApiKey realm="postern"`},
		{key, []string{"User-Agent", git, "X-Api-Key", "ak_nobody"}, `ApiKey realm="postern"` + basic},
	} {
		w := newWorld()
		g := w.guard(t, guard.Options{Settings: guard.Settings{From: tt.from}, Keys: keys{}})
		resp, _ := serve(g, request("GET", "/", tt.headers...))
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || got != tt.want {
			t.Errorf("from %v, with %q = %d %q, want 401 and %q", tt.from, tt.headers, resp.StatusCode, got, tt.want)
		}
	}
}
