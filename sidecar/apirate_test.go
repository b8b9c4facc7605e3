package sidecar

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/assembly"
)

// TestAPIRate holds that api_rate bounds what a management key may ask.
func TestAPIRate(t *testing.T) {
	const enough = 100 // calls, among which some are too many however slow the machine is
	for rate, want := range map[int]bool{0: false, 1: true} {
		v := serve(t, http.NotFoundHandler(), func(o *Options) { o.APIRate = rate })
		key, err := os.ReadFile(assembly.FirstKeyLeft(v.o.Data))
		v.must(err)
		refused := false
		for range enough {
			resp, _ := v.ask(plain(t, nil), "GET", v.APIURL()+"/realms", strings.TrimSpace(string(key)), nil)
			if refused = refused || resp.StatusCode == http.StatusTooManyRequests; resp.StatusCode != http.StatusOK && !refused {
				t.Fatalf("GET /v1/realms = %d; want 200", resp.StatusCode)
			}
		}
		if refused != want {
			t.Errorf("with api_rate %d, one of %d calls was refused: %v; want %v", rate, enough, refused, want)
		}
	}
}
