package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/assembly"
)

// What configurations share, and what so outlives a reload, by what was configured.
var (
	stores  = caddy.NewUsagePool() // by settings.storeKey: *openedStore
	engines = caddy.NewUsagePool() // by settings.key: *engine
	guards  = caddy.NewUsagePool() // by guardKey: *sharedGuard
)

// How the opening goes.
const (
	openTimeout  = 15 * time.Second // of one attempt
	openAgain    = 2 * time.Second  // between attempts
	openLogEvery = 30 * time.Second // how often the log hears of failures
)

// errNotOpen says that the store was not opened yet. Why not is in the log.
var errNotOpen = &core.Error{Kind: core.KindUnavailable, Code: "unavailable",
	Detail: "the data store is not open yet; try again shortly", RetryAfter: openAgain}

// engine is a Postern at work: an open store, core over it, and the work in the background. It opens when it is first
// used and tries until it succeeds. Safe for concurrent use.
type engine struct {
	key      string
	settings *settings
	voices   voices
	log      *zap.Logger
	herald   *herald
	names    guard.Names // of all guards, so that each removes what any of them tells

	parts atomic.Pointer[assembly.Assembly] // nil until all is open

	ctx     context.Context
	cancel  context.CancelFunc
	stopped chan struct{} // closed when run has ended

	mu     sync.Mutex
	latest *attempt // to open; nil until the first use
	closed bool
}

// attempt is one attempt to open. It is over when done is closed.
type attempt struct {
	done chan struct{}
	err  error // why it failed, once it is over
}

func newAttempt() *attempt { return &attempt{done: make(chan struct{})} }

// newEngine returns an engine that has opened nothing yet.
func newEngine(key string, s *settings) *engine {
	e := &engine{key: key, settings: s, stopped: make(chan struct{})}
	e.log = e.voices.logger()
	e.herald = newHerald(e.log)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// open returns the parts, as soon as they are there. While they cannot be opened it fails with errNotOpen, without
// waiting for more than one attempt.
func (e *engine) open(ctx context.Context) (*assembly.Assembly, error) {
	if parts := e.parts.Load(); parts != nil {
		return parts, nil
	}
	if a := e.start(); a != nil {
		select {
		case <-a.done:
		case <-ctx.Done():
		}
	}
	if parts := e.parts.Load(); parts != nil {
		return parts, nil
	}
	return nil, errNotOpen
}

// start begins to open, unless that was begun, and returns the latest attempt; nil after Destruct.
func (e *engine) start() *attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latest == nil && !e.closed {
		e.latest = newAttempt()
		go e.run(e.latest)
		go e.herald.run(e.ctx)
	}
	return e.latest
}

// run opens, attempt after attempt, and works until Destruct.
func (e *engine) run(a *attempt) {
	defer close(e.stopped)
	var logged time.Time
	for {
		store, parts, err := e.assemble()
		if err == nil {
			if !logged.IsZero() {
				e.herald.take(assembly.Notice{Name: assembly.NoticeStoreBack})
			}
			store.begin(parts)
			e.parts.Store(parts)
			close(a.done)
			parts.Run(e.ctx)
			store.end(parts)
			e.release()
			return
		}
		logged = e.complain(err, logged) // before anybody is refused, so that whoever is finds why in the log
		a.err = err
		close(a.done)
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(openAgain):
		}
		a = newAttempt()
		e.mu.Lock()
		e.latest = a
		e.mu.Unlock()
	}
}

// complain says why the store cannot be opened, unless that was logged a moment ago, and returns when it was logged.
func (e *engine) complain(why error, logged time.Time) time.Time {
	if e.ctx.Err() != nil || time.Since(logged) < openLogEvery {
		return logged
	}
	e.log.Error("the store cannot be opened; guarded requests and API calls get 503 until it is", zap.Error(why))
	if logged.IsZero() {
		e.herald.take(assembly.StoreAway(why))
	}
	return time.Now()
}

// assemble opens the store, puts the parts together and sets an empty store up.
func (e *engine) assemble() (*openedStore, *assembly.Assembly, error) {
	ctx, cancel := context.WithTimeout(e.ctx, openTimeout)
	defer cancel()
	if err := os.MkdirAll(e.settings.data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	store, err := e.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	parts, err := e.assembleOver(ctx, store)
	if err != nil {
		e.release()
		return nil, nil, err
	}
	return store, parts, nil
}

// assembleOver does assemble's work over an open store.
func (e *engine) assembleOver(ctx context.Context, store core.Store) (*assembly.Assembly, error) {
	master, own, err := e.settings.readMasterKey(ctx, store)
	if err != nil {
		return nil, err
	}
	parts, err := assembly.New(assembly.Options{Store: store, MasterKey: master, OwnMasterKey: own,
		PublicURL: e.settings.publicURL, Delivery: e.settings.outgoing.Options, LinkBase: e.settings.outgoing.links, MaxStaleness: e.settings.maxStaleness, Hashing: e.settings.hashing, KeyRate: e.settings.apiRate, RefusedPasswords: e.settings.refused, Log: e.log, Meters: meters, Notice: e.herald.take})
	if err != nil {
		return nil, err
	}
	fit, err := parts.Core.Check(ctx)
	if err != nil {
		return nil, fmt.Errorf("the store does not answer: %w", err)
	}
	unfit := e.settings.redis != nil && e.settings.redis.Durability == "none"
	if err := assembly.Accept(fit, unfit, e.log); err != nil {
		return nil, err
	}
	realm, err := parts.SetUp(ctx, e.settings.data)
	if errors.Is(err, core.ErrWrongMasterKey) {
		return nil, fmt.Errorf("this data was sealed under another master key than the one given (%s); name the right one,"+
			" and while it is being replaced also the one before, as former_master_key: %w", master.ID(), err)
	}
	if err != nil {
		return nil, err
	}
	parts.RemindOfFirstKey(e.settings.data, realm.ID)
	return parts, nil
}

// Destruct ends all work and closes the store, unless another engine uses it.
func (e *engine) Destruct() error {
	e.mu.Lock()
	e.closed = true
	started := e.latest != nil
	e.mu.Unlock()
	e.cancel()
	if started {
		<-e.stopped
	}
	return nil
}
