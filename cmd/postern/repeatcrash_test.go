package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/demo"
	"github.com/postern-auth/postern/internal/redistest"
)

// How hard the process is killed while calls are made that can be sent again.
const (
	repeatKills   = 4
	repeatCallers = 12
	repeatMost    = 40 // answers in a round before the kill, at random from a quarter of it
)

// namedCall is a POST with an Idempotency-Key, and what it was answered.
type namedCall struct {
	name, path, body string
	text             string // "" = there was no whole answer
	what             string // the name of what it makes, which nothing else has
	password         string // of the user that it makes
}

// member returns a text of the answer.
func (n *namedCall) member(name string) string {
	var answer map[string]any
	_ = json.Unmarshal([]byte(n.text), &answer)
	text, _ := answer[name].(string)
	return text
}

// repeating is callers of a process that gets killed, who send again what was not answered.
type repeating struct {
	*testing.T
	facts demo.Facts
	http  *http.Client

	mu     sync.Mutex
	calls  []*namedCall
	told   int
	killAt int
	kill   func()
}

// TestRepeatAfterKill kills the process under a load of calls with Idempotency-Keys, several times, over the embedded store and over a Redis that
// is killed too and forgets nothing. Whatever was answered is answered again to the byte; what was not is sent again, and then
// is there once, with the secrets that were shown.
func TestRepeatAfterKill(t *testing.T) {
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		repeatAfterKill(t, func() {})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t, "appendonly yes", "appendfsync always")
		repeatAfterKill(t, func() { redis.Restart(t) }, "--redis", redis.URL())
	})
}

// repeatAfterKill is TestRepeatAfterKill over one store, which crash crashes.
func repeatAfterKill(t *testing.T, crash func(), store ...string) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	r := &repeating{T: t, http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: repeatCallers}}}
	arguments := append([]string{"--json", "--data", filepath.Join(t.TempDir(), "data")}, store...)
	for round := range repeatKills {
		p := r.start(arguments)
		r.killAt, r.kill = r.told+repeatMost/4+random.IntN(repeatMost), func() { _ = p.cmd.Process.Kill() }
		r.load(round)
		r.kill() // in case that too few were told
		_ = p.cmd.Wait()
		if r.told < r.killAt {
			t.Fatalf("the process ended by itself: %s", p.stderr)
		}
		crash()
	}
	p := r.start(arguments)
	r.sendAgain()
	names := map[string]map[string]int{"/orgs": r.names("/orgs"), "/management_keys": r.names("/management_keys")}
	for _, n := range r.calls {
		r.check(n)
		if there := names[n.path]; there != nil && there[n.what] != 1 {
			t.Errorf("of %s there are %d called %s; want 1", n.path, there[n.what], n.what)
		}
	}
	p.interrupt(t)
}

// start starts the process.
func (r *repeating) start(arguments []string) *running {
	r.Helper()
	p := dev(r.T, arguments...)
	key := r.facts.ManagementKey
	if r.facts = p.facts(r.T); r.facts.ManagementKey == nil {
		r.facts.ManagementKey = key // it is shown once
	}
	return p
}

// load calls from many sides until the process is gone.
func (r *repeating) load(round int) {
	var work sync.WaitGroup
	for caller := range repeatCallers {
		work.Go(func() {
			for i := 0; r.makeSome(fmt.Sprintf("c%d-%d-%d", round, caller, i), caller == 0); i++ {
			}
		})
	}
	work.Wait()
}

// makeSome makes one of each thing, and reports whether there were answers.
func (r *repeating) makeSome(what string, withPassword bool) bool {
	person := &namedCall{path: "/users", what: what, body: fmt.Sprintf(`{"user":{"user_type":"human","username":%q,"email":"%s@example.com"}}`, what, what)}
	if withPassword {
		person.password = crashPassword
		person.body = strings.Replace(person.body, "{\"user\":{", `{"user":{"password":"`+crashPassword+`",`, 1)
	}
	robot := &namedCall{path: "/users", what: what + "-bot", body: fmt.Sprintf(`{"user":{"user_type":"api","username":"%s-bot"}}`, what)}
	org := &namedCall{path: "/orgs", what: what, body: fmt.Sprintf(`{"org":{"name":%q}}`, what)}
	key := &namedCall{path: "/management_keys", what: what, body: fmt.Sprintf(`{"management_key":{"name":%q,"permissions":["read"]}}`, what)}
	if !r.make(person) || !r.make(robot) || !r.make(org) || !r.make(key) {
		return false
	}
	return r.make(&namedCall{path: "/memberships", what: person.member("id"),
		body: fmt.Sprintf(`{"membership":{"user_id":%q,"org_id":%q}}`, person.member("id"), org.member("id"))}) &&
		r.make(&namedCall{path: "/credentials", what: robot.member("id"),
			body: fmt.Sprintf(`{"credential":{"user_id":%q,"credential_type":"api_key"}}`, robot.member("id"))})
}

// make makes a call for the first time, and kills the process after enough answers. It reports whether there was one.
func (r *repeating) make(n *namedCall) bool {
	r.mu.Lock()
	n.name = fmt.Sprintf("call-%d", len(r.calls))
	r.calls = append(r.calls, n)
	r.mu.Unlock()
	status, text, replayed := r.send(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	if status == 0 {
		return false
	}
	if status != http.StatusCreated || replayed {
		r.Errorf("POST %s %s under load = %d %s, replayed: %t; want 201", n.path, n.body, status, text, replayed)
		return false
	}
	n.text = text
	if r.told++; r.told == r.killAt {
		r.kill()
	}
	return true
}

// sendAgain sends all calls again. One that was cut off is given up by the server after half a minute, and 409 until then.
func (r *repeating) sendAgain() {
	r.Helper()
	unanswered, cut, done := 0, 0, 0
	for _, n := range r.calls {
		first := n.text
		status, text, replayed := r.send(n)
		if status == http.StatusConflict {
			cut++
		}
		for deadline := time.Now().Add(2 * time.Minute); status == http.StatusConflict && time.Now().Before(deadline); {
			time.Sleep(100 * time.Millisecond)
			status, text, replayed = r.send(n)
		}
		if n.text = text; status != http.StatusCreated || first != "" && (text != first || !replayed) {
			r.Errorf("POST %s %s again = %d %s, replayed: %t; the first answer was %q", n.path, n.body, status, text, replayed, first)
		}
		if first == "" {
			unanswered++
			if replayed {
				done++
			}
		}
		if status, text, replayed := r.send(n); status != http.StatusCreated || text != n.text || !replayed {
			r.Errorf("POST %s %s once more = %d %s, replayed: %t; want %s", n.path, n.body, status, text, replayed, n.text)
		}
	}
	r.Logf("%d calls, of which %d had no answer; %d of these were cut off in the middle, and %d had been carried out", len(r.calls), unanswered, cut, done)
	if unanswered == 0 {
		r.Error("every call was answered; want some that the kills cut off")
	}
}

// check looks at what a call made: it is there once, and its secret is good.
func (r *repeating) check(n *namedCall) {
	r.Helper()
	id := n.member("id")
	switch n.path {
	case "/users":
		r.found("/users/"+n.what, `"id":"`+id+`"`, 1)
		if n.password != "" {
			r.proves("/users/"+n.what+"/authenticate", `{"password":"`+n.password+`"}`, id)
		}
	case "/orgs":
		r.found("/orgs/"+id, `"name":"`+n.what+`"`, 1)
	case "/memberships":
		r.found("/memberships?user_id="+n.what, `"object":"membership"`, 1)
		r.found("/memberships/"+id, `"user_id":"`+n.what+`"`, 1)
	case "/credentials":
		r.found("/users/"+n.what+"?expand=credentials", `"object":"credential"`, 1)
		r.proves("/users/authenticate_key", `{"api_key":"`+n.member("api_key")+`"}`, n.what)
	case "/management_keys":
		r.found("/management_keys/"+id, `"name":"`+n.what+`"`, 1)
		if status, text, _ := r.call("GET", "/orgs?max_results=1", "", n.member("secret"), ""); status != http.StatusOK {
			r.Errorf("GET /orgs with the management key that was shown = %d %s; want 200", status, text)
		}
	}
}

// names returns how many things on a list have each name.
func (r *repeating) names(path string) map[string]int {
	r.Helper()
	names := map[string]int{}
	for after := ""; ; {
		status, text, _ := r.call("GET", path+"?max_results=100&after="+after, "", *r.facts.ManagementKey, "")
		var page struct {
			Collection  []struct{ ID, Name string }
			MoreResults bool `json:"more_results"`
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
			r.Fatalf("GET %s = %d %s; want a list", path, status, text)
		}
		for _, thing := range page.Collection {
			names[thing.Name]++
			after = thing.ID
		}
		if !page.MoreResults {
			return names
		}
	}
}

// found gets something, whose text is to have a part so many times.
func (r *repeating) found(path, part string, times int) {
	r.Helper()
	if status, text, _ := r.call("GET", path, "", *r.facts.ManagementKey, ""); status != http.StatusOK || strings.Count(text, part) != times {
		r.Errorf("GET %s = %d %s; want %s, %d times", path, status, text, part, times)
	}
}

// proves asks who a secret is of.
func (r *repeating) proves(path, body, user string) {
	r.Helper()
	if status, text, _ := r.call("POST", path, body, *r.facts.ManagementKey, ""); status != http.StatusOK || !strings.Contains(text, `"id":"`+user+`"`) {
		r.Errorf("POST %s = %d %s; want %s", path, status, text, user)
	}
}

// send makes a call that can be sent again.
func (r *repeating) send(n *namedCall) (status int, text string, replayed bool) {
	return r.call("POST", n.path, n.body, *r.facts.ManagementKey, n.name)
}

// call returns the status 0 where no whole answer came.
func (r *repeating) call(method, path, body, key, name string) (status int, text string, replayed bool) {
	req, err := http.NewRequest(method, r.facts.APIURL+path, strings.NewReader(body))
	if err != nil {
		r.Error(err)
		return 0, "", false
	}
	req.Header = http.Header{"X-Authrocket-Api-Key": {key}, "X-Authrocket-Realm": {r.facts.RealmID}, "Content-Type": {"application/json"}}
	if name != "" {
		req.Header["Idempotency-Key"] = []string{name}
		req.GetBody = nil // so that net/http, which knows the header, sends nothing again by itself
	}
	res, err := r.http.Do(req)
	if err != nil {
		return 0, "", false
	}
	defer res.Body.Close()
	whole, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", false
	}
	return res.StatusCode, string(whole), res.Header.Get("Idempotency-Replayed") == "true"
}
