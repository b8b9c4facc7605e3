package sidecar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/delivery"
	"github.com/postern-auth/postern/internal/egress"
)

// Sidecar is a guarded app and its API, ready to be served. Make it with Open, serve it with Run, which also
// closes it.
type Sidecar struct {
	o     Options
	store core.Store
	parts *assembly.Assembly
	realm *core.Realm
	front front

	app, api, admin, forward net.Listener // all but app are nil where they are off
	control                  net.Listener // nil over Redis, and where none can be had
	certificate              *certificate // nil for plain HTTP
	stopping                 atomic.Bool
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
	s.front.untilCut, s.front.cut = context.WithCancel(context.Background())
	if err := s.open(ctx); err != nil {
		s.close()
		if errors.Is(err, core.ErrUnavailable) {
			err = unreachable(&o, err)
		}
		return nil, err
	}
	return s, nil
}

// open does Open's work and leaves what it opened to close.
func (s *Sidecar) open(ctx context.Context) (err error) {
	if err := s.o.awaitRedis(ctx); err != nil { // before anybody can connect who would not be answered
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	if s.store, err = s.o.openStore(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	master, err := s.o.masterKey(ctx, s.store)
	if err != nil {
		return err
	}
	if s.parts, err = s.assemble(master); err != nil {
		return err
	}
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
	if err := s.findRealm(ctx, &s.o); err != nil {
		return err
	}
	first, err := newGeneration(&s.o, s.parts)
	if err != nil {
		return err
	}
	s.front.take(first)
	s.listenToCommands()
	return nil
}

// assemble puts the parts together over the open store.
func (s *Sidecar) assemble(master *core.MasterKey) (*assembly.Assembly, error) {
	refused, err := assembly.ReadPasswordList(s.o.PasswordList)
	if err != nil {
		return nil, err
	}
	hashing := s.o.Hashing
	hashing.HashBusy = oneProcessorMore()
	allow, _ := egress.ParseNetworks(s.o.WebhookAllow) // validate has seen them
	return assembly.New(assembly.Options{Delivery: delivery.Options{Allow: allow, SMTP: s.o.SMTP}, LinkBase: s.o.MailLinks,
		Store: s.store, MasterKey: master, OwnMasterKey: s.o.RedisURL == "" && s.o.MasterKeyFile == "",
		PublicURL: s.o.PublicURL, Hashing: hashing, KeyRate: s.o.APIRate, RefusedPasswords: refused, Log: s.o.Log})
}

// listen takes the addresses, and reads the certificate.
func (s *Sidecar) listen() (err error) {
	if s.o.TLSCert != "" {
		if s.certificate, err = loadCertificate(s.o.TLSCert, s.o.TLSKey, s.o.Log.Named("tls")); err != nil {
			return err
		}
	}
	if s.app, err = listen(s.o.Listen, "--listen"); err != nil {
		return err
	}
	if s.o.APIListen != off {
		if s.api, err = listen(s.o.APIListen, "--api-listen"); err != nil {
			return err
		}
	}
	if s.o.ForwardAuthListen != off {
		if s.forward, err = listen(s.o.ForwardAuthListen, "--forward-auth-listen"); err != nil {
			return err
		}
	}
	if s.o.AdminListen != off {
		s.admin, err = listen(s.o.AdminListen, "--admin-listen")
	}
	return err
}

// findRealm makes sure that there is the realm whose users are to get in.
func (s *Sidecar) findRealm(ctx context.Context, o *Options) error {
	name := cmp.Or(o.Guard.Realm, core.DefaultRealm)
	_, err := s.parts.Core.Realms.Find(ctx, name)
	if errors.Is(err, core.ErrRealmNotFound) {
		return fmt.Errorf("there is no realm %q to guard for%s; choose one with --realm, and make another by the API of a server that runs", name, s.someRealms(ctx))
	}
	return err
}

// someRealms names the first realms that there are, for whoever named one that is not; "" where they cannot be read.
func (s *Sidecar) someRealms(ctx context.Context) string {
	page, more, err := s.parts.Core.Realms.List(ctx, core.ListRealms{Limit: 10})
	if err != nil || len(page) == 0 {
		return ""
	}
	var names []string
	for _, realm := range page {
		names = append(names, realm.Name)
	}
	if more {
		names = append(names, "...")
	}
	return "; there are " + strings.Join(names, ", ")
}

// close gives back what open took.
func (s *Sidecar) close() {
	for _, l := range []net.Listener{s.app, s.api, s.admin, s.forward, s.control} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

// GuardURL returns the address of the guarded app, without a slash at its end.
func (s *Sidecar) GuardURL() string {
	scheme := "http"
	if s.certificate != nil {
		scheme = "https"
	}
	return urlOf(scheme, s.app)
}

// APIURL returns the address of the API, with its /v1, or "" where it has no listener.
func (s *Sidecar) APIURL() string {
	if s.api == nil {
		return ""
	}
	return urlOf("http", s.api) + "/v1"
}

// ForwardAuthURL returns the address where proxies ask for verdicts, without a slash at its end, or "" where there is none.
func (s *Sidecar) ForwardAuthURL() string {
	if s.forward == nil {
		return ""
	}
	return urlOf("http", s.forward)
}

// urlOf returns where a listener is reached.
func urlOf(scheme string, l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return unixPrefix + l.Addr().String()
	}
	return scheme + "://" + l.Addr().String()
}

// Run serves until ctx ends, then lets requests under way finish, for at most Options.Drain.
func (s *Sidecar) Run(ctx context.Context) error {
	defer s.close()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { s.parts.Run(background) })
	work.Go(func() { s.front.closeIdle(background, restAfter) })
	if s.control != nil {
		work.Go(func() { s.takeCommands(background) })
	}
	if s.certificate != nil {
		work.Go(func() { s.certificate.watch(background) })
	}
	defer work.Wait()
	defer stop()
	defer func() { s.front.begin().guard.Close() }()

	s.o.warn()
	s.parts.RemindOfFirstKey(s.o.Data, s.realm.ID)
	s.o.Log.Info("serving", zap.String("realm", string(s.realm.ID)), zap.String("guard", s.GuardURL()), zap.String("api", s.APIURL()), zap.String("forward_auth", s.ForwardAuthURL()))
	servers, admin, failed := s.start()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stopping.Store(true)
	s.o.Log.Info("stopping", zap.Duration("at_most", s.o.Drain))
	return errors.Join(err, s.drain(servers), s.drain(admin))
}

// start serves on each listener. The channel gets the error of one that fails. last is to be stopped after all others: whoever watches over
// this process wants to see how it ends.
func (s *Sidecar) start() (servers, last []*http.Server, failure <-chan error) {
	app := s.server(&s.front)
	app.ConnContext = guard.ConnContext
	api := s.server(s.parts.API)
	api.ReadTimeout = 10 * time.Second // its bodies are small; what the app takes may be large
	admin := s.server(s.adminHandler())
	admin.ReadTimeout = 10 * time.Second
	forward := s.server(http.HandlerFunc(s.front.forwardAuth))
	forward.ReadTimeout = 10 * time.Second
	if s.o.H2C {
		app.Protocols = new(http.Protocols)
		app.Protocols.SetHTTP1(true)
		app.Protocols.SetHTTP2(true)
		app.Protocols.SetUnencryptedHTTP2(true)
	}
	failed := make(chan error, 4)
	for _, pair := range []struct {
		server   *http.Server
		listener net.Listener
	}{{app, s.app}, {api, s.api}, {admin, s.admin}, {forward, s.forward}} {
		if pair.listener == nil {
			continue
		}
		if pair.server == admin {
			last = append(last, admin)
		} else {
			servers = append(servers, pair.server)
		}
		l := net.Listener(patientListener{pair.listener, s.o.SlowClient})
		if pair.server == app {
			l = secured(l, s.certificate)
		}
		go func() { failed <- pair.server.Serve(l) }()
	}
	return servers, last, failed
}

// server returns an HTTP server with bounds on what a slow or greedy client can hold.
func (s *Sidecar) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           lastIfUnsure(h),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          zap.NewStdLog(s.o.Log.Named("http")),
	}
}
