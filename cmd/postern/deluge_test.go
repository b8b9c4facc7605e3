package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/internal/redistest"
)

// delugeVariable says how many users are imported while hooks listen: 1,000 unless it is said.
const delugeVariable = "POSTERN_TEST_DELUGE"

// receiver is an app that is called by a webhook.
type receiver struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request) // after what came is noted

	mu    sync.Mutex
	calls int
	ids   map[string]string // by the event: the webhook-id that its calls had
	users map[string]string // by the user: the event
	wrong []string
}

// receive starts a receiver.
func receive(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	h := &receiver{answer: answer, ids: map[string]string{}, users: map[string]string{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP notes whom a call is about.
func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event client.Event
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	if err == nil {
		h.note(&event, r.Header.Get("Webhook-Id"))
	}
	h.answer(w, r)
}

// note notes a call, and what is wrong with it.
func (h *receiver) note(event *client.Event, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if known, again := h.ids[event.ID]; again && known != id || id == "" {
		h.wrong = append(h.wrong, fmt.Sprintf("event %s comes as %q and as %q", event.ID, known, id))
	}
	if known, again := h.users[event.UserID]; again && known != event.ID {
		h.wrong = append(h.wrong, fmt.Sprintf("user %s was made by event %s and by %s", event.UserID, known, event.ID))
	}
	h.ids[event.ID], h.users[event.UserID] = id, event.ID
}

// heard returns of how many users it heard, in how many calls.
func (h *receiver) heard() (users, calls int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.users), h.calls
}

// deluge is an import of many users into a realm with hooks of every kind of temper.
type deluge struct {
	*testing.T
	many    int
	data    string
	redis   []string // flags
	file    string   // of users
	key     string   // file
	url     string   // of the API
	healthy []*receiver
	api     atomic.Pointer[client.Client]
	server  *running
}

// TestDeluge imports many users while eight hooks listen, of which some are slow and some fail, and kills the process in the middle of it. Another goes on:
// each hook that answers hears of everybody, under one id, and the record of events has everybody in order and holds to its seals.
//
//	POSTERN_TEST_DELUGE=20000 go test -v -timeout 1h -run TestDeluge ./cmd/postern
func TestDeluge(t *testing.T) {
	many := 1000
	if text := os.Getenv(delugeVariable); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil || many < 1000 {
			t.Fatalf("%s = %q; want a number of at least 1000", delugeVariable, text)
		}
	}
	t.Setenv("POSTERN_WEBHOOK_ALLOW", "127.0.0.1")
	t.Run("bolt", func(t *testing.T) { pour(t, many) })
	t.Run("redis", func(t *testing.T) {
		pour(t, many, "--redis", redistest.Start(t, "appendonly yes").URL())
	})
}

// pour is the story over one store.
func pour(t *testing.T, many int, redis ...string) {
	folder := t.TempDir()
	d := &deluge{T: t, many: many, data: filepath.Join(folder, "data"), redis: redis, file: filepath.Join(folder, "users.ndjson"), key: filepath.Join(folder, "key")}
	d.start()
	d.write()
	d.hooks()
	signedIn := d.signIns()

	d.killUnderImport()
	d.start()
	out, err := exec.CommandContext(d.Context(), program, d.importing()...).CombinedOutput() // which takes its time where they are very many
	if err != nil || !strings.Contains(string(out), "0 failed") {
		t.Fatalf("postern import again = %v: %s", err, out)
	}
	d.everybodyIsHeardOf()
	good, longest := signedIn()
	t.Logf("%d sign-ins meanwhile, the longest %v; memory: %s", good, longest, d.memory())
	if good == 0 {
		t.Error("nobody could sign in meanwhile")
	}
	d.recordIsWhole()
	d.server.interrupt(t)
	must(t, "default: all ", append([]string{"events", "verify", "--data", d.data, "--master-key-file", filepath.Join(d.data, "master.key")}, redis...)...)
}

// start starts the process, or another after it.
func (d *deluge) start() {
	d.Helper()
	d.server = dev(d.T, append([]string{"--json", "--data", d.data}, d.redis...)...)
	facts := d.server.facts(d.T)
	go func() { _, _ = io.Copy(io.Discard, d.server.stdout) }()
	if facts.ManagementKey != nil { // it is shown once
		if err := os.WriteFile(d.key, []byte(*facts.ManagementKey), 0o600); err != nil {
			d.Fatal(err)
		}
	}
	key, err := os.ReadFile(d.key)
	if err != nil {
		d.Fatal(err)
	}
	api, err := client.New(client.Options{URL: facts.APIURL, Key: string(key), Realm: facts.RealmID})
	if err != nil {
		d.Fatal(err)
	}
	d.url = facts.APIURL
	d.api.Store(api)
}

// write writes the file of users.
func (d *deluge) write() {
	d.Helper()
	var lines bytes.Buffer
	for i := range d.many {
		fmt.Fprintf(&lines, `{"source":"deluge:%d","username":"user-%d","email":"user-%d@example.com"}`+"\n", i, i, i)
	}
	if err := os.WriteFile(d.file, lines.Bytes(), 0o600); err != nil {
		d.Fatal(err)
	}
}

// importing is the command that imports it.
func (d *deluge) importing() []string {
	return []string{"import", "--key-file", d.key, "--api", d.url, d.file}
}

// hooks makes eight hooks: five that answer, of which one takes its time, one that always fails, one that never answers, and one that nobody is at.
func (d *deluge) hooks() {
	d.Helper()
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	slow := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(10 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}
	for _, answer := range []func(http.ResponseWriter, *http.Request){ok, ok, ok, ok, slow} {
		d.healthy = append(d.healthy, receive(d.T, answer))
	}
	end := make(chan struct{})
	failing := receive(d.T, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	hanging := receive(d.T, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	d.Cleanup(func() { close(end) }) // before the receiver waits for its calls
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	addresses := []string{failing.URL, hanging.URL, gone.URL}
	for _, h := range d.healthy {
		addresses = append(addresses, h.URL)
	}
	for _, address := range addresses {
		_, err := d.api.Load().AppHooks.Create(d.Context(), client.AppHookCreate{HookType: "webhook",
			AppHookChange: client.AppHookChange{Destination: &address, EventType: []string{"user.created"}}})
		if err != nil {
			d.Fatal(err)
		}
	}
}

// signIns signs somebody in again and again, whichever process is there, until the function that it returns is called: that says how often it
// went well, and how long the longest took.
func (d *deluge) signIns() (end func() (good int, longest time.Duration)) {
	d.Helper()
	if _, err := d.api.Load().Users.Create(d.Context(), client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: crashPassword}); err != nil {
		d.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.Context())
	good, longest := 0, time.Duration(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			begun := time.Now()
			if _, err := d.api.Load().Users.Authenticate(ctx, "ann", crashPassword); err == nil {
				good, longest = good+1, max(longest, time.Since(begun))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() (int, time.Duration) {
		cancel()
		<-done
		return good, longest
	}
}

// killUnderImport imports half of the users, and kills the process when the first hook has heard of some and the import waits for the others.
func (d *deluge) killUnderImport() {
	d.Helper()
	lines, err := os.ReadFile(d.file)
	if err != nil {
		d.Fatal(err)
	}
	args := d.importing()
	importer := exec.CommandContext(d.Context(), program, append(args[:len(args)-1:len(args)-1], "-")...)
	var said bytes.Buffer
	importer.Stdout, importer.Stderr = &said, &said
	in, err := importer.StdinPipe()
	if err == nil {
		err = importer.Start()
	}
	if err == nil {
		_, err = in.Write(lines[:len(lines)/2])
	}
	if err != nil {
		d.Fatal(err)
	}
	d.becomes("some are heard of", func() bool {
		users, _ := d.healthy[0].heard()
		return users > d.many/20
	})
	_ = d.server.cmd.Process.Kill()
	_ = d.server.cmd.Wait() // it was killed
	if err := importer.Wait(); err == nil || !strings.Contains(said.String(), "can be repeated") {
		d.Errorf("postern import from a server that is killed = %v: %.2000s; want that it can be repeated", err, said.String())
	}
	users, calls := d.healthy[0].heard()
	d.Logf("killed when the first hook had heard of %d users in %d calls: %s", users, calls, said.String())
}

// everybodyIsHeardOf waits until each hook that answers has heard of all users, and of who signs in.
func (d *deluge) everybodyIsHeardOf() {
	d.Helper()
	begun := time.Now()
	for i, h := range d.healthy {
		d.becomes(fmt.Sprintf("hook %d hears of everybody", i), func() bool {
			users, _ := h.heard()
			return users > d.many
		})
		h.mu.Lock()
		if len(h.wrong) > 0 || len(h.users) != d.many+1 {
			d.Errorf("hook %d heard of %d users; want %d: %.2000q", i, len(h.users), d.many+1, h.wrong)
		}
		d.Logf("hook %d: %d calls, %v after the import", i, h.calls, time.Since(begun))
		h.mu.Unlock()
	}
}

// becomes waits until holds does.
func (d *deluge) becomes(what string, holds func() bool) {
	d.Helper()
	for deadline := time.Now().Add(2*time.Minute + time.Duration(d.many)*50*time.Millisecond); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			for i, h := range d.healthy {
				users, calls := h.heard()
				d.Logf("hook %d heard of %d users in %d calls", i, users, calls)
			}
			d.Fatalf("%s: not in time; the process said %.2000s", what, d.server.stderr)
		}
	}
}

// recordIsWhole holds that the record of events has everybody once, in order, as the hooks heard of them.
func (d *deluge) recordIsWhole() {
	d.Helper()
	d.healthy[0].mu.Lock()
	heard := maps.Clone(d.healthy[0].users)
	d.healthy[0].mu.Unlock()
	seen, last := map[string]bool{}, ""
	for event, err := range d.api.Load().Events.All(d.Context(), client.EventListOptions{Page: client.Page{Max: 1000}, Asc: true, EventTypes: []string{"user.created"}}) {
		if err != nil {
			d.Fatal(err)
		}
		if event.ID <= last {
			d.Errorf("event %s comes after %s", event.ID, last)
		}
		if seen[event.UserID] || heard[event.UserID] != event.ID {
			d.Errorf("user %s was made by %s; the hooks heard of %s", event.UserID, event.ID, heard[event.UserID])
		}
		seen[event.UserID], last = true, event.ID
	}
	if len(seen) != d.many+1 {
		d.Errorf("the record has %d users; want %d", len(seen), d.many+1)
	}
}

// memory returns what the process has of its own, and the most that it ever had with the parts of files that it looked at, as the system says it.
func (d *deluge) memory() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.server.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	return strings.Join(regexp.MustCompile(`(?m)^(VmHWM|RssAnon):.*$`).FindAllString(string(text), -1), ", ")
}
