package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestPlaceholderOfBody has a matcher behind guards look at the body, which Caddy reads for it: the app gets all of it still, and so does an error route.
func TestPlaceholderOfBody(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: the app read %v", r.URL.Path, err)
		}
		_, _ = io.WriteString(rw, r.Header.Get("X-Told")+" of "+string(body))
	}))
	t.Cleanup(app.Close)
	w.app = app.Listener.Addr().String()
	w.load(w.config("", `postern_auth
	postern_auth /twice/*
	@urgent vars_regexp {http.request.body} urgent$
	handle @urgent {
		reverse_proxy /away `+proctest.Free(t)+`
		reverse_proxy APP {
			header_up X-Told urgent
		}
	}
	reverse_proxy APP
	handle_errors {
		reverse_proxy APP {
			header_up X-Told failed
		}
	}`))
	long := strings.Repeat("long ", 1<<16)
	for _, path := range []string{"/once", "/twice/x"} {
		for body, want := range map[string]string{"": " of ", "idle": " of idle", "urgent": "urgent of urgent", long: " of " + long, long + "urgent": "urgent of " + long + "urgent"} {
			if got := w.do("POST", path, p.tokens.Valid, body); got.body != want {
				t.Errorf("%s with %.20q, %d bytes = %d, %.40q, %d bytes; want %.40q", path, body, len(body), got.status, got.body, len(got.body), want)
			}
		}
	}
	if got := w.do("POST", "/away", p.tokens.Valid, "urgent"); got.body != "failed of urgent" {
		t.Errorf("the error route = %d, %q", got.status, got.body)
	}
}
