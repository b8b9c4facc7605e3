package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// TestIfMatch changes and deletes only what is as it was seen.
func TestIfMatch(t *testing.T) {
	each(t, func(w *world) {
		made := w.human("ann")
		seen, err := w.c.Users.Get(w.ctx, "ann")
		w.must(err)
		if seen.ETag == "" || made.ETag != seen.ETag {
			w.Errorf("Create has the tag %q, Get %q; want the same", made.ETag, seen.ETag)
		}
		changed, err := w.c.Users.Update(w.ctx, "ann", client.UserUpdate{FirstName: new("Ann")}, client.IfMatch(seen.ETag))
		w.must(err)
		_, err = w.c.Users.Update(w.ctx, "ann", client.UserUpdate{FirstName: new("Anna")}, client.IfMatch(seen.ETag))
		if !errors.Is(err, client.ErrPrecondition) {
			w.Errorf("Update of what has changed = %v; want ErrPrecondition", err)
		}
		if err := w.c.Users.Delete(w.ctx, "ann", client.IfMatch(seen.ETag)); !errors.Is(err, client.ErrPrecondition) {
			w.Errorf("Delete of what has changed = %v; want ErrPrecondition", err)
		}
		w.must(w.c.Users.Delete(w.ctx, "ann", client.IfMatch(changed.ETag)))
		org, err := w.c.Orgs.Create(w.ctx, client.OrgCreate{Name: "Shop"})
		w.must(err)
		w.must(w.c.Orgs.Delete(w.ctx, org.ID, client.IfMatch(org.ETag)))
	})
}

// losing returns a client whose server carries out each call, and loses its answer the first few times.
func (w *world) losing(times int64) (*client.Client, *atomic.Int64) {
	w.Helper()
	api, err := httpapi.New(httpapi.Options{Core: w.core})
	w.must(err)
	calls := &atomic.Int64{}
	c, _ := faulty(w.T, client.Options{Key: w.key, Realm: w.realm}, func(rw http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > times {
			api.ServeHTTP(rw, r)
			return
		}
		api.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	return c, calls
}

// TestLostAnswers makes things whose answers are lost on the way: each is made once, and what is shown once is shown.
func TestLostAnswers(t *testing.T) {
	each(t, func(w *world) {
		c, calls := w.losing(2)
		key, err := c.ManagementKeys.Create(w.ctx, client.ManagementKeyCreate{Name: "reader", RealmID: w.realm, Permissions: []string{"read"}})
		w.must(err)
		if key.Secret == "" || calls.Load() != 3 {
			w.Errorf("Create after %d calls = %+v; want the secret from the third", calls.Load(), key)
		}
		if _, err := w.client(client.Options{Key: key.Secret}).Users.List(w.ctx, client.UserListOptions{}); err != nil {
			w.Errorf("List with the key = %v", err)
		}
		n := 0
		for k, err := range w.c.ManagementKeys.All(w.ctx, client.Page{}) {
			w.must(err)
			if k.Name == "reader" {
				n++
			}
		}
		if n != 1 {
			w.Errorf("there are %d keys; want one", n)
		}

		c, _ = w.losing(1)
		made, err := c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: goodPassword})
		w.must(err)
		c, _ = w.losing(1)
		in, err := c.Users.Authenticate(w.ctx, "ann", goodPassword)
		w.must(err)
		if in.User.ID != made.ID || in.Token == "" {
			w.Errorf("Authenticate after a lost answer = %+v; want ann's token", in)
		}
		c, _ = w.losing(1)
		w.must(c.Users.Delete(w.ctx, made.ID))
	})
}

// TestOwnKeys are good for repetitions by another process, and for no other call.
func TestOwnKeys(t *testing.T) {
	w := newWorld(t, boltStore(t))
	first, err := w.c.Orgs.Create(w.ctx, client.OrgCreate{Name: "Shop"}, client.IdempotencyKey("order-7"))
	w.must(err)
	again, err := w.client(client.Options{Key: w.key, Realm: w.realm}).Orgs.Create(w.ctx, client.OrgCreate{Name: "Shop"}, client.IdempotencyKey("order-7"))
	w.must(err)
	if again.ID != first.ID {
		t.Errorf("Create again made %s; want %s", again.ID, first.ID)
	}
	_, err = w.c.Orgs.Create(w.ctx, client.OrgCreate{Name: "Other"}, client.IdempotencyKey("order-7"))
	if !errors.Is(err, &client.Error{Kind: client.KindInvalid, Code: "idempotency_key_reused"}) {
		t.Errorf("Create of another = %v; want idempotency_key_reused", err)
	}
	other, err := w.c.Orgs.Create(w.ctx, client.OrgCreate{Name: "Shop"})
	w.must(err)
	if other.ID == first.ID {
		t.Error("Create without a key made no other org")
	}
}

// TestUnderWay waits for a try that is not finished.
func TestUnderWay(t *testing.T) {
	var log requests
	c, waits := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if log.note(r) < 3 {
			w.Header().Set("Retry-After", "1")
			refuse(409, `{"code":"call_under_way","detail":"d"}`)(w, r)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	_, err := c.Orgs.Create(t.Context(), client.OrgCreate{Name: "Shop"})
	if tries, keys := log.seen(); err != nil || tries != 3 || keys != 1 || len(*waits) != 2 {
		t.Errorf("Create = %v after %d tries with %d keys; want the third to do it", err, tries, keys)
	}
}

// TestWithoutIdempotency is for those who want no answers to be kept.
func TestWithoutIdempotency(t *testing.T) {
	for _, options := range [][]client.CallOption{{client.IdempotencyKey("")}, nil} {
		var log requests
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
			log.note(r)
			failures["unknown"](w, r)
		})
		_, err := c.Orgs.Create(t.Context(), client.OrgCreate{}, options...)
		wantTries, wantKeys := 1, 0
		if options == nil {
			wantTries, wantKeys = 3, 1
		}
		if tries, keys := log.seen(); err == nil || tries != wantTries || keys != wantKeys {
			t.Errorf("Create = %v after %d tries with %d keys; want %d and %d", err, tries, keys, wantTries, wantKeys)
		}
	}
}

// TestKinds are those of the API, one by one.
func TestKinds(t *testing.T) {
	for kind := core.KindInternal; kind <= core.KindPrecondition; kind++ {
		answer := httptest.NewRecorder()
		httpapi.Refuse(answer, httptest.NewRequest("GET", "/v1/users", nil), &core.Error{Kind: kind, Code: "c", Detail: "d"})
		e := client.ReadError(answer.Code, answer.Header(), answer.Body.Bytes(), time.Now())
		if int(e.Kind) != int(kind) || e.Code == client.CodeNotPostern {
			t.Errorf("kind %d is answered with %d, which is read as %s", kind, answer.Code, e.Kind)
		}
	}
}
