package sidecar

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/pages"
)

// generation is what one configuration makes of a guarded request: the guard, and the way to the app. Another takes its place
// at a reload, while requests under way finish in the one that they began in.
type generation struct {
	handler  http.Handler
	forward  http.Handler // what proxies ask
	guard    *guard.Guard
	options  *Options
	upstream *upstream // nil where proxies go to the app themselves
	requests sync.WaitGroup
}

// newGeneration puts together what o says, over parts that stay.
func newGeneration(o *Options, parts *assembly.Assembly) (*generation, error) {
	var up *upstream
	var err error
	if o.Upstream != "" {
		if up, err = parseUpstream(o.Upstream, o.UpstreamCA); err != nil {
			return nil, err
		}
	}
	trusted, err := parseProxies(o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	g := &generation{upstream: up, options: o}
	if g.guard, err = parts.NewGuard(o.guard()); err != nil {
		return nil, err
	}
	g.forward = g.guard.ForwardAuth(trusted.trust)
	app := mounted(o.APIMount, parts.API, g.guarded(o))
	if app, err = withPages(o, parts, g.guard, app); err != nil {
		g.guard.Close()
		return nil, err
	}
	app = &edge{trusted: trusted, patient: o.SlowClient, next: app}
	if o.AccessLog {
		app = &accessLog{o.Log.Named("access"), trusted, app}
	}
	g.handler = app
	return g, nil
}

// guarded returns the app behind the guard.
func (g *generation) guarded(o *Options) http.Handler {
	if g.upstream == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fail(w, r, http.StatusNotFound, "no_app", "There is no app at this address: a proxy goes there itself.")
		})
	}
	app := confined(g.upstream, answered(newProxy(g.upstream, o.SlowClient, o.Log.Named("proxy")), o.SlowClient))
	if o.AccessLog {
		return loggedGuard(g.guard, identified(app))
	}
	return g.guard.ProxyHandler(app)
}

// retire ends what no request uses any more, as soon as that is so.
func (g *generation) retire() {
	g.requests.Wait()
	g.guard.Close()
	if g.upstream != nil {
		g.upstream.rest()
	}
}

// front serves guarded requests with the generation that is current.
type front struct {
	mu      sync.RWMutex
	current *generation

	switched sync.WaitGroup  // requests that may have become WebSockets, which a server that stops knows nothing of
	untilCut context.Context // in which those are served
	cut      context.CancelFunc
}

// begin returns the current generation with one request more.
func (f *front) begin() *generation {
	f.mu.RLock()
	defer f.mu.RUnlock()
	f.current.requests.Add(1)
	return f.current
}

// take makes g the current generation, and returns the one before; nil the first time.
func (f *front) take(g *generation) *generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current
	f.current = g
	return before
}

// closeIdle closes the connections of HTTP/1.1 to the app, without TLS, that no request uses, every so often until ctx ends. http.Transport can do so for
// each by itself, with a timer that every request sets and stops, which takes half as long as all that the guard does.
func (f *front) closeIdle(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g := f.begin()
		if g.upstream != nil && g.upstream.transport.Load().IdleConnTimeout == 0 {
			g.upstream.rest()
		}
		g.requests.Done()
	}
}

// ServeHTTP serves a request to its end with the generation that is current now.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := f.begin()
	defer g.requests.Done()
	if r.Header["Upgrade"] != nil {
		var leave func()
		r, leave = f.cuttable(r)
		defer leave()
	}
	g.handler.ServeHTTP(w, r)
}

// forwardAuth answers a proxy with the generation that is current now.
func (f *front) forwardAuth(w http.ResponseWriter, r *http.Request) {
	g := f.begin()
	defer g.requests.Done()
	g.forward.ServeHTTP(w, r)
}

// withPages serves the hosted pages in front of what else there is.
func withPages(o *Options, parts *assembly.Assembly, g *guard.Guard, next http.Handler) (http.Handler, error) {
	if o.Pages == off {
		return next, nil
	}
	hosted, err := parts.NewPages(g, pages.Options{Realm: o.Guard.Realm, Mount: o.Pages, Origins: o.Guard.Origins, Title: o.Title, Forgot: o.ForgotURL, SignUp: o.SignUpURL, Address: addressOf})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hosted.Owns(r) {
			hosted.ServeHTTP(w, asClient(r))
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// accountPaths are the part of the API that whoever holds a token, or an account provider, needs.
var accountPaths = []string{"/v1/users", "/v1/users/me", "/v1/users/reauth"}

// mounted serves the API, or the part of it that is asked for, in front of the guard: its callers prove themselves.
func mounted(mount string, api, guarded http.Handler) http.Handler {
	if mount == "" {
		return guarded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if inMount(mount, r) {
			api.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// inMount reports whether a request is for the part of the API that is mounted. The public keys of realms are in every.
func inMount(mount string, r *http.Request) bool {
	path := r.URL.EscapedPath()
	if strings.HasSuffix(path, "/.well-known/jwks.json") && strings.HasPrefix(path, "/v1/realms/") {
		return true
	}
	if mount == mountAll {
		return strings.HasPrefix(path, "/v1/")
	}
	for _, account := range accountPaths {
		if path == account {
			return account != "/v1/users" || r.Method == http.MethodPost
		}
	}
	return false
}

// addressOf returns the client's address without its port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
