package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/hosttest"
)

// TestStreamsOutliveAReloadWatched reloads with another guard, and with none, while a stream is open that began behind the former one: it goes on, and
// still ends when its session does.
func TestStreamsOutliveAReloadWatched(t *testing.T) {
	for name, body := range map[string]string{"another guard": "postern_auth {\n\t\tpass_token\n\t}\n\treverse_proxy APP", "no guard": "reverse_proxy APP"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.settle()
			beats := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "text/event-stream")
				for r.Context().Err() == nil {
					_, _ = io.WriteString(rw, "data: beat\n\n")
					_ = http.NewResponseController(rw).Flush()
					time.Sleep(10 * time.Millisecond)
				}
			}))
			t.Cleanup(beats.Close)
			api := "postern_api /v1/*\n\t"
			w.load(w.config("", api+"postern_auth\n\treverse_proxy "+beats.Listener.Addr().String()))
			token := w.createUser(p, "listener")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s/events", w.site), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			stream, err := new(http.Transport).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			w.load(w.config("", api+body))
			if _, err := io.ReadFull(stream.Body, make([]byte, 1<<10)); err != nil {
				t.Fatalf("the reload ended the stream: %v", err)
			}
			if got := w.do("DELETE", "/v1/users/me", token, ""); got.status >= 300 {
				t.Fatalf("DELETE /v1/users/me = %+v", got)
			}
			hosttest.MustEnd(t, stream.Body)
		})
	}
}
