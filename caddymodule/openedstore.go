package caddymodule

import (
	"context"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/control"
)

// openedStore is a store in the pool. While the embedded store is open, the program postern has its commands
// carried out here. Engines come and go with configurations; the newest at work does it.
type openedStore struct {
	core.Store
	stop func() // ends taking commands

	mu      sync.Mutex
	working []*assembly.Assembly // in the order they began
}

// acquire opens the store, unless another engine has.
func (e *engine) acquire(ctx context.Context) (*openedStore, error) {
	s, _, err := stores.LoadOrNew(e.settings.storeKey(), func() (caddy.Destructor, error) {
		store, err := e.settings.openStore(ctx)
		if err != nil {
			return nil, err
		}
		s := &openedStore{Store: store, stop: func() {}}
		if e.settings.redis == nil {
			s.takeCommands(e.settings.data, e.log)
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return s.(*openedStore), nil
}

// release gives the store back.
func (e *engine) release() {
	if _, err := stores.Delete(e.settings.storeKey()); err != nil {
		e.log.Error("the store was not closed cleanly", zap.Error(err))
	}
}

// takeCommands serves commands in the data folder until stop is called.
func (s *openedStore) takeCommands(folder string, log *zap.Logger) {
	const wait = "commands must wait until this server has ended"
	listener, err := control.Listen(folder)
	if err != nil {
		log.Warn(wait, zap.Error(err))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := control.Serve(ctx, listener, assembly.Commands(folder, s.atWork), assembly.Streams(s.Store)); err != nil {
			log.Warn(wait, zap.Error(err))
		}
	})
	s.stop = func() { cancel(); work.Wait() }
}

// begin adds an engine's parts to those at work.
func (s *openedStore) begin(parts *assembly.Assembly) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working = append(s.working, parts)
}

// end removes them.
func (s *openedStore) end(parts *assembly.Assembly) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working = slices.DeleteFunc(s.working, func(p *assembly.Assembly) bool { return p == parts })
}

// atWork returns those at work, the newest last.
func (s *openedStore) atWork() []*assembly.Assembly {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.working)
}

// Destruct closes the store.
func (s *openedStore) Destruct() error {
	s.stop()
	return s.Close()
}
