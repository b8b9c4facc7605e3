package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// visitors keep asking for pages of a site, each on a connection of its own that it keeps open as browsers and proxies do.
type visitors struct {
	w     *world
	asked []atomic.Int64 // by each
	done  chan struct{}
	all   sync.WaitGroup

	mu     sync.Mutex
	failed []string
}

// visit starts visitors, who show a token, on several paths. Whoever is not answered 200 has failed. One that gets no answer at all asks
// again, as browsers and proxies do: in the moment of a reload Caddy may close a connection on a request (docs/caddy.md, "Reloads").
func (w *world) visit(token string, paths ...string) *visitors {
	v := &visitors{w: w, asked: make([]atomic.Int64, len(paths)), done: make(chan struct{})}
	for i, path := range paths {
		v.all.Go(func() { v.keepAsking(i, path, token) })
	}
	return v
}

// keepAsking is one visitor.
func (v *visitors) keepAsking(i int, path, token string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	for {
		select {
		case <-v.done:
			return
		default:
		}
		err := ask(transport, "http://"+v.w.site+path, token)
		for range 2 {
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
				err = ask(transport, "http://"+v.w.site+path, token)
			}
		}
		if err != nil {
			v.mu.Lock()
			v.failed = append(v.failed, fmt.Sprintf("%s: %v", path, err))
			v.mu.Unlock()
		}
		v.asked[i].Add(1)
	}
}

// ask gets a page.
func ask(transport *http.Transport, url, token string) error {
	r, err := http.NewRequest("GET", url, nil)
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
	close(v.done)
	v.all.Wait()
	if n := len(v.failed); n > 0 {
		v.w.Errorf("%d requests failed; the first: %s", n, strings.Join(v.failed[:min(n, 5)], "\n"))
	}
}

// TestReloadsFailNobody reloads 30 times, by turns with other settings, while the guard and the API are asked without pause.
func TestReloadsFailNobody(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	configs := []string{
		w.config("", guarded),
		w.config("", guarded+"\n\theader X-Version 2"),            // the same engine and guard
		w.config("postern {\n\t\tmax_staleness 6s\n\t}", guarded), // another engine over the same store
		w.config("", strings.Replace(guarded, "postern_auth", "postern_auth {\n\t\tpass_token\n\t}", 1)), // another guard
	}
	w.load(configs[0])
	visitors := w.visit(p.tokens.Valid, "/", "/page", "/v1/users/me", "/v1/users/me")
	for i := range 30 {
		visitors.served()
		w.load(configs[(i+1)%len(configs)])
	}
	visitors.served()
	visitors.leave()
}
