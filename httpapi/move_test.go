package httpapi_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
	"github.com/postern-auth/postern/redisstore"
)

// TestMoveToRedis moves an installation from the embedded file to Redis. Every GET of the API answers the same as before, byte for byte and with
// the same tags, but for these: what is sealed in an export, which no two exports have alike, and the token that GET /v1/users/me makes, which
// is new each time. Whoever could sign in before can, and whatever was good once is not good again.
func TestMoveToRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		w := newWorldOn(t, teststore.Bolt(t))
		b := w.populate()
		asked := w.addresses(b)
		before := w.answers(asked)
		w.asksAll(asked)

		to := teststore.Redis(t, server).(*redisstore.Store)
		_, err := to.Fill(w.ctx, w.store.Store.(*boltstore.Store).Items(w.ctx))
		w.must(err)
		moved := w.over(to)
		for path, answer := range moved.answers(asked) {
			if answer != before[path] {
				t.Errorf("GET %s after the move = %s; want %s", path, answer, before[path])
			}
		}
		moved.goesOn(b)
	})
}

// belongings are what people and programs had before a move.
type belongings struct {
	paths   []string // of things
	token   string   // of ann's session
	secret  string   // of her authenticator
	codes   []string // her recovery codes, the first of them used
	key     string   // of the robot
	hub     core.OrgID
	once    *answer // of a call with an Idempotency-Key
	created string  // the body of it
	provide string  // a token of a user of the account provider
}

// populate makes one of each kind of thing, and somebody with everything that a person can sign in with.
func (w *world) populate() *belongings {
	w.Helper()
	b := &belongings{created: `{"org":{"name":"once"}}`}
	for _, th := range w.things() {
		id := th.id
		if id == "" {
			id = w.want(w.manage("POST "+th.path, th.create), 201, "").field("id")
		}
		b.paths = append(b.paths, th.path+"/"+id)
	}
	w.human("carl")
	enrolment, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "carl", "phone", core.Request{})
	w.must(err)
	b.secret = enrolment.Secret
	_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, enrolment.ID, w.code(b.secret), core.Request{})
	w.must(err)
	_, b.codes, err = w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "carl", core.Request{})
	w.must(err)
	w.clock.Advance(time.Minute)
	w.secret(b.codes...)
	w.want(w.bothFactorsOf("carl", b.codes[0]), 200, "")
	org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr("hub")}, core.Request{})
	w.must(err)
	b.hub = org.ID
	robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot"), APIKey: ptr("generate")}, core.Request{})
	w.must(err)
	b.key = robot.NewAPIKey
	_, err = w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: robot.ID, Org: org.ID, MembershipChange: core.MembershipChange{Permissions: &[]string{"run"}}}, core.Request{})
	w.must(err)
	b.token, b.provide = w.signIn("ann").Token, w.provided("acct-1").Token
	b.once = w.want(w.again("once", "POST /v1/orgs", b.created), 201, "once")
	w.secret(b.secret, b.key)
	return b
}

// bothFactorsOf signs somebody in with their password and a code.
func (w *world) bothFactorsOf(name, code string) *answer {
	w.Helper()
	token := w.want(w.manage("POST /v1/users/"+name+"/authenticate", `{"password":"`+goodPassword+`"}`), 200, `"kli_`).field("token")
	w.secret(token)
	return w.manage("POST /v1/users/"+name+"/authenticate_code", `{"user":{"token":"`+token+`","code":"`+code+`"}}`)
}

// addresses returns what can be read.
func (w *world) addresses(b *belongings) []string {
	realm, user := "/v1/realms/"+string(w.realm.ID), "carl"
	found := w.want(w.manage("GET /v1/users/"+user, ""), 200, "").field("id")
	list := append(slices.Clone(b.paths), "/v1/users", "/v1/users?expand=custom&sort=last_login", "/v1/users/"+user+"?expand[]=memberships",
		"/v1/sessions?user_id="+found, "/v1/memberships?user_id="+found, "/v1/memberships?org_id="+string(b.hub), "/v1/sessions/"+b.token, "/v1/events/login/"+b.token,
		"/v1/events?expand=notifications", "/v1/events?user_id="+found, "/v1/bulk/users"+everything+"&settings=true", realm, realm+"/.well-known/jwks.json",
		realm+"/usage", "/.well-known/jwks.json", "/v1/auth_providers/authorize")
	for _, path := range b.paths {
		kind := strings.Join(strings.Split(path, "/")[:3], "/")
		if kind == "/v1/auth_providers" {
			list = append(list, path+"/authorize")
		}
		if kind != "/v1/credentials" && kind != "/v1/user_tokens" && kind != "/v1/sessions" && kind != "/v1/memberships" {
			list = append(list, kind)
		}
	}
	return list
}

// answers asks for all of that.
func (w *world) answers(paths []string) map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, path := range paths {
		r, err := http.NewRequestWithContext(w.ctx, "GET", w.server.URL+path, nil)
		w.must(err)
		r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(w.realm.ID)}}
		a, err := http.DefaultClient.Do(r)
		w.must(err)
		text, err := io.ReadAll(a.Body)
		w.must(err)
		w.must(a.Body.Close())
		all[path] = a.Status + " " + a.Header.Get("Content-Type") + " " + a.Header.Get("ETag") + " " + sealedSecret.ReplaceAllString(string(text), "")
		if a.StatusCode != 200 && !strings.HasSuffix(path, "/authorize") {
			w.Errorf("GET %s = %s; want 200", path, all[path])
		}
	}
	return all
}

// readNothing are the routes whose answers are not of the store, and the one that a token holder has a new token from.
var readNothing = []string{"/v1/docs", "/v1/openapi.json", "/v1/openapi.yaml", "/v1/users/me"}

// asksAll holds that each other route that reads is among the paths.
func (w *world) asksAll(paths []string) {
	w.Helper()
	left := map[string]bool{}
	for _, r := range httpapi.Routes() {
		left[r[1]] = left[r[1]] || r[0] == "GET" && !slices.Contains(readNothing, r[1])
	}
	for _, path := range paths {
		path, _, _ = strings.Cut(path, "?")
		left[document().Find("GET", path).Path] = false
	}
	maps.DeleteFunc(left, func(_ string, asked bool) bool { return !asked })
	if len(left) > 0 {
		w.Errorf("nobody asks for %v", slices.Collect(maps.Keys(left)))
	}
}

// over returns an API over another store that has the same in it.
func (w *world) over(store core.Store) *world {
	w.Helper()
	moved := &world{T: w.T, ctx: w.ctx, clock: w.clock, store: &brokenStore{Store: store}, logs: w.logs, secrets: w.secrets, realm: w.realm, key: w.key,
		signer: w.signer}
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	moved.Core, err = core.New(core.Options{Store: moved.store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}})
	w.must(err)
	api, err := httpapi.New(httpapi.Options{Core: moved.Core, Logger: zap.NewNop()})
	w.must(err)
	moved.server = httptest.NewServer(moved.conforming(api))
	w.Cleanup(moved.server.Close)
	return moved
}

// goesOn holds that everybody goes on with what they had.
func (w *world) goesOn(b *belongings) {
	w.Helper()
	w.replayed(w.again("once", "POST /v1/orgs", b.created), b.once)
	for _, token := range []string{b.token, b.provide} {
		w.want(w.do("GET /v1/users/me", "Authorization: Bearer "+token, ""), 200, `"token":"eyJ`)
	}
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 200, `"token":"eyJ`)
	w.want(w.bothFactorsOf("carl", w.code(b.secret)), 200, `"token":"eyJ`)
	w.want(w.bothFactorsOf("carl", w.code(b.secret)), 401, "")
	w.want(w.bothFactorsOf("carl", b.codes[0]), 401, "")
	w.want(w.bothFactorsOf("carl", b.codes[1]), 200, `"token":"eyJ`)
	if who, err := w.APIKeys.Resolve(w.ctx, w.realm.ID, b.key, netip.Addr{}); err != nil || len(who.Orgs) != 1 || who.Orgs[0].Org != b.hub {
		w.Errorf("the robot's key is of %+v, %v; want a member of the hub", who, err)
	}
	in, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: ptr("acct-2")})
	w.must(err)
	w.secret(in.Token)
	w.want(w.manage("DELETE /v1/sessions/"+b.token, ""), 204, "")
	w.want(w.do("GET /v1/users/me", "Authorization: Bearer "+b.token, ""), 401, "")
}
