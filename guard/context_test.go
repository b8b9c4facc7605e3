package guard_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestInnerGuardMayWantToBeSurer puts guards one behind the other of which the inner one relies on less than the outer one does.
func TestInnerGuardMayWantToBeSurer(t *testing.T) {
	always, grace := guard.Settings{Check: guard.CheckAlways}, guard.Settings{StaleOK: guard.Duration(time.Minute)}
	longer := guard.Settings{StaleOK: guard.Duration(2 * time.Minute)}
	ended := func(w *world) { w.fails("good", core.ErrInvalidToken) }
	away := func(w *world) {
		w.silent.Store(true)
		w.fails("good", core.ErrUnavailable)
	}
	for _, tt := range []struct {
		name         string
		outer, inner guard.Settings
		then         func(*world) // after a first request passed both
		want, reads  int          // of a second
	}{
		{"alike", guard.Settings{}, guard.Settings{}, ended, 200, 0}, // no news came yet
		{"the inner one always asks", guard.Settings{}, always, ended, 401, 1},
		{"both always ask", always, always, func(*world) {}, 200, 1},
		{"the outer one always asks", always, guard.Settings{}, func(*world) {}, 200, 1},
		{"the inner one has no grace", grace, guard.Settings{}, away, 503, 2},
		{"the inner one has a shorter one", longer, grace, away, 200, 2}, // which is not over
		{"the inner one has as long a one", grace, grace, away, 200, 1},
		{"the inner one has a longer one", grace, longer, away, 200, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.knows("good", ann)
			names := &guard.Names{}
			outer, inner := w.guard(t, guard.Options{Settings: tt.outer, Names: names}), w.guard(t, guard.Options{Settings: tt.inner, Names: names})
			app := outer.Handler(inner.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			ask := func() int {
				rec := httptest.NewRecorder()
				app.ServeHTTP(rec, with("good"))
				return rec.Code
			}
			if got := ask(); got != 200 {
				t.Fatalf("at first %d, want 200", got)
			}
			wantDecision(t, inner, "good", guard.Allow) // so that it remembers them too
			before := w.readsOf("good")
			tt.then(w)
			if got, reads := ask(), w.readsOf("good")-before; got != tt.want || reads != tt.reads {
				t.Errorf("then %d after %d reads, want %d after %d", got, reads, tt.want, tt.reads)
			}
		})
	}
}

// TestInnerGuardGoesByItsOwn: whom another guard found counts for one of the same house and realm alone, and where that takes such a credential.
func TestInnerGuardGoesByItsOwn(t *testing.T) {
	house, names := newWorld(), &guard.Names{}
	house.knows("good", ann)
	outer := house.guard(t, guard.Options{Names: names})
	cookies := house.guard(t, guard.Options{Names: names, Settings: guard.Settings{From: []guard.Source{guard.SourceCookie}}})
	for _, tt := range []struct {
		name         string
		inner        *guard.Guard
		bearer, both int // status with the token as bearer, and in the cookie too
		reads        int // for both requests, by both guards
	}{
		{"alike", house.guard(t, guard.Options{Names: names}), 200, 200, 1},
		{"of another house", newWorld().guard(t, guard.Options{}), 401, 401, 0},
		{"of another realm", house.guard(t, guard.Options{Names: names, Settings: guard.Settings{Realm: "two"}}), 200, 200, 1}, // which here knows her too
		{"for cookies alone", cookies, 401, 200, 1},
	} {
		before := house.readsOf("good")
		app := outer.Handler(tt.inner.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		ask := func(r *http.Request) int {
			rec := httptest.NewRecorder()
			app.ServeHTTP(rec, r)
			return rec.Code
		}
		bearer, both := with("good"), with("good")
		both.AddCookie(&http.Cookie{Name: "__Host-postern", Value: "good"})
		gotBearer, gotBoth := ask(bearer), ask(both)
		if reads := house.readsOf("good") - before; gotBearer != tt.bearer || gotBoth != tt.both || reads != tt.reads {
			t.Errorf("%s: %d and %d after %d reads, want %d and %d after %d", tt.name, gotBearer, gotBoth, reads, tt.bearer, tt.both, tt.reads)
		}
	}
}

// TestStaleIsPassedOn tells an observer of the inner guard too that somebody passes by what was known before.
func TestStaleIsPassedOn(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	names, stale := &guard.Names{}, 0
	settings := guard.Settings{StaleOK: guard.Duration(time.Minute)}
	observe := func(v guard.Verdict) {
		if v.Stale {
			stale++
		}
	}
	app := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 3 {
		app = w.guard(t, guard.Options{Settings: settings, Names: names, Observe: observe}).Handler(app)
	}
	app.ServeHTTP(httptest.NewRecorder(), with("good"))
	w.silent.Store(true)
	w.fails("good", core.ErrUnavailable)
	app.ServeHTTP(httptest.NewRecorder(), with("good"))
	if stale != 3 {
		t.Errorf("of three guards %d say that it is stale, want all", stale)
	}
}

// nested returns what an app behind guards, the outermost first, sees of a request.
func nested(t *testing.T, w *world, r *http.Request, guards ...guard.Settings) (seen http.Header) {
	t.Helper()
	names, app := &guard.Names{}, http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	for _, settings := range slices.Backward(guards) {
		app = w.guard(t, guard.Options{Settings: settings, Names: names}).Handler(app)
	}
	app.ServeHTTP(httptest.NewRecorder(), r)
	return seen
}

// TestNestedGuardsTellOfOneUser has a guard between two others know somebody else than they do: of two users at once no app is told.
func TestNestedGuardsTellOfOneUser(t *testing.T) {
	w := newWorld()
	bob := core.Identity{Realm: "realm_two", User: "usr_bob", Session: "kss_bob", Type: core.UserHuman, Email: "bob@example.com"}
	w.knows("good", ann)
	w.knows("other", bob)
	bearer := guard.Settings{From: []guard.Source{guard.SourceBearer}, CopyHeaders: map[string]string{"X-User": "id"}}
	cookie := guard.Settings{Realm: "two", From: []guard.Source{guard.SourceCookie}, CopyHeaders: map[string]string{"X-User": "id", "X-Email": "email"}}
	r := with("good")
	r.AddCookie(&http.Cookie{Name: "__Host-postern", Value: "other"})
	seen := nested(t, w, r, bearer, cookie, bearer)
	if user, email := seen.Get("X-User"), seen.Get("X-Email"); user != "usr_ann" || email != "" {
		t.Errorf("the app is told of %q with the e-mail address %q, want usr_ann with none", user, email)
	}
}

// TestInnerGuardTakesBack what the outer one still tells of a user, where the inner one asks anew and hears that it is so no longer.
func TestInnerGuardTakesBack(t *testing.T) {
	w := newWorld()
	w.knows("good", member(func(*core.Identity) {}))
	w.during = func(string) { w.knows("good", ann) } // after the first read, of which there is no news yet
	headers := map[string]string{"X-Permissions": "permissions"}
	seen := nested(t, w, with("good"), guard.Settings{CopyHeaders: headers}, guard.Settings{CopyHeaders: headers, Check: guard.CheckAlways})
	if got := seen.Get("X-Permissions"); seen == nil || got != "" {
		t.Errorf("the app is told of permissions %q, which the inner guard knows to be over", got)
	}
}

// TestAnew has a request that two guards have met, and taken credentials from, come to a third where only the first is on its way. It goes by what the second has removed,
// and finds out anew who that is.
func TestAnew(t *testing.T) {
	w := newWorld()
	w.knows("a.b.c", ann)
	names := &guard.Names{}
	settle := func(s guard.Settings) *guard.Guard {
		return w.guard(t, guard.Options{Settings: s, Names: names, Keys: keys{"k": {Realm: realmID, User: "usr_robot"}}})
	}
	outer := settle(guard.Settings{From: []guard.Source{guard.SourceCookie}, Optional: true})
	byKey, byBearer := settle(guard.Settings{From: []guard.Source{guard.SourceAPIKey}}), settle(guard.Settings{})
	for _, tt := range []struct {
		name, header, credential string
		inner                    *guard.Guard
	}{{"a key", "X-Api-Key", "k", byKey}, {"a token", "Authorization", "Bearer a.b.c", byBearer}} {
		r := request("GET", "/")
		r.Header.Set(tt.header, tt.credential)
		met := outer.Prepare(r, outer.Judge(r))
		made := tt.inner.Prepare(met, tt.inner.Judge(met))
		if v := tt.inner.Judge(guard.Anew(met, made)); v.Decision != guard.Allow {
			t.Errorf("%s: %s, %s; want allow", tt.name, v.Decision, v.Refusal.Reason)
		}
		if v := tt.inner.Judge(guard.Anew(made, made)); v.Decision != guard.Allow {
			t.Errorf("%s, on its way: %s, %s; want allow", tt.name, v.Decision, v.Refusal.Reason)
		}
	}
	r := with("a.b.c")
	met := outer.Prepare(r, outer.Judge(r))
	made := byBearer.Prepare(met, byBearer.Judge(met))
	always := settle(guard.Settings{Check: guard.CheckAlways})
	w.fails("a.b.c", core.ErrInvalidToken)
	if v := always.Judge(guard.Anew(met, made)); v.Decision != guard.Deny {
		t.Errorf("a token that ended meanwhile: %s; want deny", v.Decision)
	}
}
