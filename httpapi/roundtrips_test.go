package httpapi_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// trips are the calls of a store that one call of the API made. Each is one round trip to Redis, whatever it carries.
type trips struct {
	mu   sync.Mutex
	made []string
}

func (t *trips) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.made, ", ")
}

type tripsKey struct{}

// tripsStore notes what is asked of a store on behalf of a context that has trips: work in the background is not.
type tripsStore struct{ core.Store }

func (tripsStore) note(ctx context.Context, what string) {
	if t, ok := ctx.Value(tripsKey{}).(*trips); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.made = append(t.made, what)
	}
}

func (s tripsStore) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	s.note(ctx, "Get")
	return s.Store.Get(ctx, keys...)
}

func (s tripsStore) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	s.note(ctx, "Apply")
	return s.Store.Apply(ctx, tx)
}

func (s tripsStore) Range(ctx context.Context, r core.Range) ([]string, error) {
	s.note(ctx, "Range")
	return s.Store.Range(ctx, r)
}

func (s tripsStore) Hit(ctx context.Context, b core.Bucket, r core.Rate, now time.Time) (core.Allowance, error) {
	s.note(ctx, "Hit")
	return s.Store.Hit(ctx, b, r, now)
}

// TestRoundTrips counts what calls ask of the store, once their management key and their realm are known: one round trip by
// id, two by name.
func TestRoundTrips(t *testing.T) {
	each(t, func(w *world) {
		w.store.Store = tripsStore{w.store.Store}
		api, err := httpapi.New(httpapi.Options{Core: w.Core})
		w.must(err)
		send := func(line, authority, body string) (int, string) {
			method, path, _ := strings.Cut(line, " ")
			asked := &trips{}
			r := httptest.NewRequest(method, path, strings.NewReader(body)).WithContext(context.WithValue(w.ctx, tripsKey{}, asked))
			for header := range strings.Lines(authority) {
				name, value, _ := strings.Cut(strings.TrimSpace(header), ": ")
				r.Header.Set(name, value)
			}
			answer := httptest.NewRecorder()
			api.ServeHTTP(answer, r)
			return answer.Code, asked.String()
		}
		ann, token := w.human("ann"), w.provided("acct").Token
		w.runs()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if _, asked := send("GET /v1/users/"+string(ann.ID), w.asManager(), ""); asked == "Get" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the key and the realm are not remembered within 20 seconds")
			}
		}
		for _, call := range []struct{ line, body, authority, want string }{
			{"GET /v1/users/" + string(ann.ID), "", w.asManager(), "Get"},
			{"GET /v1/users/ann", "", w.asManager(), "Get, Get"},
			{"GET /v1/users/ann@example.com", "", w.asManager(), "Get, Get"},
			{"POST /v1/users", `{"user":{"user_type":"human","username":"bob","email":"bob@example.com"}}`, w.asManager(), "Apply"},
			{"GET /v1/users/me", "", "Authorization: Bearer " + token, "Get, Apply"}, // renewed at the version that was read
			{"PUT /v1/users/" + string(ann.ID), `{"user":{"first_name":"Ann"}}`, w.asManager(), "Get, Apply"},
		} {
			if status, asked := send(call.line, call.authority, call.body); status/100 != 2 || asked != call.want {
				t.Errorf("%s = %d and asks the store for %s; want %s", call.line, status, asked, call.want)
			}
		}
	})
}

// runs keeps the world's core current until the test ends.
func (w *world) runs() {
	ctx, stop := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() { w.Core.Run(ctx); close(done) }()
	w.Cleanup(func() { stop(); <-done })
}
