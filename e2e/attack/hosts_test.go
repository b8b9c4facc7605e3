// Package attack is the hostile stranger: it starts both hosts over both stores, and fires at them whatever might make one
// let somebody in, tell the app a lie, or say too much. An attack that gets through fails a test.
package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// host is a running host: a guarded witness, and the API.
type host struct {
	*testing.T
	name    string
	guard   string // address of the guarded app
	api     string // address of the API
	admin   string // address of the metrics
	forward string // address that proxies ask; only the sidecar has one
	witness *witness
	redis   *proctest.Program // nil with the embedded store
	process *proctest.Program
	log     string // file of what it said
	store   string // folder of what is stored
	key     string // for all realms, with every permission
	realm   string // id of the default realm
	guid    string // its environment
	users   map[string]user
}

// user is somebody that the test made.
type user struct{ id, token string }

const password = "four words make it long"

// insider is an address of a proxy that the sidecar trusts. All others are not.
const insider = "127.0.0.9"

var hosts = struct {
	sync.Once
	all []*host
}{}

// each runs a test against every host, all at once. The first starts them.
func each(t *testing.T, test func(h *host)) {
	hosts.Do(func() { startAll(t) })
	if len(hosts.all) != 4 {
		t.Fatal("the hosts did not start")
	}
	for _, h := range hosts.all {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			mine := *h
			mine.T = t
			test(&mine)
		})
	}
}

var home string // of everything

// TestMain stops the hosts at the end.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, name := range []string{"POSTERN", "CADDY", "REDIS"} {
			if os.Getenv(name) == "" {
				fmt.Printf("%s must name a program: see scripts/attack\n", name)
				return 1
			}
		}
		var err error
		if home, err = os.MkdirTemp("", "attack-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(home)
		defer stopAll()
		return max(m.Run(), tellTales())
	}())
}

// processes are what runs, to be stopped.
var processes []*proctest.Program

func stopAll() {
	for _, p := range processes {
		p.Kill()
	}
}

// startAll starts every host over every store.
func startAll(t *testing.T) {
	for _, program := range []string{"sidecar", "caddy"} {
		for _, store := range []string{"bolt", "redis"} {
			h := &host{T: t, name: program + " over " + store, users: map[string]user{}}
			folder := filepath.Join(home, program+"-"+store)
			h.must(os.MkdirAll(folder, 0o700))
			h.start(program, store, folder)
			hosts.all = append(hosts.all, h)
		}
	}
}

func (h *host) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// settings are the guard's, as the sidecar reads them.
const settings = `
from: [bearer, cookie, api_key]
public: [/open/*, /exact]
optional: false
rules:
  - path: [/admin/*]
    require: [fly]
  - path: [/fresh]
    method: [POST]
    mfa: true
copy_headers:
  X-Postern-User-Id: id
  X-Postern-Username: username
  X-Postern-Email: email
  X-Postern-Name: name
  X-Postern-Plan: custom.plan
  Remote-User: username
assertion: https://app.example.com
`

const caddyfile = `{
	admin ADMIN
	debug
	storage file_system HOME/caddy
	servers {
		protocols h1 h2c
	}
	postern {
		data HOME/data
		hash_memory 8192
		hash_passes 1
		REDIS
	}
}

http://GUARD {
	log {
		format filter {
			wrap json
			fields {
				request>headers>X-Api-Key delete
			}
		}
	}
	postern_pages
	postern_auth {
		from bearer cookie api_key
		public /open/* /exact
		rule /admin/* {
			require fly
		}
		rule /fresh {
			method POST
			mfa
		}
		login_url /auth/sign-in
		copy_headers {
			X-Postern-User-Id id
			X-Postern-Username username
			X-Postern-Email email
			X-Postern-Name name
			X-Postern-Plan custom.plan
			Remote-User username
		}
		assertion https://app.example.com
	}
	reverse_proxy WITNESS
}

http://API {
	postern_api
}
`

// start starts a host, and makes ann, who is guarded.
func (h *host) start(program, store, home string) {
	h.witness = newWitness(h.T)
	h.guard, h.api, h.admin = proctest.Free(h), proctest.Free(h), proctest.Free(h)
	h.log, h.store = filepath.Join(home, "log"), filepath.Join(home, "data")
	url := ""
	master := filepath.Join(home, "master.key")
	h.must(os.WriteFile(master, []byte(strings.Repeat("5a", 32)), 0o600))
	if store == "redis" {
		at := proctest.Free(h)
		_, port, _ := net.SplitHostPort(at)
		h.store = filepath.Join(home, "redis")
		h.must(os.MkdirAll(h.store, 0o700))
		h.redis = h.run(filepath.Join(home, "redis.log"), home, at, os.Getenv("REDIS"), "--port", port, "--bind", "127.0.0.1", "--dir", h.store, "--appendonly", "yes", "--save", "")
		url = "redis://" + at
	}
	if program == "sidecar" {
		h.forward = proctest.Free(h)
		text := fmt.Sprintf("upstream: http://%s\nlisten: %s\napi_listen: %s\nadmin_listen: %s\nforward_auth_listen: %s\ndata: %s\nmaster_key_file: %s\nh2c: true\naccess_log: true\nhash_memory: 8192\nhash_passes: 1\ntrusted_proxies: [%s]\n%s",
			h.witness.address(), h.guard, h.api, h.admin, h.forward, filepath.Join(home, "data"), master, insider, settings)
		if url != "" {
			text += "redis_url: " + url + "\n"
		}
		config := filepath.Join(home, "postern.yaml")
		h.must(os.WriteFile(config, []byte(text), 0o600))
		h.process = h.run(h.log, home, h.api, os.Getenv("POSTERN"), "serve", "--config", config)
	} else {
		redis := "master_key {file." + master + "}"
		if url != "" {
			redis += "\n\t\tredis " + url
		}
		text := strings.NewReplacer("ADMIN", h.admin, "HOME", home, "REDIS", redis, "GUARD", h.guard, "API", h.api, "WITNESS", h.witness.address()).Replace(caddyfile)
		config := filepath.Join(home, "Caddyfile")
		h.must(os.WriteFile(config, []byte(text), 0o600))
		h.process = h.run(h.log, home, h.api, os.Getenv("CADDY"), "run", "--adapter", "caddyfile", "--config", config)
	}
	h.eventually("there is a management key", func() bool {
		key, err := os.ReadFile(filepath.Join(home, "data", "management.key"))
		h.key = string(key)
		return err == nil && h.key != ""
	})
	h.eventually("the API answers", func() bool {
		status, body := h.call("GET", "/v1/realms", nil)
		realms, _ := body["collection"].([]any)
		if status != http.StatusOK || len(realms) == 0 {
			return false
		}
		first := realms[0].(map[string]any)
		h.realm, h.guid = first["id"].(string), first["environment_guid"].(string)
		return true
	})
	h.users["ann"] = h.newUser("ann", map[string]any{"custom": map[string]any{"plan": "gold"}, "first_name": "Ann"})
}

// run runs a program until all is over, and returns once it listens.
func (h *host) run(log, home, listen, name string, args ...string) *proctest.Program {
	h.Helper()
	out, err := os.Create(log)
	h.must(err)
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = out, out
	command.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH")}
	p, err := proctest.Start(command)
	h.must(err)
	processes = append(processes, p)
	if err := p.Await(func() bool { return proctest.Listens(listen) }); err != nil {
		said, _ := os.ReadFile(log)
		h.Fatalf("%v %s", err, tail(said))
	}
	return p
}

// eventually waits until something is so.
func (h *host) eventually(what string, so func() bool) {
	h.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if so() {
			return
		}
	}
	said, _ := os.ReadFile(h.log)
	h.Fatalf("after a minute it is still not so that %s; the host said %s", what, tail(said))
}

func tail(text []byte) []byte { return text[max(0, len(text)-3000):] }

// call calls the API with the key for everything.
func (h *host) call(method, path string, body any, headers ...string) (int, map[string]any) {
	h.Helper()
	return h.callAs(h.key, method, path, body, headers...)
}

// callAs calls the API with a management key.
func (h *host) callAs(key, method, path string, body any, headers ...string) (int, map[string]any) {
	h.Helper()
	header := http.Header{"X-Authrocket-Realm": {"default"}}
	if key != "" {
		header.Set("X-Authrocket-Api-Key", key)
	}
	status, _, text := h.send(method, "http://"+h.api+path, body, header, headers...)
	var answer map[string]any
	_ = json.Unmarshal(text, &answer)
	return status, answer
}

// send sends a request with a body in JSON, and headers in pairs.
func (h *host) send(method, url string, body any, header http.Header, headers ...string) (int, http.Header, []byte) {
	h.Helper()
	var in io.Reader
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	switch body := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(body)
		header.Set("Content-Type", "application/json")
	default:
		text, err := json.Marshal(body)
		h.must(err)
		in = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	r, err := http.NewRequest(method, url, in)
	h.must(err)
	r.Header = header
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, []byte(err.Error())
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	secrets.hear(text)
	return resp.StatusCode, resp.Header, text
}

var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       patience,
}

// newUser makes a person and signs them in.
func (h *host) newUser(name string, more map[string]any) user {
	h.Helper()
	fields := map[string]any{"user_type": "human", "username": name, "email": name + "@example.com", "password": password}
	for k, v := range more {
		fields[k] = v
	}
	status, body := h.call("POST", "/v1/users", map[string]any{"user": fields})
	if status != http.StatusCreated {
		h.Fatalf("create %s = %d %v", name, status, body)
	}
	id := body["id"].(string)
	return user{id, h.signIn(id)}
}

// signIn returns a new session token.
func (h *host) signIn(name string) string {
	h.Helper()
	status, body := h.call("POST", "/v1/users/"+name+"/authenticate", map[string]any{"password": password})
	if status != http.StatusOK {
		h.Fatalf("authenticate %s = %d %v", name, status, body)
	}
	return body["token"].(string)
}
