package caddymodule

import (
	"context"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/assembly"
)

// eventPrefix is what the names of our events begin with.
const eventPrefix = "postern."

// heraldBacklog is how many notices wait for handlers that take their time. More are dropped.
const heraldBacklog = 1000

// herald makes Caddy events of what an engine gives notice of. It speaks through the newest configuration that has started,
// off the path of whoever gives notice, since handlers may take their time. Safe for concurrent use.
type herald struct {
	queue   chan assembly.Notice
	began   chan struct{} // closed once a configuration has started: what came before waits for it
	begun   sync.Once
	dropped func() // called for each notice that nobody heard of

	mu  sync.Mutex
	all []*App // that have started, in the order they did
}

func newHerald(log *zap.Logger) *herald {
	var once sync.Once
	return &herald{queue: make(chan assembly.Notice, heraldBacklog), began: make(chan struct{}), dropped: func() {
		once.Do(func() { log.Error("handlers of events take too long; from now on, some events are dropped") })
	}}
}

// add makes app the newest.
func (h *herald) add(app *App) {
	h.mu.Lock()
	h.all = append(h.all, app)
	h.mu.Unlock()
	h.begun.Do(func() { close(h.began) })
}

// remove forgets app.
func (h *herald) remove(app *App) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = slices.DeleteFunc(h.all, func(a *App) bool { return a == app })
}

// newest returns the app to speak through, nil for none.
func (h *herald) newest() *App {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) == 0 {
		return nil
	}
	return h.all[len(h.all)-1]
}

// take takes a notice, and does not wait.
func (h *herald) take(n assembly.Notice) {
	if app := h.newest(); app != nil && !app.events.ShouldEmit(eventPrefix+n.Name) {
		return
	}
	select {
	case h.queue <- n:
	default:
		h.dropped()
	}
}

// run emits what was taken, until ctx ends.
func (h *herald) run(ctx context.Context) {
	select {
	case <-h.began:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case n := <-h.queue:
			if app := h.newest(); app != nil {
				app.emit(n)
			}
		case <-ctx.Done():
			return
		}
	}
}

// listen has the events of the app's engine go through this configuration, from when all of it has started: before, handlers
// are not there yet.
func (a *App) listen(ctx caddy.Context) error {
	app, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events, a.ctx = app.(*caddyevents.App), ctx
	return a.events.On("started", started{a})
}

// emit emits a notice as an event, if anybody listens.
func (a *App) emit(n assembly.Notice) {
	if name := eventPrefix + n.Name; a.events.ShouldEmit(name) {
		a.events.Emit(a.ctx, name, n.Data())
	}
}

// started hears that Caddy has started a configuration. The log shows handlers, so it shows nothing.
type started struct{ app *App }

// Handle makes the app the one that speaks.
func (s started) Handle(context.Context, caddy.Event) error {
	s.app.engine.herald.add(s.app)
	return nil
}

// Interface guards.
var _ caddyevents.Handler = started{}
