package caddymodule

import (
	"bytes"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestPlainHTTPIsWarnedOf loads sites that other machines reach without TLS, or that nothing is wrong with.
func TestPlainHTTPIsWarnedOf(t *testing.T) {
	const text = "plain HTTP beyond this machine"
	for _, c := range []struct {
		name, global, site, body string
		want                     int
	}{
		{"a guard at every address", "", "http://:PORT", "postern_auth", 1},
		{"pages for a name", "", "http://app.example.com:PORT", "postern_pages /auth", 1},
		{"the API", "", "http://:PORT", "handle /v1/* {\npostern_api /v1/*\n}", 1},
		{"a provider in a route", "", "http://:PORT", "route {\nbasic_auth {\nbob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.\n}\n}", 1},
		{"a named route", "", "http://:PORT", "invoke guarded", 1},
		{"the port of plain HTTP beside TLS", "http_port PORT", "http://app.example.com", "postern_auth", 1},
		{"TLS", "", "https://app.example.com:PORT", "tls internal\npostern_auth", 0},
		{"a name of this machine", "", "http://localhost:PORT, http://app.localhost:PORT, http://[::1]:PORT", "postern_auth", 0},
		{"this machine's address", "", "http://:PORT", "bind 127.0.0.1\npostern_auth", 0},
		{"a socket", "", "http://app.example.com", "bind unix/SOCKET\npostern_auth", 0},
		{"nothing of ours", "", "http://:PORT", "respond ok", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			global := "auto_https disable_redirects\nskip_install_trust\n" + c.global
			site := strings.Replace(w.config(global, c.body), "http://"+w.site, "&(guarded) {\npostern_auth\n}\n"+c.site, 1)
			config := w.adapt(strings.NewReplacer("PORT", port(proctest.Free(t)), "SOCKET", t.TempDir()+"/caddy.sock").Replace(site))
			w.loadJSON(bytes.Replace(config, []byte(`"providers":{`), []byte(`"providers":{"postern":{},`), 1))
			if got := w.logged(text); len(got) != c.want {
				t.Errorf("%d warnings, want %d: %s", len(got), c.want, got)
			}
		})
	}
}

// port returns the port of an address.
func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }
