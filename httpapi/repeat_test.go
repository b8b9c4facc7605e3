package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// again is manage with an Idempotency-Key.
func (w *world) again(name, line, body string) *answer {
	w.Helper()
	return w.manageIf(line, "Idempotency-Key: "+name, body)
}

// replayed asserts that an answer is the first one once more.
func (w *world) replayed(a, first *answer) {
	w.Helper()
	if a.StatusCode != first.StatusCode || a.text != first.text || a.Header.Get("ETag") != first.Header.Get("ETag") ||
		a.Header.Get("Content-Type") != first.Header.Get("Content-Type") || a.Header.Get("Idempotency-Replayed") != "true" {
		w.Errorf("a repetition = %d %s %v; want %d %s as before", a.StatusCode, a.text, a.Header, first.StatusCode, first.text)
	}
	if first.Header.Get("Idempotency-Replayed") != "" || a.Header.Get("X-Request-Id") == first.Header.Get("X-Request-Id") {
		w.Errorf("the first answer is marked as a repetition, or both have one request id: %v, %v", first.Header, a.Header)
	}
}

// TestRepeat sends every POST that makes something twice: it is made once, and both are answered alike.
func TestRepeat(t *testing.T) {
	each(t, func(w *world) {
		count := w.want(w.manage("GET /v1/realms", ""), 200, "").text
		for i, th := range w.things() {
			if th.create == "" {
				continue
			}
			name := fmt.Sprintf("call-%d", i)
			first := w.want(w.again(name, "POST "+th.path, th.create), 201, "")
			w.replayed(w.again(name, "POST "+th.path, th.create), first)
			w.want(w.manage("GET "+th.path+"/"+first.field("id"), ""), 200, "")
			w.want(w.again(name, "POST "+th.path, strings.Replace(th.create, "{", "{ ", 1)), 422, "used for another call")
		}
		if now := w.want(w.manage("GET /v1/realms", ""), 200, "").text; strings.Count(now, `"id"`) != strings.Count(count, `"id"`)+1 {
			w.Errorf("realms before %s and after %s; want one more", count, now)
		}
	})
}

// TestRepeatSignIn repeats sign-ins, good and bad: each counts once.
func TestRepeatSignIn(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		good, bad := `{"password":"`+goodPassword+`"}`, `{"password":"wrong"}`
		first := w.want(w.again("good", "POST /v1/users/ann/authenticate", good), 200, `"token":"ey`)
		for range 12 { // more than an account bears
			w.replayed(w.again("good", "POST /v1/users/ann/authenticate", good), first)
		}
		refused := w.want(w.again("bad", "POST /v1/users/ann/authenticate", bad), 401, "")
		for range 12 {
			w.replayed(w.again("bad", "POST /v1/users/ann/authenticate", bad), refused)
		}
		page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: core.UserID(first.field("id"))})
		if err != nil || len(page.Sessions) != 1 {
			w.Errorf("%d sessions, %v; want 1", len(page.Sessions), err)
		}
	})
}

// TestRepeatMany sends one call fifty times at once, each until it is answered.
func TestRepeatMany(t *testing.T) {
	each(t, func(w *world) {
		w.secret("new@example.com")
		body := `{"user":{"user_type":"human","username":"new","email":"new@example.com","password":"` + goodPassword + `","org":{"name":"Acme"}}}`
		answers := w.atOnce(50, func(int) *answer {
			for {
				if a := w.again("new", "POST /v1/users", body); a.StatusCode != http.StatusConflict {
					return a
				}
			}
		})
		fresh := 0
		for _, a := range answers {
			w.want(a, 201, "")
			if a.text != answers[0].text {
				w.Errorf("two answers: %s and %s", a.text, answers[0].text)
			}
			if a.Header.Get("Idempotency-Replayed") == "" {
				fresh++
			}
		}
		if fresh != 1 {
			w.Errorf("%d answers are not repetitions; want 1", fresh)
		}
		if users := w.manage("GET /v1/users", ""); strings.Count(users.text, `"object":"user"`) != 1 {
			w.Errorf("GET /v1/users = %s; want one user", users.text)
		}
		if orgs := w.manage("GET /v1/orgs", ""); strings.Count(orgs.text, `"object":"org"`) != 1 {
			w.Errorf("GET /v1/orgs = %s; want one org", orgs.text)
		}
	})
}

// TestRepeatIsBounded asks for what is another call: by another key, in another realm, after a day, with a key that cannot be.
func TestRepeatIsBounded(t *testing.T) {
	each(t, func(w *world) {
		body := `{"org":{"name":"Acme"}}`
		first := w.want(w.again("one", "POST /v1/orgs", body), 201, "")
		w.want(w.again("one", "POST /v1/orgs?x=1", body), 422, "used for another call")
		w.want(w.again("one", "POST /v1/users", body), 422, "used for another call")

		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		for _, name := range []string{string(other.ID), "other"} { // two names of one realm
			there := strings.Replace(w.asManager(), string(w.realm.ID), name, 1)
			a := w.want(w.do("POST /v1/orgs", there+"\nIdempotency-Key: one", body), map[bool]int{true: 201, false: 422}[name != "other"], "")
			if a.field("id") == first.field("id") || a.Header.Get("Idempotency-Replayed") != "" {
				w.Errorf("in another realm the answer is %s; want an org of its own", a.text)
			}
		}

		mine := "Content-Type: application/json\nIdempotency-Key: one\nX-Authrocket-Api-Key: "
		one, two := w.newKey(w.realm.ID, core.PermissionWrite), w.newKey(other.ID, core.PermissionWrite)
		for _, key := range []string{one, two} {
			a := w.want(w.do("POST /v1/orgs", mine+key, body), 201, "")
			if a.field("id") == first.field("id") || a.Header.Get("Idempotency-Replayed") != "" {
				w.Errorf("another management key was answered %s; want an org of its own", a.text)
			}
			w.replayed(w.do("POST /v1/orgs", mine+key, body), a)
		}

		w.clock.Advance(core.RepeatLifetime - time.Second)
		w.replayed(w.again("one", "POST /v1/orgs", body), first)
		w.clock.Advance(2 * time.Second)
		late := w.want(w.again("one", "POST /v1/orgs", body), 201, "")
		if late.field("id") == first.field("id") || late.Header.Get("Idempotency-Replayed") != "" {
			w.Errorf("after a day the answer is still %s", late.text)
		}
		w.replayed(w.again("one", "POST /v1/orgs", body), late)
	})
}

// TestIdempotencyKey sends keys that are none, and keys for what cannot be repeated.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	body := `{"org":{"name":"Acme"}}`
	for _, header := range []string{"Idempotency-Key:", "Idempotency-Key: a b", "Idempotency-Key: \u00e4", "Idempotency-Key: " + strings.Repeat("k", 256), "Idempotency-Key: a\nIdempotency-Key: a"} {
		w.want(w.manageIf("POST /v1/orgs", header, body), 400, "Idempotency-Key")
	}
	w.want(w.manageIf("POST /v1/orgs", "Idempotency-Key: "+strings.Repeat("k", 255), body), 201, "")
	w.want(w.manageIf("POST /v1/orgs", `Idempotency-Key: "quoted"`, body), 201, "")
	w.want(w.manageIf("POST /v1/orgs", "Idempotency-Key: large", strings.Repeat(" ", 128<<10+1)), 413, "128 KiB")
	w.want(w.do("POST /v1/orgs", "Idempotency-Key: a\nContent-Type: application/json\nX-Authrocket-Api-Key: ko_wrong", body), 403, "management key")

	reader := w.newKey(w.realm.ID, core.PermissionRead)
	w.want(w.do("POST /v1/orgs", "Idempotency-Key: a\nContent-Type: application/json\nX-Authrocket-Api-Key: "+reader, strings.Repeat(" ", 128<<10+1)), 403, "permission")

	for _, id := range []string{"ann", "bob"} { // of each user it is another call
		a := w.want(w.do("POST /v1/users", "Idempotency-Key: a\nContent-Type: application/vnd.api+json\nAuthorization: Bearer "+w.apt(""), w.document(id)), 201, id)
		if a.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("POST /v1/users with an APT was replayed: %s", a.text)
		}
	}
}

// TestRepeatIsOfOneUser reissues for two users with one management key and one Idempotency-Key beside their APTs: the answer to one is
// not for the other.
func TestRepeatIsOfOneUser(t *testing.T) {
	w := newWorld(t)
	headers := func(apt string) string { return w.asManager() + "\nIdempotency-Key: a\nAuthorization: Bearer " + apt }
	for _, id := range []string{"ann", "bob"} {
		w.want(w.provide("POST /v1/users", w.apt(""), w.document(id)), 201, "")
	}
	for _, id := range []string{"ann", "bob"} {
		w.want(w.do("POST /v1/users/reauth", headers(w.apt(id)), `{}`), 201, `"arbitrary_id":"`+id+`"`)
	}
}

// TestRepeatAsksWhatAKeyMayDo repeats a call that was answered with a secret by a key that may do less than it could then: it is not told the
// answer, and once it may do as much again, it is.
func TestRepeatAsksWhatAKeyMayDo(t *testing.T) {
	each(t, func(w *world) {
		robot := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"robot"}}`), 201, "").field("id")
		key := w.want(w.manage("POST /v1/management_keys", `{"management_key":{"name":"ops","permissions":["write","manage"]}}`), 201, "ko_")
		w.secret(key.field("secret"))
		may := func(permissions string) {
			w.want(w.manage("PUT /v1/management_keys/"+key.field("id"), `{"management_key":{"permissions":[`+permissions+`]}}`), 200, "")
		}
		call := func() *answer {
			return w.do("POST /v1/credentials", "X-Authrocket-Api-Key: "+key.field("secret")+"\nX-Authrocket-Realm: "+string(w.realm.ID)+"\nContent-Type: application/json\nIdempotency-Key: once",
				`{"credential":{"user_id":"`+robot+`","credential_type":"api_key","name":"k"}}`)
		}
		first := w.want(call(), 201, "ak_")
		w.secret(first.field("api_key"))
		may(`"read"`)
		w.want(call(), 422, "used for another call")
		may(`"manage","write"`)
		w.replayed(call(), first)
	})
}

// TestRepeatIsOneStep counts what the store is asked to change: with a claim, and where the claim lies in another partition a
// note of that, there is one Transaction for all that a call changes and its answer. docs/safe-writes.md names the exceptions.
func TestRepeatIsOneStep(t *testing.T) {
	w := newWorld(t)
	carl := string(w.human("carl").ID)
	list := w.things()
	hook := w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"https://example.com"}}`).field("id")
	w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"`+carl+`","credential_type":"totp","name":"first of the realm"}}`), 201, "")
	login := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"human","username":"fay","email":"fay@example.com"}}`), 201, "").field("id")
	list = append(list,
		thing{path: "/v1/credentials", create: `{"credential":{"user_id":"` + login + `","credential_type":"password","password":"` + goodPassword + `"}}`},
		thing{path: "/v1/app_hooks/" + hook + "/rotate_secret"},
		thing{path: "/v1/app_hooks/" + hook + "/ping"},
		thing{path: "/v1/users/carl/authenticate", create: `{"password":"` + goodPassword + `"}`},
		thing{path: "/v1/users/carl/authenticate", create: `{"password":"wrong"}`},
		thing{path: "/v1/users/carl/generate_password_token"},
		thing{path: "/v1/users/carl/request_email_verification"},
		thing{path: "/v1/users?expand=memberships", create: `{"user":{"user_type":"human","username":"gus","email":"gus@example.com","org":{"name":"Acme"}}}`},
	)
	list = append(list, thing{path: "/v1/realms/" + string(w.realm.ID) + "/reset"}) // the last, as it is under way then
	system := map[string]bool{"realms": true, "apt_keys": true, "jwt_keys": true, "auth_providers": true, "login_policies": true, "app_hooks": true, "management_keys": true}
	for i, th := range list {
		if th.path == "/v1/events" {
			continue
		}
		want, before := int64(2), w.store.applied.Load()
		if system[strings.Split(th.path, "/")[2]] {
			want = 3
		}
		a := w.again(fmt.Sprint(i), "POST "+th.path, th.create)
		if got := w.store.applied.Load() - before; a.StatusCode > 401 || got != want {
			t.Errorf("POST %s %s = %d %s in %d Transactions; want %d", th.path, th.create, a.StatusCode, a.text, got, want)
		}
	}
}

// TestRepeatReset repeats a reset whose answer was lost: whoever came after it stays.
func TestRepeatReset(t *testing.T) {
	each(t, func(w *world) {
		w.human("before")
		path := "POST /v1/realms/" + string(w.realm.ID) + "/reset"
		w.store.crash(3, true)
		w.want(w.again("reset", path, ""), 503, "")
		w.store.restart()
		w.must(w.RunJobs(w.ctx))
		w.human("after")
		w.want(w.again("reset", path, ""), 202, `"resetting":true`)
		w.must(w.RunJobs(w.ctx))
		w.want(w.manage("GET /v1/users/before", ""), 404, "")
		w.want(w.manage("GET /v1/users/after", ""), 200, "after")
	})
}

// TestRepeatWhileUnderWay repeats a call in the middle of it.
func TestRepeatWhileUnderWay(t *testing.T) {
	each(t, func(w *world) {
		body := `{"org":{"name":"Acme"}}`
		w.before(2, func() error {
			a := w.want(w.again("one", "POST /v1/orgs", body), 409, "under way")
			if a.Header.Get("Retry-After") != "1" {
				w.Errorf("Retry-After = %q; want 1", a.Header.Get("Retry-After"))
			}
			return nil
		})
		first := w.want(w.again("one", "POST /v1/orgs", body), 201, "")
		w.replayed(w.again("one", "POST /v1/orgs", body), first)
	})
}

// before has something happen before an Apply from now on, the first being 1.
func (w *world) before(apply int, do func() error) {
	for range apply - 1 {
		then := do
		do = func() error { w.store.beforeApply(then); return nil }
	}
	w.store.beforeApply(do)
}

// TestRepeatOvertakes takes a call over that is only slow: of the two, one comes to its end. The claim of a call that names a
// realm lies there: the second Apply makes an org together with its answer, and the third a management key, which lies elsewhere.
func TestRepeatOvertakes(t *testing.T) {
	each(t, func(w *world) {
		for i, c := range []struct {
			path, body string
			apply      int
		}{
			{"/v1/orgs", `{"org":{"name":"Acme"}}`, 2},
			{"/v1/management_keys", `{"management_key":{"name":"shop","permissions":["read"]}}`, 2},
			{"/v1/management_keys", `{"management_key":{"name":"shop","permissions":["read"]}}`, 3},
		} {
			before := w.amount(c.path)
			call := func() *answer { return w.again(fmt.Sprint("call-", i), "POST "+c.path, c.body) }
			var second *answer
			w.before(c.apply, func() error {
				w.clock.Advance(31 * time.Second)
				second = w.want(call(), 201, "")
				return nil
			})
			w.want(call(), 409, "under way")
			w.replayed(call(), second)
			if now := w.amount(c.path); now != before+1 {
				w.Errorf("POST %s made %d things; want 1", c.path, now-before)
			}
		}
	})
}

// TestRepeatClashes has somebody else change what a call changes, just before it does: the call is carried out anew, on what
// there is.
func TestRepeatClashes(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		w.before(2, func() error {
			_, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: ann.ID}, core.Request{})
			return err
		})
		body := `{"membership":{"user_id":"` + string(ann.ID) + `"}}`
		first := w.want(w.again("one", "POST /v1/memberships", body), 422, "already has a membership")
		w.replayed(w.again("one", "POST /v1/memberships", body), first)
	})
}

// TestRepeatFailed repeats calls whose answer is no answer: 5xx, 429 and 409 are not kept, and a claim is not in the way.
func TestRepeatFailed(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{ // made in the claim's partition, and in another
		"/v1/orgs":            `{"org":{"name":"Acme"}}`,
		"/v1/management_keys": `{"management_key":{"name":"shop","permissions":["read"]}}`,
	} {
		for apply := 1; apply <= 3; apply++ {
			for status, fail := range map[int]func() error{503: func() error { return core.ErrUnavailable }, 500: func() error { panic("disk is full") }} {
				call := fmt.Sprintf("%d-%d", status, apply) + path
				w.before(apply, fail)
				failed := w.again(call, "POST "+path, body)
				if path == "/v1/orgs" && apply == 3 { // it takes two
					status = 201
				}
				w.want(failed, status, "")
				w.before(1, func() error { return nil })
				if a := w.want(w.again(call, "POST "+path, body), 201, ""); status != 201 && a.Header.Get("Idempotency-Replayed") != "" {
					t.Errorf("a call that failed was kept: %s", a.text)
				}
			}
		}
	}
	hook := w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"email","event_type":["user.created"]}}`), 201, "").field("id")
	for range 2 {
		if a := w.want(w.again("three", "POST /v1/app_hooks/"+hook+"/ping", ""), 409, ""); a.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("409 was kept: %s", a.text)
		}
	}
}

// TestRepeatAfterRestart repeats a call at another process over the same store.
func TestRepeatAfterRestart(t *testing.T) {
	each(t, func(w *world) {
		body := `{"management_key":{"name":"shop","permissions":["read"]}}`
		first := w.want(w.again("one", "POST /v1/management_keys", body), 201, `"secret":"ko_`)
		master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		w.Core, err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now})
		w.must(err)
		api, err := httpapi.New(httpapi.Options{Core: w.Core})
		w.must(err)
		w.server.Config.Handler = api
		w.replayed(w.again("one", "POST /v1/management_keys", body), first)

		other, err := core.NewMasterKey([]byte(strings.Repeat("k", core.MasterKeySize)))
		w.must(err)
		c, err := core.New(core.Options{Store: w.store, MasterKey: other, Now: w.clock.Now})
		w.must(err)
		if api, err = httpapi.New(httpapi.Options{Core: c}); err != nil {
			w.must(err)
		}
		w.server.Config.Handler = api
		w.want(w.again("one", "POST /v1/management_keys", body), 503, "cannot be opened")
	})
}

// TestRepeatIsSealed looks for secrets in everything that was ever put into the store.
func TestRepeatIsSealed(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.store.record()
		bodies := map[string]string{
			"/v1/management_keys":        `{"management_key":{"name":"shop","permissions":["read"]}}`,
			"/v1/app_hooks":              `{"app_hook":{"hook_type":"webhook","destination":"https://example.com"}}`,
			"/v1/users/ann/authenticate": `{"password":"` + goodPassword + `"}`,
			"/v1/credentials":            `{"credential":{"user_id":"` + w.bot() + `","credential_type":"api_key"}}`,
		}
		secrets := []string{goodPassword}
		for path, body := range bodies {
			a := w.again("name-of-a-call", "POST "+path+"?"+path, body)
			secrets = append(secrets, a.field("secret"), a.field("token"), a.field("api_key"))
		}
		kept := w.store.recorded()
		if !strings.Contains(kept, "oc:") {
			w.Fatalf("nothing was kept: %s", kept)
		}
		for _, s := range append(secrets, "name-of-a-call") {
			if s != "" && strings.Contains(kept, s) {
				w.Errorf("the store holds %q", s)
			}
		}
	})
}

// bot returns the id of a new api user.
func (w *world) bot() string {
	w.Helper()
	bot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI)}, core.Request{})
	w.must(err)
	return string(bot.ID)
}
