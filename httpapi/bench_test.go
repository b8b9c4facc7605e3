package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// benched is an API over a real Redis, kept current as a host does, without a network before it.
type benched struct {
	*testing.B
	api   *httpapi.API
	realm core.RealmID
	key   string
}

func newBenched(b *testing.B) *benched {
	store, err := redisstore.Open(b.Context(), redisstore.Options{URL: redistest.Shared(b).URL(), KeyPrefix: fmt.Sprintf("bench-%d:", time.Now().UnixNano())})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	if err != nil {
		b.Fatal(err)
	}
	c, err := core.New(core.Options{Store: store, MasterKey: master})
	if err != nil {
		b.Fatal(err)
	}
	key, err := c.ManagementKeys.NewSecret()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.SetUp(b.Context(), key); err != nil {
		b.Fatal(err)
	}
	realm, _, err := c.First(b.Context(), key)
	if err != nil {
		b.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Options{Core: c})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	b.Cleanup(func() { stop(); <-done })
	return &benched{b, api, realm.ID, key}
}

// call sends a call with a body, and returns the answer.
func (b *benched) call(method, path, body string, want int) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Authrocket-Api-Key": {b.key}, "X-Authrocket-Realm": {string(b.realm)}}
	w := httptest.NewRecorder()
	if b.api.ServeHTTP(w, r); w.Code != want {
		b.Fatalf("%s %s = %d: %s", method, path, w.Code, w.Body)
	}
	return w
}

// someone is what is sent to make the i-th user.
func someone(i int) string {
	return fmt.Sprintf(`{"user":{"user_type":"human","username":"user-%08d","email":"user-%08d@example.com","first_name":"Ann","last_name":"Example"}}`, i, i)
}

func BenchmarkGetUser(b *testing.B) {
	w := newBenched(b)
	w.call("POST", "/v1/users", someone(1), http.StatusCreated)
	b.ReportAllocs()
	for b.Loop() {
		w.call("GET", "/v1/users/user-00000001", "", http.StatusOK)
	}
}

func BenchmarkGetUserByID(b *testing.B) {
	w := newBenched(b)
	var made struct{ ID string }
	if err := json.Unmarshal(w.call("POST", "/v1/users", someone(1), http.StatusCreated).Body.Bytes(), &made); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.call("GET", "/v1/users/"+made.ID, "", http.StatusOK)
	}
}

func BenchmarkCreateUser(b *testing.B) {
	w := newBenched(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.call("POST", "/v1/users", someone(i), http.StatusCreated)
	}
}
