package guard_test

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/guard"
)

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
