package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/internal/demo"
)

// How hard the process is killed.
const (
	crashRounds  = 5
	crashWorkers = 6   // of each kind of load, but for passwords, which are slow by design
	crashMost    = 100 // acknowledgements in a round before the kill, at random from a third of it
)

// crashed is what the callers of a process that gets killed were told, and what they asked for without being told.
type crashed struct {
	*testing.T
	facts    demo.Facts
	provider *client.APTSigner
	http     *http.Client

	mu       sync.Mutex
	told     int
	kill     func() // after so many tellings
	killAt   int
	provided []*account // made with an APT
	managed  []*account // made with the management key
}

// account is a user that somebody asked for.
type account struct {
	name     string // the arbitrary_id, or the username
	id       string // "" = nobody said that it exists
	token    string // of the session that an APT began
	session  string
	ended    outcome // the end of the session
	password outcome // the setting of one
}

// outcome is what became of a command.
type outcome int

const (
	notSent outcome = iota
	unknown         // sent, and not answered
	done
)

const crashPassword = "four words make it long"

// TestKillUnderLoad kills the process over the embedded store under load, several times over one folder. What was
// acknowledged is there, nothing is there by halves, and what was asked for without an answer can be asked for again.
func TestKillUnderLoad(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	c := &crashed{T: t, http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4 * crashWorkers}}}
	data := filepath.Join(t.TempDir(), "data")
	for round := range crashRounds {
		r := c.start(data)
		since, sinceManaged := len(c.provided), len(c.managed)
		c.killAt, c.kill = c.told+crashMost/3+random.IntN(crashMost), func() { _ = r.cmd.Process.Kill() }
		c.load(round)
		c.kill() // in case that too few were told
		_ = r.cmd.Wait()
		if c.told < c.killAt {
			t.Fatalf("the process ended by itself: %s", r.stderr)
		}
		again := c.start(data)
		c.check(c.provided[since:], c.managed[sinceManaged:])
		if round == crashRounds-1 {
			c.check(c.provided, c.managed)
		}
		c.checkList()
		again.interrupt(t)
	}
	t.Logf("%d users by APT, %d by management key, %d acknowledgements", len(c.provided), len(c.managed), c.told)
}

// start starts the process over the data folder.
func (c *crashed) start(data string) *running {
	c.Helper()
	r := dev(c.T, "--json", "--data", data)
	key := c.facts.ManagementKey
	c.facts = r.facts(c.T)
	if c.facts.ManagementKey == nil {
		c.facts.ManagementKey = key // it is shown once
	}
	private, err := os.ReadFile(c.facts.APTKeyFile)
	if err != nil {
		c.Fatal(err)
	}
	if c.provider, err = client.NewAPTSigner(private, c.facts.EnvironmentGUID); err != nil {
		c.Fatal(err)
	}
	return r
}

// load calls the API from many sides until it is gone.
func (c *crashed) load(round int) {
	var work sync.WaitGroup
	for w := range crashWorkers {
		work.Go(func() {
			for i := 0; c.provideOne(fmt.Sprintf("acct-%d-%d-%d", round, w, i), i%2 == 1); i++ {
			}
		})
		work.Go(func() {
			for i := 0; c.manageOne(fmt.Sprintf("user-%d-%d-%d", round, w, i), w == 0); i++ {
			}
		})
	}
	work.Wait()
}

// provideOne creates a user with an APT, and may end the session. It reports whether there were answers.
func (c *crashed) provideOne(name string, end bool) bool {
	a := c.asked(&c.provided, name)
	status, answer := c.provide(name)
	if !c.heard(status, http.StatusCreated, func() { a.id, a.token = answer.Data.ID, answer.Data.Attributes.Token }) {
		return false
	}
	status, answer = c.manage("GET", "/sessions/"+a.token, "")
	if !c.heard(status, http.StatusOK, func() { a.session = answer.ID }) {
		return false
	}
	if !end {
		return true
	}
	a.ended = unknown
	status, _ = c.manage("DELETE", "/sessions/"+a.session, "")
	return c.heard(status, http.StatusNoContent, func() { a.ended = done })
}

// manageOne creates a user with the management key, and may give it a password. It reports whether there were answers.
func (c *crashed) manageOne(name string, withPassword bool) bool {
	a := c.asked(&c.managed, name)
	status, answer := c.manage("POST", "/users", newUser(name))
	if !c.heard(status, http.StatusCreated, func() { a.id = answer.ID }) || !withPassword {
		return a.id != ""
	}
	a.password = unknown
	status, _ = c.manage("PUT", "/users/"+a.id, `{"user":{"password":"`+crashPassword+`"}}`)
	return c.heard(status, http.StatusOK, func() { a.password = done })
}

func newUser(name string) string {
	return fmt.Sprintf(`{"user":{"user_type":"human","username":%q,"email":"%s@example.com","reference":"crash"}}`, name, name)
}

// asked notes a user that is about to be asked for.
func (c *crashed) asked(list *[]*account, name string) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &account{name: name}
	*list = append(*list, a)
	return a
}

// heard notes an acknowledgement, and kills the process after enough of them. It reports whether there was one.
func (c *crashed) heard(status, want int, note func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status == 0 {
		return false // the process is gone
	}
	if status != want {
		c.Errorf("an answer under load = %d; want %d", status, want)
		return false
	}
	note()
	if c.told++; c.told == c.killAt {
		c.kill()
	}
	return true
}

// check holds accounts to what was said of them.
func (c *crashed) check(provided, managed []*account) {
	c.Helper()
	for _, a := range provided {
		c.checkProvided(a)
	}
	for _, a := range managed {
		c.checkManaged(a)
	}
}

func (c *crashed) checkProvided(a *account) {
	c.Helper()
	status, _ := c.provide(a.name)
	if a.id != "" && status != http.StatusConflict || status != http.StatusConflict && status != http.StatusCreated {
		c.Errorf("create %s again = %d; want 409, or 201 if it was never acknowledged", a.name, status)
	}
	status, answer := c.reissue(a.name)
	if status != http.StatusCreated || a.id != "" && answer.Data.ID != a.id {
		c.Errorf("reauth %s = %d for %q; want 201 for %q", a.name, status, answer.Data.ID, a.id)
	}
	if a.id == "" {
		a.id, a.token = answer.Data.ID, answer.Data.Attributes.Token // the repeated command went on
		return
	}
	if status, answer := c.manage("GET", "/users/"+a.id, ""); status != http.StatusOK || answer.ArbitraryID != a.name {
		c.Errorf("get %s = %d, arbitrary_id %q; want %q", a.id, status, answer.ArbitraryID, a.name)
	}
	if a.ended == unknown {
		status, _ := c.manage("DELETE", "/sessions/"+a.session, "")
		if status != http.StatusNoContent && status != http.StatusNotFound {
			c.Errorf("delete the session of %s again = %d; want 204, or 404", a.name, status)
		}
		a.ended = done
	}
	want := http.StatusOK
	if a.ended == done {
		want = http.StatusUnauthorized
	}
	if status := c.guarded(a.token); status != want {
		c.Errorf("the app for %s = %d; want %d", a.name, status, want)
	}
}

func (c *crashed) checkManaged(a *account) {
	c.Helper()
	if a.id == "" { // nobody said that it exists: it can be made, or it is whole
		status, answer := c.manage("POST", "/users", newUser(a.name))
		if status != http.StatusCreated {
			_, answer = c.manage("GET", "/users/"+a.name, "")
		}
		a.id = answer.ID
	}
	for _, name := range []string{a.id, a.name, a.name + "@example.com"} {
		if status, answer := c.manage("GET", "/users/"+name, ""); status != http.StatusOK || answer.ID != a.id || answer.Username != a.name {
			c.Errorf("get %s = %d, %s called %q; want %s called %q", name, status, answer.ID, answer.Username, a.id, a.name)
		}
	}
	if status, _ := c.manage("POST", "/users", newUser(a.name)); status/100 != 4 {
		c.Errorf("create %s again = %d; want a refusal", a.name, status)
	}
	if a.password == unknown {
		if status, _ := c.manage("PUT", "/users/"+a.id, `{"user":{"password":"`+crashPassword+`"}}`); status != http.StatusOK {
			c.Errorf("set the password of %s again = %d; want 200", a.name, status)
		}
		a.password = done
	}
	if a.password == done {
		if status, answer := c.manage("POST", "/users/"+a.name+"/authenticate", `{"password":"`+crashPassword+`"}`); status != http.StatusOK || answer.Token == "" {
			c.Errorf("authenticate %s = %d; want 200", a.name, status)
		}
	}
}

// checkList asks for every user that is listed, by id and by username, and counts them.
func (c *crashed) checkList() {
	c.Helper()
	listed := map[string]bool{}
	for after := ""; ; {
		status, page := c.manage("GET", "/users?max_results=100&sort=id&user_type=all&after="+after, "")
		if status != http.StatusOK {
			c.Fatalf("list = %d; want 200", status)
		}
		for _, u := range page.Collection {
			after, listed[u.ID] = u.ID, true
			for _, name := range []string{u.ID, u.Username} {
				if name == "" {
					continue
				}
				if status, answer := c.manage("GET", "/users/"+name, ""); status != http.StatusOK || answer.ID != u.ID {
					c.Errorf("get %s, which is listed = %d, %q; want %s", name, status, answer.ID, u.ID)
				}
			}
		}
		if !page.MoreResults {
			break
		}
	}
	for _, a := range append(c.provided[:len(c.provided):len(c.provided)], c.managed...) {
		if !listed[a.id] {
			c.Errorf("%s, %q, is not listed", a.name, a.id)
		}
		delete(listed, a.id)
	}
	if len(listed) > 0 {
		c.Errorf("listed, and nobody asked for them: %v", listed)
	}
}

// crashAnswer is what of an answer matters here, in both families.
type crashAnswer struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	ArbitraryID string `json:"arbitrary_id"`
	Token       string `json:"token"`
	Data        struct {
		ID         string
		Attributes struct{ Token string }
	}
	Collection []struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	} `json:"collection"`
	MoreResults bool `json:"more_results"`
}

func (c *crashed) provide(name string) (int, crashAnswer) { return c.byAPT("/users", name) }
func (c *crashed) reissue(name string) (int, crashAnswer) { return c.byAPT("/users/reauth", name) }

// byAPT calls as an account provider, with an APT that names the user.
func (c *crashed) byAPT(path, name string) (int, crashAnswer) {
	apt, err := c.provider.Sign(name, 0)
	if err != nil {
		c.Error(err)
		return 0, crashAnswer{}
	}
	body := fmt.Sprintf(`{"data":{"type":"user","attributes":{"arbitrary_id":%q}}}`, name)
	return c.call("POST", c.facts.APIURL+path, body, map[string]string{"Authorization": "Bearer " + apt, "Content-Type": "application/vnd.api+json"})
}

// manage calls as a back end.
func (c *crashed) manage(method, path, body string) (int, crashAnswer) {
	return c.call(method, c.facts.APIURL+path, body, map[string]string{
		"X-Authrocket-Api-Key": *c.facts.ManagementKey, "X-Authrocket-Realm": c.facts.RealmID, "Content-Type": "application/json"})
}

// guarded asks the guarded app.
func (c *crashed) guarded(token string) int {
	status, _ := c.call("GET", c.facts.GuardURL, "", map[string]string{"Authorization": "Bearer " + token})
	return status
}

// call returns the status 0 where no whole answer came.
func (c *crashed) call(method, url, body string, headers map[string]string) (int, crashAnswer) {
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		c.Error(err)
		return 0, crashAnswer{}
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, crashAnswer{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, crashAnswer{}
	}
	var answer crashAnswer
	_ = json.Unmarshal(text, &answer) // errors and the app's answers have other forms
	return res.StatusCode, answer
}
