package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
)

// failures are the ways in which a try can fail that may be repeated.
var failures = map[string]http.HandlerFunc{
	"throttled":   refuse(429, `{"code":"too_many_attempts","detail":"d"}`),
	"busy":        refuse(503, `{"code":"busy","detail":"d"}`),
	"unknown":     refuse(503, `{"code":"outcome_unknown","detail":"d"}`),
	"bad gateway": refuse(502, "<html>"),
	"cut":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"cut short": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		_, _ = io.WriteString(w, "{")
	},
}

// refuse answers with a status and a body.
func refuse(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// requests are those that a server has seen.
type requests struct {
	mu    sync.Mutex
	tries int
	keys  map[string]bool
}

// note counts a request, and returns how many there were with it.
func (l *requests) note(r *http.Request) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries++
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		if l.keys == nil {
			l.keys = map[string]bool{}
		}
		l.keys[key] = true
	}
	return l.tries
}

// seen returns how many requests there were, and with how many idempotency keys.
func (l *requests) seen() (tries, keys int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries, len(l.keys)
}

// TestRetries repeats what may be repeated, and nothing else.
func TestRetries(t *testing.T) {
	get := func(ctx context.Context, c *client.Client) error { _, err := c.Users.Get(ctx, "ann"); return err }
	post := func(ctx context.Context, c *client.Client) error {
		_, err := c.Users.Create(ctx, client.UserCreate{UserType: "human"})
		return err
	}
	put := func(ctx context.Context, c *client.Client) error {
		_, err := c.Users.Update(ctx, "ann", client.UserUpdate{State: new("inactive")})
		return err
	}
	matched := func(ctx context.Context, c *client.Client) error {
		_, err := c.Users.Update(ctx, "ann", client.UserUpdate{State: new("inactive")}, client.IfMatch(`"v1"`))
		return err
	}
	del := func(ctx context.Context, c *client.Client) error { return c.Users.Delete(ctx, "ann") }
	password := func(ctx context.Context, c *client.Client) error {
		return c.Users.UpdatePassword(ctx, "ann", client.PasswordUpdate{})
	}
	for name, fail := range failures {
		for kind, call := range map[string]func(context.Context, *client.Client) error{"get": get, "post": post, "put": put, "delete": del, "put if": matched, "password": password} {
			doubtful := !slices.Contains([]string{"throttled", "busy"}, name)
			wanted := 3
			if doubtful && (kind == "put if" || kind == "password") {
				wanted = 1
			}
			if name == "cut short" && kind == "delete" {
				continue // it has no body to be cut short
			}
			var log requests
			c, waits := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
				if log.note(r) < 3 {
					fail(w, r)
					return
				}
				_, _ = io.WriteString(w, "{}")
			})
			err := call(t.Context(), c)
			tries, keys := log.seen()
			if tries != wanted || (err == nil) != (wanted == 3) || len(*waits) != wanted-1 {
				t.Errorf("%s, %s: %d tries, waiting %v, then %v; want %d tries", kind, name, tries, *waits, err, wanted)
			}
			if (keys == 1) != (kind == "post") {
				t.Errorf("%s, %s: %d idempotency keys", kind, name, keys)
			}
		}
	}
}

// TestNoRetries gives up at once where another try would not help.
func TestNoRetries(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 412, 422, 425, 500} {
		var log requests
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
			log.note(r)
			refuse(status, `{"code":"c","detail":"d"}`)(w, r)
		})
		_, err := c.Users.Get(t.Context(), "ann")
		if tries, _ := log.seen(); err == nil || tries != 1 {
			t.Errorf("%d: %d tries, then %v; want one, and an error", status, tries, err)
		}
	}
}

// TestWaits waits longer each time, as long as the server asks, and no longer than it may.
func TestWaits(t *testing.T) {
	for _, test := range []struct {
		after string
		o     client.Options
		least []time.Duration // the waits are these or up to twice as long
	}{
		{"", client.Options{Tries: 5}, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}},
		{"", client.Options{Tries: 4, MaxWait: 300 * time.Millisecond}, []time.Duration{100 * time.Millisecond, 150 * time.Millisecond, 150 * time.Millisecond}},
		{"2", client.Options{}, []time.Duration{2 * time.Second, 2 * time.Second}},
		{"6", client.Options{}, nil},
		{"6", client.Options{MaxWait: time.Minute}, []time.Duration{6 * time.Second, 6 * time.Second}},
		{"1", client.Options{Tries: 1}, nil},
	} {
		c, waits := faulty(t, test.o, func(w http.ResponseWriter, r *http.Request) {
			if test.after != "" {
				w.Header().Set("Retry-After", test.after)
			}
			refuse(503, `{"code":"busy","detail":"d"}`)(w, r)
		})
		_, err := c.Users.Get(t.Context(), "ann")
		if !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("Get = %v; want ErrUnavailable", err)
		}
		ok := slices.EqualFunc(*waits, test.least, func(got, least time.Duration) bool { return got >= least && got <= 2*least })
		if !ok {
			t.Errorf("Retry-After %q, %+v: waits %v; want at least %v", test.after, test.o, *waits, test.least)
		}
	}
}

// TestWaitsEndWithTheContext returns what went wrong rather than to wait beyond the deadline.
func TestWaitsEndWithTheContext(t *testing.T) {
	c, waits := faulty(t, client.Options{MaxWait: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1800")
		refuse(503, `{"code":"busy","detail":"d"}`)(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	_, err := c.Users.Get(ctx, "ann")
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "busy" || e.RetryAfter != 30*time.Minute || len(*waits) != 0 {
		t.Errorf("Get = %v after %v; want busy, without a wait", err, *waits)
	}
}

// TestDeleteAfterALostAnswer takes it that what is not there was deleted by the try before, but for a 404 that is not Postern's.
func TestDeleteAfterALostAnswer(t *testing.T) {
	const gone, page = `{"code":"user_not_found","detail":"d"}`, "<html>"
	for _, test := range []struct {
		name, then string
		want       error
	}{{"cut", gone, nil}, {"busy", gone, client.ErrNotFound}, {"cut", page, client.ErrInternal}, {"busy", page, client.ErrInternal}} {
		var log requests
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if log.note(r) == 1 {
				failures[test.name](w, r)
				return
			}
			refuse(404, test.then)(w, r)
		})
		if err := c.Users.Delete(t.Context(), "ann"); !errors.Is(err, test.want) {
			t.Errorf("Delete, %s and then 404 with %s = %v; want %v", test.name, test.then, err, test.want)
		}
	}
}

// TestOwnIdempotencyKey sends the key that the caller chose.
func TestOwnIdempotencyKey(t *testing.T) {
	c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Idempotency-Key"); got != "order-7" {
			t.Errorf("Idempotency-Key = %q; want order-7", got)
		}
		_, _ = io.WriteString(w, "{}")
	})
	if _, err := c.Users.Create(t.Context(), client.UserCreate{}, client.IdempotencyKey("order-7")); err != nil {
		t.Error(err)
	}
}

// TestEndlessLists ends a list that a server never ends.
func TestEndlessLists(t *testing.T) {
	for _, body := range []string{`{"more_results":true,"collection":[]}`, `{"more_results":true,"collection":[{"id":"usr_1"}]}`} {
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		var last error
		n := 0
		for _, err := range c.Users.All(t.Context(), client.UserListOptions{}) {
			last = err
			if n++; n > 10 {
				break
			}
		}
		if !errors.Is(last, client.ErrInternal) || n > 3 {
			t.Errorf("All of %s = %v after %d; want ErrInternal", body, last, n)
		}
	}
}
