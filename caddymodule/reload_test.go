package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// visitors keep asking for pages of a site, each on a connection of its own that it keeps open as browsers and proxies do.
type visitors struct {
	w     *world
	pause time.Duration  // between two requests of a visitor, as far as answers come in time
	asked []atomic.Int64 // by each
	again atomic.Int64   // requests that got no answer, and were repeated
	done  chan struct{}
	all   sync.WaitGroup
	stop  func() // sends them home, and waits until they are

	mu     sync.Mutex
	failed []string
}

// visit starts visitors, who show a token, on several paths. Whoever is not answered 200 has failed. One that gets no answer at all asks
// again, as browsers and proxies do: in the moment of a reload Caddy may close a connection on a request (docs/caddy.md, "Reloads").
func (w *world) visit(token string, paths ...string) *visitors {
	return w.visitAt(w.site, 0, token, paths...)
}

// visitAt is visit to a site at an address, with pauses.
func (w *world) visitAt(site string, pause time.Duration, token string, paths ...string) *visitors {
	v := &visitors{w: w, pause: pause, asked: make([]atomic.Int64, len(paths)), done: make(chan struct{})}
	v.stop = sync.OnceFunc(func() {
		close(v.done)
		v.all.Wait()
	})
	w.Cleanup(v.stop) // where the test ends early
	for i, path := range paths {
		v.all.Go(func() { v.keepAsking(i, "http://"+site+path, token) })
	}
	return v
}

// keepAsking is one visitor.
func (v *visitors) keepAsking(i int, url, token string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	for next := time.Now(); ; next = next.Add(v.pause) {
		select {
		case <-v.done:
			return
		case <-time.After(time.Until(next)):
		}
		err := ask(transport, url, token)
		for range 2 {
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
				v.again.Add(1)
				err = ask(transport, url, token)
			}
		}
		if err != nil {
			v.mu.Lock()
			v.failed = append(v.failed, fmt.Sprintf("%s: %v", url, err))
			v.mu.Unlock()
		}
		v.asked[i].Add(1)
	}
}

// ask gets a page.
func ask(transport *http.Transport, url, token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", res.StatusCode, body)
	}
	return err
}

// served waits until each visitor has got some more pages, and so is on a connection to the configuration at work.
func (v *visitors) served() {
	v.w.Helper()
	for i := range v.asked {
		want := v.asked[i].Load() + 5
		v.w.eventually("every visitor goes on", func() bool { return v.asked[i].Load() >= want })
	}
}

// leave sends the visitors home. None may have failed.
func (v *visitors) leave() {
	v.w.Helper()
	v.stop()
	if n := len(v.failed); n > 0 {
		v.w.Errorf("%d requests failed; the first: %s", n, strings.Join(v.failed[:min(n, 5)], "\n"))
	}
}

// requests returns how many requests the visitors made.
func (v *visitors) requests() (n int64) {
	for i := range v.asked {
		n += v.asked[i].Load()
	}
	return n
}

// held is what a process holds.
type held struct {
	goroutines, ours, files int
	heap                    uint64 // bytes in use
}

// holds counts it, once idle connections to the app behind Caddy are gone and the garbage was collected.
func (w *world) holds() held {
	w.Helper()
	w.behind.CloseClientConnections()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		w.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), ourGoroutines(), len(files), m.HeapAlloc}
}

// settles counts what the process holds once it has stopped to change.
func (w *world) settles() held {
	w.Helper()
	before, same := held{}, 0
	w.eventually("the process settles", func() bool {
		now := w.holds()
		if same++; now.goroutines != before.goroutines || now.files != before.files {
			same = 0
		}
		before = now
		return same > 20
	})
	return before
}

// reloads is how often TestReloadsFailNobody reloads; the gates say 100.
func reloads(t *testing.T) int {
	t.Helper()
	text := os.Getenv("POSTERN_TEST_RELOADS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("POSTERN_TEST_RELOADS: %v", err)
	}
	return n
}

// TestReloadsFailNobody reloads by turns with other settings, while guard and API are asked 500 times a second and a site without
// Postern, of the same Caddy, as often. No request fails; what Caddy does not answer in the moment of a reload, and visitors ask
// again, is counted for both. Afterwards the process holds what it held before.
func TestReloadsFailNobody(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	plain := proctest.Free(t)
	config := func(global, body string) string {
		return w.config(global, body) + "http://" + plain + " {\n\treverse_proxy " + w.app + "\n}\n"
	}
	configs := []string{
		config("", guarded),
		config("", guarded+"\n\theader X-Version 2"),            // the same engine and guard
		config("postern {\n\t\tmax_staleness 6s\n\t}", guarded), // another engine over the same store
		config("", strings.Replace(guarded, "postern_auth", "postern_auth {\n\t\tpass_token\n\t}", 1)), // another guard
	}
	round := func() {
		for i := range configs {
			w.load(configs[(i+1)%len(configs)])
			w.get("/", p.tokens.Valid).seen(t)
		}
	}
	w.load(configs[0])
	round() // what Caddy itself makes once is there
	before := w.settles()

	const each = 20 * time.Millisecond // ten visitors: 500 requests/s
	ours := w.visitAt(w.site, each, p.tokens.Valid, "/", "/", "/", "/", "/page", "/page", "/page", "/page", "/v1/users/me", "/v1/users/me")
	others := w.visitAt(plain, each, "", "/", "/", "/", "/", "/", "/", "/", "/", "/", "/")
	began, n := time.Now(), reloads(t)
	for i := range n {
		ours.served()
		w.load(configs[(i+1)%len(configs)])
	}
	ours.served()
	took := time.Since(began)
	ours.leave()
	others.leave()
	t.Logf("%d reloads in %.1f s; guarded: %d requests, %d asked again; without Postern: %d requests, %d asked again",
		n, took.Seconds(), ours.requests(), ours.again.Load(), others.requests(), others.again.Load())

	for range 3 {
		w.load(config("postern {\n\t\tdata "+t.TempDir()+"\n\t}", guarded)) // another store
		w.eventually("the other store is open", func() bool { return w.get("/", p.tokens.Valid).status == http.StatusUnauthorized })
		round()
	}
	var after held
	w.eventually("the process holds no more than before", func() bool {
		after = w.holds()
		return after.goroutines <= before.goroutines+1 && after.ours <= before.ours+1 && after.files <= before.files && after.heap < before.heap+8<<20
	})
	t.Logf("before: %+v; after: %+v", before, after)
	if got := inUse(); got != [3]int{1, 1, 1} {
		t.Errorf("stores, engines and guards = %v, want 1 of each", got)
	}
}
