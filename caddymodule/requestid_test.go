package caddymodule

import (
	"strings"
	"testing"
)

// TestRequestIDs tells whoever is refused the id that the access log has, whoever answers: the guard, the site's error route, the API or the
// pages. An id that was sent is taken over of a trusted proxy alone. The log has why the
// guard refused it, too.
func TestRequestIDs(t *testing.T) {
	for _, tt := range []struct {
		trusted string
		taken   bool
	}{{"192.0.2.1", false}, {"127.0.0.1", true}} {
		t.Run(tt.trusted, func(t *testing.T) {
			w := newWorld(t)
			w.settle()
			w.load(w.config("servers {\n\t\ttrusted_proxies static "+tt.trusted+"\n\t}", `log
	postern_api
	postern_pages
	postern_auth
	reverse_proxy APP
	handle_errors 401 {
		@said path /said
		handle @said {
			respond "said {http.auth.postern.request_id}"
		}
	}`))
			for _, path := range []string{"/a", "/said", "/v1/users", "/auth/nothing"} {
				sent := "7f3a" + strings.ReplaceAll(path, "/", "-")
				got := w.get(path, "", "X-Request-Id", sent, "Accept", "text/html")
				id := got.header.Get("X-Request-Id")
				if got.status < 400 || id == "" || (id == sent) != tt.taken {
					t.Errorf("%s: %d with the id %q; want the one that was sent: %t", path, got.status, id, tt.taken)
				}
				if path != "/v1/users" && strings.Count(got.body, id) != 1 {
					t.Errorf("%s: the page does not tell the id %s: %s", path, id, got.body)
				}
				guarded := path == "/a" || path == "/said"
				w.eventually("the access log has the id of "+path+", and why the guard refused it", func() bool {
					for _, line := range w.logged(`"request_id":"` + id + `"`) {
						if strings.Contains(line, "http.log.access") {
							return guarded == strings.Contains(line, `"reason":"no_credential"`)
						}
					}
					return false
				})
			}
		})
	}
}
