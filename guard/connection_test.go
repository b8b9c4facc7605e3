package guard_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestEndedConnectionServesNothing ends a session when all of an answer is out and its handler has not returned: the connection must not wait
// for another request, whose context would have ended before it began.
func TestEndedConnectionServesNothing(t *testing.T) {
	for _, start := range []func(*httptest.Server){(*httptest.Server).Start, (*httptest.Server).StartTLS} {
		w := newWorld()
		w.knows("good", ann)
		server := httptest.NewUnstartedServer(w.guard(t, guard.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "whole")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})))
		endedByGuard(server.Config)
		start(server)
		t.Cleanup(server.Close) // after the connection
		conn := dial(t, server)
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer good\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(conn)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "whole" || err != nil {
			t.Fatalf("the answer = %q, %v; want whole", body, err)
		}
		w.fails("good", core.ErrInvalidToken)
		w.listener.Forget([]string{"kss_ann1"})
		if rest, err := io.ReadAll(answers); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over %T came %q, %v; want it closed", conn, rest, err)
		}
	}
}

// dial connects to a server, in TLS where it speaks that, for at most 30 seconds.
func dial(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if server.TLS != nil {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return conn
}

// TestConnContext holds that a context which may end already is left as it is: it would keep each connection until it does.
func TestConnContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if got := guard.ConnContext(ctx, nil); got != ctx {
		t.Errorf("ConnContext of one that may end = %v; want it as it was", got)
	}
}
