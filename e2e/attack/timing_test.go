package attack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whether somebody has an account must not be told by the time that an answer takes. Every path that the public can reach is asked for
// somebody and for nobody, two thousand times in all, in an order that is drawn anew, and the times are compared. A difference counts where it
// is found twice, in two measurements that have nothing in common but the program: so what disturbs the machine fails nothing. Hashes are as
// cheap as they can be, so that all else shows.
//
// Not among them is by what a back end asks for letters to somebody, or says that one came back (generate_password_token, verify_email and
// the like): it is told who is there, and tells the public nothing.

// asked is how often a path is asked, over all kinds of people.
const asked = 2000

// kind is people who are alike, and how a path is asked for the one with a number.
type kind struct {
	name string
	ask  func(i int) *http.Request
	want int // status
}

// tries are how often one account is asked for: one less than it bears.
const tries = 9

// from is an HTTP client at the proxy that the sidecar trusts, so that every request can come from somewhere else.
func from(proxy string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(proxy)}, Timeout: patience}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// measure asks for every kind, so many times each, and returns how many microseconds each answer took.
func (h *host) measure(client *http.Client, kinds []kind) [][]float64 {
	h.Helper()
	defer client.CloseIdleConnections()
	took := make([][]float64, len(kinds))
	for i := range asked / len(kinds) {
		for _, k := range rand.Perm(len(kinds)) { // what came before is felt: a hash after a hash finds its memory warm
			took[k] = append(took[k], h.time(client, kinds[k], i))
		}
	}
	return took
}

// time asks once. An account that is locked may have an attempt again by now, which is asked away.
func (h *host) time(client *http.Client, k kind, i int) float64 {
	h.Helper()
	status := 0
	for range 3 {
		r := k.ask(i)
		began := time.Now()
		resp, err := client.Do(r)
		h.must(err)
		_, err = io.Copy(io.Discard, resp.Body)
		took := time.Since(began)
		h.must(err)
		_ = resp.Body.Close()
		if status = resp.StatusCode; status == k.want {
			return float64(took) / float64(time.Microsecond)
		}
	}
	h.Fatalf("%s, number %d = %d; want %d", k.name, i, status, k.want)
	return 0
}

// toAPI returns a request of the API with the key for everything.
func (h *host) toAPI(method, path string, body any) *http.Request {
	h.Helper()
	text, err := json.Marshal(body)
	h.must(err)
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+h.api+path, strings.NewReader(string(text)))
	h.must(err)
	r.Header = http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}, "Content-Type": {"application/json"}}
	return r
}

// toSignIn returns a browser's form, from an address that nobody else has.
func (h *host) toSignIn(name, typed string) *http.Request {
	h.Helper()
	r, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+h.guard+"/auth/sign-in", strings.NewReader(url.Values{"username": {name}, "password": {typed}}.Encode()))
	h.must(err)
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
		"X-Forwarded-For": {fmt.Sprintf("10.%d.%d.%d", rand.N(256), rand.N(256), rand.N(256))}}
	return r
}

const wrongPassword = "not the password of anybody"

// people are accounts of one kind, by the names that they are asked for.
type people struct {
	kind  string
	names []string
	typed string
	found int // status that the API refuses them with
}

// crowd makes people of every kind that a sign-in refuses, nobody first. Each is asked for by username or by id.
func (h *host) crowd() []people {
	h.Helper()
	const kinds = 7
	number := (asked/kinds + tries - 1) / tries
	suspended := map[string]any{"state": "inactive"}
	return []people{
		{"nobody", nobody(number), wrongPassword, 404},
		{"a user", h.make(number, "human", map[string]any{"password": password}, nil), wrongPassword, 401},
		{"a user without a password", h.make(number, "human", nil, nil), wrongPassword, 401},
		{"a suspended user", h.make(number, "human", map[string]any{"password": password}, suspended), wrongPassword, 401},
		{"a suspended user with the right password", h.make(number, "human", map[string]any{"password": password}, suspended), password, 401},
		{"a user with a hash from elsewhere", h.make(number, "human", map[string]any{"password_hash": "{SSHA}W+phg1hgkxq85xigUytntGtSLGwspRSC"}, nil), wrongPassword, 401},
		{"a program with an API key", h.make(number, "api", nil, nil), wrongPassword, 401},
	}
}

// nobody returns names of so many who are not there.
func nobody(number int) []string {
	names := make([]string, number)
	for i := range names {
		if names[i] = "nobody" + stamp(); i%2 == 1 {
			names[i] = "usr_0" + stamp() + stamp() + "0"
		}
	}
	return names
}

// make makes so many users, and returns a name of each.
func (h *host) make(number int, sort string, fields, then map[string]any) []string {
	h.Helper()
	names := make([]string, number)
	for i := range names {
		name := sort + stamp()
		all := map[string]any{"user_type": sort, "username": name}
		if sort == "human" {
			all["email"] = name + "@example.com"
		}
		for k, v := range fields {
			all[k] = v
		}
		id := h.create(h.realm, "/v1/users", "user", all)
		if sort == "api" {
			h.create(h.realm, "/v1/credentials", "credential", map[string]any{"user_id": id, "credential_type": "api_key", "name": "k"})
		}
		if then != nil {
			if status, body := h.call("PUT", "/v1/users/"+id, map[string]any{"user": then}); status != 204 && status != 200 {
				h.Fatalf("PUT %v = %d %v", then, status, body)
			}
		}
		if names[i] = name; i%2 == 1 {
			names[i] = id
		}
	}
	return names
}

// byPassword asks the API to sign people in.
func (h *host) byPassword() []kind {
	return kindsOf(h.crowd(), func(name, typed string) *http.Request {
		return h.toAPI("POST", "/v1/users/"+name+"/authenticate", map[string]any{"password": typed})
	}, func(p people) int { return p.found })
}

// byForm asks the hosted page to.
func (h *host) byForm() []kind {
	return kindsOf(h.crowd(), h.toSignIn, func(people) int { return 401 })
}

// kindsOf returns what people are asked for by.
func kindsOf(all []people, ask func(name, typed string) *http.Request, want func(people) int) []kind {
	var kinds []kind
	for _, p := range all {
		kinds = append(kinds, kind{p.kind, func(i int) *http.Request { return ask(p.names[i%len(p.names)], p.typed) }, want(p)})
	}
	return kinds
}

// locked are accounts that have no attempts left.
func (h *host) locked() []people {
	h.Helper()
	some := map[string]any{"password": password}
	all := []people{
		{"nobody", nobody(4), wrongPassword, 0},
		{"a user", h.make(4, "human", some, nil), wrongPassword, 0},
		{"a user with the right password", h.make(4, "human", some, nil), password, 0},
		{"a suspended user", h.make(4, "human", some, map[string]any{"state": "inactive"}), wrongPassword, 0},
		{"a program", h.make(4, "api", nil, nil), wrongPassword, 0},
	}
	for _, p := range all {
		for _, name := range p.names {
			for range tries + 1 {
				h.call("POST", "/v1/users/"+name+"/authenticate", map[string]any{"password": wrongPassword})
			}
		}
	}
	return all
}

func (h *host) byPasswordWhileLocked() []kind {
	return kindsOf(h.locked(), func(name, typed string) *http.Request {
		return h.toAPI("POST", "/v1/users/"+name+"/authenticate", map[string]any{"password": typed})
	}, func(people) int { return 429 })
}

func (h *host) byFormWhileLocked() []kind {
	return kindsOf(h.locked(), h.toSignIn, func(people) int { return 429 })
}

// byChange asks for another password, from one that is wrong.
func (h *host) byChange() []kind {
	number := (asked/3 + tries - 1) / tries
	all := []people{
		{"nobody", nobody(number), "", 404},
		{"a user", h.make(number, "human", map[string]any{"password": password}, nil), "", 422},
		{"a user without a password", h.make(number, "human", nil, nil), "", 422},
	}
	return kindsOf(all, func(name, _ string) *http.Request {
		return h.toAPI("PUT", "/v1/users/"+name+"/update_password", map[string]any{"user": map[string]any{"current_password": wrongPassword, "password": "five other words make it", "password_confirmation": "five other words make it"}})
	}, func(p people) int { return p.found })
}

// byCode completes a sign-in that nobody began.
func (h *host) byCode() []kind {
	careful := make([]string, 4)
	for i := range careful {
		careful[i] = h.newCareful().id
	}
	all := []people{{"nobody", nobody(4), "", 0}, {"a user", h.make(4, "human", map[string]any{"password": password}, nil), "", 0}, {"a user with a second factor", careful, "", 0}}
	return kindsOf(all, func(name, _ string) *http.Request {
		return h.toAPI("POST", "/v1/users/"+name+"/authenticate_code", map[string]any{"user": map[string]any{"token": "kli_" + stamp() + stamp() + "0000", "code": "000000"}})
	}, func(people) int { return 404 })
}

// byKey shows API keys that nobody has any more, and such as only another realm knows.
func (h *host) byKey() []kind {
	const number = 8
	other := h.newRealm()
	keysIn := func(realm string) (keys, ids []string) {
		robot := h.create(realm, "/v1/users", "user", map[string]any{"user_type": "api", "username": "robot" + stamp()})
		for range number {
			status, body := h.call("POST", "/v1/credentials?realm_id="+realm, map[string]any{"credential": map[string]any{"user_id": robot, "credential_type": "api_key", "name": "k"}})
			key, _ := body["api_key"].(string)
			if status != 201 || key == "" {
				h.Fatalf("an API key = %d %v", status, body)
			}
			keys, ids = append(keys, key), append(ids, body["id"].(string))
		}
		return keys, ids
	}
	unknown, _ := keysIn(other)
	revoked, ids := keysIn(h.realm)
	for _, id := range ids {
		h.call("DELETE", "/v1/credentials/"+id, nil)
	}
	return kindsOf([]people{{"an unknown key", unknown, "", 0}, {"a key that was taken away", revoked, "", 0}}, func(key, _ string) *http.Request {
		return h.toAPI("POST", "/v1/users/authenticate_key", map[string]any{"api_key": key})
	}, func(people) int { return 404 })
}

// sidecars returns the sidecar over each store. Caddy has the same code.
func sidecars(t *testing.T) []*host {
	hosts.Do(func() { startAll(t) })
	return slices.DeleteFunc(slices.Clone(hosts.all), func(h *host) bool { return h.forward == "" })
}

// TestTimeTellsNobody measures every path, over the sidecar and both stores, one after another: they would be in each other's way.
func TestTimeTellsNobody(t *testing.T) {
	for _, h := range sidecars(t) {
		for name, kinds := range map[string]func(*host) []kind{
			"authenticate": (*host).byPassword, "sign-in page": (*host).byForm, "authenticate, locked": (*host).byPasswordWhileLocked, "sign-in page, locked": (*host).byFormWhileLocked,
			"update_password": (*host).byChange, "authenticate_code": (*host).byCode, "authenticate_key": (*host).byKey, "reauth": (*host).byForgedAPT,
		} {
			t.Run(h.name+"/"+name, func(t *testing.T) {
				mine := *h
				mine.T = t
				mine.toldApart(kinds)
			})
		}
	}
}

// toldApart fails where some kind is told from the first in two measurements.
func (h *host) toldApart(kinds func(*host) []kind) {
	h.Helper()
	client := from(insider)
	var before []int
	for range 2 {
		all := kinds(h)
		took := h.measure(client, all)
		told := make([]int, len(all))
		for k := 1; k < len(all); k++ {
			d := between(took[k], took[0])
			told[k] = d.tells()
			h.Logf("%s and %s: median %+.1f %%, quickest quarter %+.1f %%, p %.3g", all[k].name, all[0].name, 100*d.median, 100*d.quick, d.p)
			if before != nil && told[k] != 0 && told[k] == before[k] {
				h.Errorf("%s is told from %s by time, twice in a row", all[k].name, all[0].name)
			}
		}
		h.Logf("%d of each; %s takes %.0f µs; told in this measurement: %v", len(took[0]), all[0].name, median(took[0]), told)
		if before = told; !slices.ContainsFunc(told, func(t int) bool { return t != 0 }) {
			return
		}
	}
}

// TestTimeTellsASkippedHash is the measurement measured: a password that is empty is refused before anybody is looked for, which must be told.
func TestTimeTellsASkippedHash(t *testing.T) {
	h := *sidecars(t)[0]
	h.T = t
	names := nobody(asked / 2 / tries * 2)
	took := h.measure(from(insider), kindsOf([]people{{"nobody", names, wrongPassword, 404}, {"nobody, without a hash", names, "", 401}}, func(name, typed string) *http.Request {
		return h.toAPI("POST", "/v1/users/"+name+"/authenticate", map[string]any{"password": typed})
	}, func(p people) int { return p.found }))
	if d := between(took[1], took[0]); d.tells() != -1 {
		t.Errorf("a refusal without a hash, %.0f µs, is not told from one with it, %.0f µs: %+v", median(took[1]), median(took[0]), d)
	}
}

// byForgedAPT shows a token of an account provider that somebody else signed.
func (h *host) byForgedAPT() []kind {
	provider, forger := newKeys(h), newKeys(h)
	status, key := h.call("POST", "/v1/apt_keys", map[string]any{"apt_key": map[string]any{"name": "provider " + stamp(), "public_key": provider.edPEM}})
	if status != 201 {
		h.Fatalf("an APT key = %d %v", status, key)
	}
	token := func(by keys, id string) string {
		now := time.Now().Unix()
		return signer(by.eddsa).token(map[string]any{"alg": "EdDSA", "kid": key["kid"], "typ": "JWT"},
			map[string]any{"iat": now, "exp": now + 60, "user": map[string]any{"environment_guid": h.guid, "arbitrary_id": id}})
	}
	body := func(id string) map[string]any {
		return map[string]any{"user": map[string]any{"environment_guid": h.guid, "arbitrary_id": id}}
	}
	known := make([]string, 8)
	for i := range known {
		known[i] = stamp()
		if status, answer := h.callAs("", "POST", "/v1/users", body(known[i]), "Authorization", "Bearer "+token(provider, known[i])); status != 201 {
			h.Fatalf("a user by an APT = %d %v", status, answer)
		}
	}
	unknown := make([]string, 8)
	for i := range unknown {
		unknown[i] = stamp()
	}
	return kindsOf([]people{{"nobody", unknown, "", 0}, {"a user", known, "", 0}}, func(id, _ string) *http.Request {
		r := h.toAPI("POST", "/v1/users/reauth", body(id))
		r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token(forger, id)}}
		return r
	}, func(people) int { return 401 })
}
