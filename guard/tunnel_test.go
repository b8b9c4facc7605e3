package guard_test

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestOnlyWebSocketsConnect asks by CONNECT, as net/http and quic-go show it, for a tunnel and for what begins so over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220).
func TestOnlyWebSocketsConnect(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	for _, tt := range []struct {
		method, proto string
		major         int
		protocol      []string // as HTTP/2 has it
		want          int
	}{
		{"CONNECT", "HTTP/1.1", 1, nil, 405},
		{"connect", "HTTP/1.1", 1, nil, 405},
		{"CONNECT", "HTTP/1.1", 1, []string{"websocket"}, 405},
		{"CONNECT", "HTTP/2.0", 2, nil, 405},
		{"CONNECT", "HTTP/2.0", 2, []string{"websocket"}, 200},
		{"CONNECT", "HTTP/2.0", 2, []string{"WebSocket"}, 405}, // which no proxy translates
		{"CONNECT", "HTTP/2.0", 2, []string{"connect-udp"}, 405},
		{"CONNECT", "HTTP/2.0", 2, []string{"websocket", "connect-tcp"}, 405},
		{"CONNECT", "HTTP/3.0", 3, []string{"websocket"}, 405},
		{"CONNECT", "websocket", 3, nil, 200},
		{"CONNECT", "webtransport", 3, nil, 405},
	} {
		r := request(tt.method, "/", "Authorization", "Bearer good", "Upgrade", "websocket")
		r.Proto, r.ProtoMajor = tt.proto, tt.major
		if tt.protocol != nil {
			r.Header[":protocol"] = tt.protocol
		}
		v := g.Judge(r)
		got := http.StatusOK
		if v.Decision != guard.Allow {
			got = v.Refusal.Status
		}
		if got != tt.want || got != 200 && !g.MustAnswer(r, v) {
			t.Errorf("%s by %s with :protocol %q = %d, by the guard itself: %t; want %d", tt.method, tt.proto, tt.protocol, got, g.MustAnswer(r, v), tt.want)
		}
	}
}
