package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// startUpstream starts an app that says yes to everything, in this process.
func startUpstream() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	}))
}

// caddyConfig says what a Caddy is to do.
type caddyConfig struct {
	program  string // plain or guarded
	global   string // global options
	guard    string // directives before the proxy
	upstream string // host:port
}

// caddyfile is the same for all but for the global options, the port, the guard and the upstream.
const caddyfile = `{
	admin off
	auto_https off
	persist_config off
	log {
		level WARN
	}
	%s
}
http://:%s {
	bind 127.0.0.1
	route {
		%s
		reverse_proxy %s
	}
}
`

// startCaddy starts a Caddy, waits until it answers 200, and returns its address.
func (b *bench) startCaddy(ctx context.Context, core int, c caddyConfig, token string) (*process, string, error) {
	program, err := b.build(ctx, c.program)
	if err != nil {
		return nil, "", err
	}
	listen, err := proctest.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(listen)
	text := fmt.Sprintf(caddyfile, c.global, port, c.guard, c.upstream)
	file := filepath.Join(b.dir, "Caddyfile-"+port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	p, err := b.launch(core, nil, nil, program, "run", "--adapter", "caddyfile", "--config", file)
	if err != nil {
		return nil, "", err
	}
	err = p.await(ctx, "http://"+listen+"/", token)
	return p, listen, err
}

// startSidecar starts a sidecar over Redis for the users of populate, waits until it answers 200, and returns its address
// and that of its API.
func (b *bench) startSidecar(ctx context.Context, core int, redisURL, upstream, token string) (p *process, listen, api string, err error) {
	return b.startSidecarOf(ctx, b.crowd, core, redisURL, upstream, token)
}

// startSidecarOf is startSidecar for other users.
func (b *bench) startSidecarOf(ctx context.Context, crowd *population, core int, redisURL, upstream, token string) (p *process, listen, api string, err error) {
	program, err := b.build(ctx, "postern")
	if err != nil {
		return nil, "", "", err
	}
	if listen, err = proctest.FreeAddress(); err != nil {
		return nil, "", "", err
	}
	if api, err = proctest.FreeAddress(); err != nil {
		return nil, "", "", err
	}
	data, err := os.MkdirTemp(b.dir, "node-")
	if err != nil {
		return nil, "", "", err
	}
	p, err = b.launch(core, nil, nil, program, "serve", "--data", data, "--redis", redisURL, "--master-key-file", crowd.masterKeyFile,
		"--listen", listen, "--api-listen", api, "--upstream", "http://"+upstream)
	if err != nil {
		return nil, "", "", err
	}
	err = p.await(ctx, "http://"+listen+"/", token)
	return p, listen, api, err
}

// bareProxy serves httputil.ReverseProxy with as many connections to the app as the sidecar keeps, and nothing before it: what the sidecar is
// compared with.
func bareProxy(listen, upstream string) error {
	pool := sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
	target := &url.URL{Scheme: "http", Host: upstream}
	server := &http.Server{Addr: listen, ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, DisableCompression: true},
		BufferPool: buffers{&pool},
	}}
	return server.ListenAndServe()
}

// buffers lends a proxy what it copies bodies with.
type buffers struct{ pool *sync.Pool }

func (b buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b buffers) Put(p []byte) { b.pool.Put(&p) }
