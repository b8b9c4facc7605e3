package sidecar

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/hosttest"
)

// askedConn counts the deadlines that it is given for reads.
type askedConn struct {
	net.Conn
	asked atomic.Int64
}

func (c *askedConn) SetReadDeadline(t time.Time) error {
	c.asked.Add(1)
	return c.Conn.SetReadDeadline(t)
}

// pipes is a listener whose connections are pipes of net's, and what dials it. It accepts as the sidecar does, and counts what the pipes are asked for.
type pipes struct {
	theirs chan net.Conn
	conns  chan *askedConn // as they were made
}

func (p *pipes) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.theirs <- theirs
	return ours, nil
}

func (p *pipes) Accept() (net.Conn, error) {
	conn, open := <-p.theirs
	if !open {
		return nil, net.ErrClosed
	}
	under := &askedConn{Conn: conn}
	p.conns <- under
	return newPatientConn(under, time.Minute), nil
}

func (p *pipes) Close() error   { close(p.theirs); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestReadsAreFrugal has net/http serve a hundred requests on a connection: the system is asked for one deadline. No time passes, in which a machine
// that is busy would hold up a handler for watchAfter, or have net/http leave the connection for another.
func TestReadsAreFrugal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 100
		over := &pipes{make(chan net.Conn), make(chan *askedConn, requests)}
		server := &http.Server{ReadHeaderTimeout: time.Minute, IdleTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })}
		go func() { _ = server.Serve(over) }()
		defer server.Close()
		transport := &http.Transport{DialContext: over.DialContext}
		defer transport.CloseIdleConnections()
		for range requests {
			resp, err := (&http.Client{Transport: transport}).Get("http://app/")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "hello" {
				t.Fatalf("GET = %q, %v; want hello", text, err)
			}
			resp.Body.Close()
		}
		if n := len(over.conns); n != 1 {
			t.Errorf("there were %d connections; want all requests on one", n)
		}
		if asked := (<-over.conns).asked.Load(); asked != 1 {
			t.Errorf("100 requests set %d deadlines; want 1", asked)
		}
	})
}

// TestWatchedClient has a client leave while the app works: the request learns of it.
func TestWatchedClient(t *testing.T) {
	begun, gone := make(chan bool, 1), make(chan bool, 1)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		begun <- true
		<-r.Context().Done()
		gone <- true
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	conn := v.dial()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\n\r\nGET /slow HTTP/1.1\r\nHost: app\r\n\r\n")
	v.must(err)
	hosttest.Within(t, "the app works", begun)
	v.must(conn.Close())
	hosttest.Within(t, "the app learns that the client is gone", gone)
}

// TestWatchWaits has the read of one byte that net/http begins while a handler works begin a little later, unless it is called off.
func TestWatchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		under := &askedConn{Conn: ours}
		conn := newPatientConn(under, time.Minute)
		read := func(after time.Duration, do func()) (int, time.Duration, error) {
			if err := conn.SetReadDeadline(time.Time{}); err != nil { // as net/http does before
				t.Fatal(err)
			}
			begun := time.Now()
			done := time.AfterFunc(after, do)
			defer done.Stop()
			n, err := conn.Read(make([]byte, 1))
			return n, time.Since(begun), err
		}
		callOff := func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }
		for _, after := range []time.Duration{watchAfter / 2, watchAfter * 2, watchAfter / 2} {
			if n, took, err := read(after, callOff); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
				t.Errorf("a read called off after %v = %d, %v after %v; want os.ErrDeadlineExceeded then", after, n, err, took)
			}
		}
		if asked := under.asked.Load(); asked != 1 {
			t.Errorf("%d deadlines were set; want 1, for the read that had begun", asked)
		}
		write := func() { _, _ = theirs.Write([]byte("x")) }
		if n, took, err := read(watchAfter/2, write); n != 1 || err != nil || took != watchAfter {
			t.Errorf("a read of what comes early = %d, %v after %v; want 1, nil after %v", n, err, took, watchAfter)
		}
		if n, took, err := read(time.Minute, func() { _ = theirs.Close() }); n != 0 || err != io.EOF || took != time.Minute {
			t.Errorf("a read of somebody who leaves = %d, %v after %v; want 0, EOF after a minute", n, err, took)
		}
	})
}

// TestSingleBytesDoNotWait reads what came a byte at a time, as a server of HTTP/2 without TLS does where frames have one, without a wait for each.
func TestSingleBytesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		conn := newPatientConn(ours, time.Minute)
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = theirs.Write([]byte("header:xyz")) }()
		begun := time.Now()
		for _, want := range []string{"header:", "x", "y", "z"} {
			p := make([]byte, len(want))
			if _, err := io.ReadFull(conn, p); err != nil || string(p) != want {
				t.Fatalf("a read = %q, %v; want %q", p, err, want)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("what had come was read in %v; want at once", took)
		}
	})
}

// TestWatchGoesOnToWait has the deadline taken away twice, as happens after a request's body: the read that waits goes on to.
func TestWatchGoesOnToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		conn := newPatientConn(ours, time.Minute)
		takeAway := func() { _ = conn.SetReadDeadline(time.Time{}) }
		takeAway()
		again := time.AfterFunc(watchAfter/2, takeAway)
		defer again.Stop()
		go func() { _, _ = theirs.Write([]byte("x")) }()
		begun := time.Now()
		n, err := conn.Read(make([]byte, 1))
		if took := time.Since(begun); n != 1 || err != nil || took != watchAfter {
			t.Errorf("a read = %d, %v after %v; want 1, nil after %v", n, err, took, watchAfter)
		}
	})
}

// readStep is a deadline that is set, or a read and what happens during it.
type readStep struct {
	what  int           // 0: a read, 1: a deadline, 2: that there is none
	in    time.Duration // until the deadline, or until the other side writes
	write bool          // the other side writes
	later time.Duration // when during the read another deadline is set; 0 = never
	then  time.Duration // until that deadline
}

// readResult is what a read came to.
type readResult struct {
	text string
	err  error
	at   time.Duration
}

// readBySteps reads what comes over a pipe. What one side does in each step is apart from all else by nanoseconds that no others add up to:
// of two things at one moment either could be first.
func readBySteps(t *testing.T, steps []readStep, wrap func(net.Conn) net.Conn) (results []readResult) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		conn, begun := wrap(ours), time.Now()
		defer conn.Close()
		leaves := time.AfterFunc(time.Hour, func() { _ = theirs.Close() }) // so that each read ends
		defer leaves.Stop()
		for i, s := range steps {
			switch apart := time.Duration(1) << (2 * i); s.what {
			case 0:
				if s.later > 0 {
					other := time.AfterFunc(s.later+apart, func() { _ = conn.SetReadDeadline(time.Now().Add(s.then)) })
					defer other.Stop()
				}
				written := make(chan bool, 1)
				write := time.AfterFunc(s.in+2*apart, func() {
					if _ = theirs.SetWriteDeadline(time.Now().Add(time.Nanosecond)); s.write {
						_, _ = theirs.Write([]byte("ab"))
					}
					written <- true
				})
				p := make([]byte, 8)
				n, err := conn.Read(p)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					err = os.ErrDeadlineExceeded
				}
				results = append(results, readResult{string(p[:n]), err, time.Since(begun)})
				if err == io.EOF {
					return
				}
				if !write.Stop() {
					<-written // a pipe bears one writer at a time
				}
			case 1:
				_ = conn.SetReadDeadline(time.Now().Add(s.in))
			case 2:
				_ = conn.SetReadDeadline(time.Time{})
			}
		}
	})
	return results
}

// TestReadsKeepDeadlines holds what is read by whatever deadlines against a connection that is asked for each of them: bytes, errors and moments.
func TestReadsKeepDeadlines(t *testing.T) {
	after := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second
	})
	step := rapid.Custom(func(t *rapid.T) readStep {
		return readStep{rapid.IntRange(0, 2).Draw(t, "what"), after.Draw(t, "in"), rapid.Bool().Draw(t, "write"), after.Draw(t, "later"), after.Draw(t, "then") - 3*time.Second}
	})
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(step, 1, 12).Draw(rt, "steps")
		want := readBySteps(t, steps, func(c net.Conn) net.Conn { return c })
		got := readBySteps(t, steps, func(c net.Conn) net.Conn { return newPatientConn(c, 2*time.Hour) })
		for i := range want {
			if got[i] != want[i] {
				rt.Fatalf("read %d = %+v; want %+v", i, got[i], want[i])
			}
		}
	})
}
