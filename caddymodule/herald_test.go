package caddymodule

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/assembly"
)

func init() { caddy.RegisterModule(new(notebook)) }

// notebook is a handler of events that writes them down, with a word that tells configurations apart.
type notebook struct {
	Word string `json:"word,omitempty"`
}

// noted is what all notebooks wrote down.
var noted struct {
	sync.Mutex
	events []notedEvent
}

// notedEvent is an event, as handlers see it.
type notedEvent struct {
	word, name, origin string
	data               map[string]any
}

func (*notebook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.notebook", New: func() caddy.Module { return new(notebook) }}
}

func (n *notebook) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	d.Args(&n.Word)
	return nil
}

func (n *notebook) Handle(_ context.Context, e caddy.Event) error {
	noted.Lock()
	defer noted.Unlock()
	noted.events = append(noted.events, notedEvent{n.Word, e.Name(), string(e.Origin().CaddyModule().ID), e.Data})
	return nil
}

var _ caddyevents.Handler = (*notebook)(nil)

// events returns what was noted of a name.
func (w *world) events(name string) []notedEvent {
	noted.Lock()
	defer noted.Unlock()
	var found []notedEvent
	for _, e := range noted.events {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}

// happens waits until there are n events of a name, and returns the last.
func (w *world) happens(name string, n int) notedEvent {
	w.Helper()
	w.eventually(name, func() bool { return len(w.events(name)) >= n })
	return w.events(name)[n-1]
}

// noting are global options that note events of some names.
func noting(word string, names ...string) string {
	lines := "events {\n"
	for _, name := range names {
		lines += "\t\ton " + name + " notebook " + word + "\n"
	}
	return lines + "\t}\n\t"
}

// TestEvents has handlers of the configuration at work hear of a store that goes and comes, and of what is in the event log.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	noted.events = nil
	server := w.useRedis()
	server.Stop(t)
	patient := strings.Replace(overRedis, "postern {", "postern {\n\t\tmax_staleness 1s", 1)
	names := []string{"postern.store_away", "postern.store_back", "postern.user.created", "postern.realm.keys_rotated"}
	w.load(w.config(noting("first", names...)+patient, guarded))
	if got := w.happens("postern.store_away", 1); got.origin != "postern" || got.word != "first" || got.data["error"] == "" {
		t.Errorf("store_away = %+v; want it from postern, with the error", got)
	}
	server.Restart(t)
	w.happens("postern.store_back", 1)
	w.load(w.config(noting("second", names...)+patient, guarded))

	var user struct{ ID string }
	w.manage("POST", "/v1/users", `{"user":{"user_type":"human","username":"ann","email":"ann@example.com","password":"correct horse battery staple"}}`, &user)
	got := w.happens("postern.user.created", 1)
	if got.data["user_id"] != user.ID || got.data["event_type"] != "user.created" {
		t.Errorf("user.created = %+v; want the user %s", got, user.ID)
	}
	shown, err := json.Marshal(got.data)
	if err != nil || strings.Contains(string(shown), "ann@example.com") || strings.Contains(string(shown), "correct horse") {
		t.Errorf("user.created = %s, %v; want ids alone", shown, err)
	}
	var parts *assembly.Assembly
	engines.Range(func(_, e any) bool { parts = e.(*engine).parts.Load(); return false })
	if _, err := assembly.RotateKeys(t.Context(), parts.Core, "default"); err != nil {
		t.Fatal(err)
	}
	if got := w.happens("postern.realm.keys_rotated", 1); got.word != "second" {
		t.Errorf("keys_rotated after a reload = %+v; want it heard by the configuration at work", got)
	}
	away, back := len(w.events("postern.store_away")), len(w.events("postern.store_back")) // more than one where the machine was slow for a second
	server.Stop(t)
	if got := w.happens("postern.store_away", away+1); got.word != "second" {
		t.Errorf("store_away after a reload = %+v; want it heard by the configuration at work", got)
	}
	server.Restart(t)
	w.happens("postern.store_back", back+1)
}

// TestHeraldIsBounded gives more notice than handlers could hear of: it waits for nobody, and says so once.
func TestHeraldIsBounded(t *testing.T) {
	h, dropped := newHerald(zap.NewNop()), 0
	h.dropped = func() { dropped++ }
	for range heraldBacklog + 5 {
		h.take(assembly.Notice{Name: assembly.NoticeStoreBack})
	}
	if dropped != 5 {
		t.Errorf("%d notices were dropped, want 5", dropped)
	}
}
