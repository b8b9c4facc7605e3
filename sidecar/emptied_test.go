package sidecar

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestEmptiedRedis loses all data under a running server, as a Redis does that is started again without its file. Nobody is told that
// their session is over, and whoever watches is told what happened.
func TestEmptiedRedis(t *testing.T) {
	redis := redistest.Start(t)
	v := serve(t, hosttest.App(), func(o *Options) { o.RedisURL, o.AdminListen = redis.URL(), "127.0.0.1:0" })
	seen, unseen := v.signIn(v.parts.Core, v.realm.ID, "ann").Token, v.signIn(v.parts.Core, v.realm.ID, "bob").Token
	if got := v.status(seen); got != http.StatusOK {
		t.Fatalf("a session = %d; want 200", got)
	}
	v.must(redis.Client(t).FlushAll(t.Context()).Err())
	if resp, body := v.ask(plain(t, nil), "GET", urlOf("http", v.admin)+"/readyz", "", nil); resp.StatusCode != http.StatusServiceUnavailable || body != "the store does not hold our data\n" {
		t.Errorf("GET /readyz = %d %q; want 503", resp.StatusCode, body)
	}
	if got := v.status(unseen); got != http.StatusServiceUnavailable {
		t.Errorf("a session that is asked about for the first time = %d; want 503", got)
	}
	redistest.Eventually(t, "a session that is remembered is 503", func() bool {
		got := v.status(seen)
		if got != http.StatusOK && got != http.StatusServiceUnavailable {
			t.Fatalf("a session that is remembered = %d; want 503, and 200 until the feed finds out", got)
		}
		return got == http.StatusServiceUnavailable
	})
}

// TestUnfitRedis holds that a server which cannot judge requests says so where load balancers look, and why.
func TestUnfitRedis(t *testing.T) {
	redis := redistest.Start(t, "appendonly yes")
	v := serve(t, hosttest.App(), func(o *Options) { o.RedisURL, o.AdminListen, o.AllowUnfit = redis.URL(), "127.0.0.1:0", false })
	c := redis.Client(t)
	ready := func(when, want string) {
		t.Helper()
		if _, body := v.ask(plain(t, nil), "GET", urlOf("http", v.admin)+"/readyz", "", nil); body != want+"\n" {
			t.Errorf("GET /readyz %s = %q; want %q", when, body, want)
		}
	}
	ready("at first", "ready")
	v.must(c.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err())
	ready("without replicas", "the store is not fit to keep users: replicas")
	v.must(c.ConfigSet(t.Context(), "min-replicas-to-write", "0").Err())
	v.must(c.ConfigSet(t.Context(), "maxmemory", "100mb").Err())
	v.must(c.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	v.must(c.FlushAll(t.Context()).Err())
	ready("of a Redis that lost its data to other uses", "the store is not fit to keep users: eviction")
}
