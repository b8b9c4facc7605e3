package caddymodule

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/assembly"
)

// TestAPIRate holds that api_rate bounds what a management key may ask.
func TestAPIRate(t *testing.T) {
	w := newWorld(t)
	w.load(w.config("postern {\n\t\tapi_rate 1\n\t}", guarded))
	w.eventually("the store is set up", func() bool { return len(w.logged("the first management key lies")) > 0 })
	key, err := os.ReadFile(assembly.FirstKeyLeft(w.folder))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // among which some are too many however slow the machine is
		got := w.get("/v1/realms", strings.TrimSpace(string(key)))
		if got.status == http.StatusTooManyRequests {
			return
		}
		if got.status != http.StatusOK {
			t.Fatalf("GET /v1/realms = %+v; want 200", got)
		}
	}
	t.Error("100 calls at api_rate 1 were all served")
}
