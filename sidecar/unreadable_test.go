package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestUnreadableAnswer has an app answer what cannot be read. The log says why that is 502, and has nothing of what may be somebody's.
func TestUnreadableAnswer(t *testing.T) {
	answers := map[string]struct{ sends, says string }{
		"/header": {"HTTP/1.1 200 OK\r\nSet-Cookie: id=hush\x00\r\nContent-Length: 0\r\n\r\n", "malformed MIME header"},
		"/fold":   {"HTTP/1.1 200 OK\r\n hush: 1\r\nContent-Length: 0\r\n\r\n", "malformed MIME header"},
		"/line":   {"hush\r\n\r\n", "malformed HTTP response"},
		"/status": {"HTTP/1.1 hush\r\n\r\n", "malformed HTTP status code"},
	}
	v := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, answers[r.URL.Path].sends)
	}), func(o *Options) { o.Guard.Public = []string{"/*"} })
	for path, answer := range answers {
		v.logged.TakeAll()
		resp, err := http.Post(v.GuardURL()+path, "", nil) // which is not sent again
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		all := v.logged.FilterMessage("upstream failed").All()
		if resp.StatusCode != http.StatusBadGateway || len(all) != 1 {
			t.Fatalf("an answer like %q = %d, with %v in the log; want 502 and why", answer.sends, resp.StatusCode, all)
		}
		if said, _ := all[0].ContextMap()["error"].(string); !strings.Contains(said, answer.says) || strings.Contains(said, "hush") {
			t.Errorf("of an answer like %q the log says %q; want %q, and nothing of the answer", answer.sends, said, answer.says)
		}
	}
}
