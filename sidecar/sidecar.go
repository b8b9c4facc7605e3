package sidecar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
)

// Sidecar is a guarded app and its API, ready to be served. Make it with Open, serve it with Run, which also
// closes it.
type Sidecar struct {
	o     Options
	store core.Store
	parts *assembly.Assembly
	realm *core.Realm

	app, api net.Listener
}

// setUpTimeout bounds what happens between start and serving.
const setUpTimeout = 15 * time.Second

// Open opens the store, sets it up where it is empty, and takes the listeners. Its errors are sentences for
// whoever started the program.
func Open(ctx context.Context, o Options) (*Sidecar, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Sidecar{o: o}
	if err := s.open(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open does Open's work and leaves what it opened to close.
func (s *Sidecar) open(ctx context.Context) (err error) {
	if s.app, err = listen(s.o.Listen, "--listen"); err != nil {
		return err
	}
	if s.api, err = listen(s.o.APIListen, "--api-listen"); err != nil {
		return err
	}
	if s.store, err = s.o.openStore(ctx); err != nil {
		return err
	}
	master, err := s.o.masterKey()
	if err != nil {
		return err
	}
	s.parts, err = assembly.New(assembly.Options{Store: s.store, MasterKey: master, PublicURL: s.o.PublicURL,
		Realm: s.o.Realm, CopyHeaders: s.o.CopyHeaders, PassToken: s.o.PassToken, Log: s.o.Log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	if err := checkStore(ctx, s.parts.Core, &s.o); err != nil {
		return err
	}
	s.realm, err = s.parts.SetUp(ctx, s.o.Data)
	if errors.Is(err, core.ErrWrongMasterKey) {
		return fmt.Errorf("this data was sealed under another master key than the one given, %s; name the right one with --master-key-file", master.ID())
	}
	if err != nil {
		return err
	}
	return s.findRealm(ctx)
}

// findRealm makes sure that there is the realm whose users are to get in.
func (s *Sidecar) findRealm(ctx context.Context) error {
	name := cmp.Or(s.o.Realm, core.DefaultRealm)
	_, err := s.parts.Core.Realms.Find(ctx, name)
	if errors.Is(err, core.ErrRealmNotFound) {
		return fmt.Errorf("there is no realm %q to guard for: %w; choose one with --realm", name, err)
	}
	return err
}

// listen takes an address, and says in one sentence why it cannot.
func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; stop it, or choose another address with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

// close gives back what open took.
func (s *Sidecar) close() {
	for _, l := range []net.Listener{s.app, s.api} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

// GuardURL returns the address of the guarded app, without a slash at its end.
func (s *Sidecar) GuardURL() string { return "http://" + s.app.Addr().String() }

// APIURL returns the address of the API, with its /v1.
func (s *Sidecar) APIURL() string { return "http://" + s.api.Addr().String() + "/v1" }

// Run serves until ctx ends, then lets requests under way finish, for at most Options.Drain.
func (s *Sidecar) Run(ctx context.Context) error {
	defer s.close()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { s.parts.Run(background) })
	if s.o.RedisURL == "" { // the file is ours alone, so commands come to us
		work.Go(func() { s.takeCommands(background) })
	}
	defer work.Wait()
	defer stop()

	upstream, _ := url.Parse(s.o.Upstream) // validate has seen it
	app := s.server(edge(s.parts.Guard.Handler(newProxy(upstream, s.o.Log.Named("proxy")))))
	api := s.server(s.parts.API)
	api.ReadTimeout = 10 * time.Second // its bodies are small; what the app takes may be large
	failed := make(chan error, 2)
	go func() { failed <- app.Serve(s.app) }()
	go func() { failed <- api.Serve(s.api) }()
	s.o.Log.Info("serving", zap.String("realm", string(s.realm.ID)), zap.String("guard", s.GuardURL()), zap.String("api", s.APIURL()))

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, s.drain(app, api))
}

// server returns an HTTP server with bounds on what a slow or greedy client can hold.
func (s *Sidecar) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          zap.NewStdLog(s.o.Log.Named("http")),
	}
}

// drain stops accepting, waits for requests under way, and cuts what is left after Options.Drain.
func (s *Sidecar) drain(servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Drain)
	defer cancel()
	var work sync.WaitGroup
	errs := make([]error, len(servers))
	for i, server := range servers {
		work.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(fmt.Errorf("requests that took longer than %s were cut", s.o.Drain), server.Close())
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}
