package sidecar

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// newProxy returns the reverse proxy to the app. X-Forwarded-* say what this listener saw, and nothing that a
// client claims.
func newProxy(upstream *url.URL, log *zap.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   256, // the default of 2 opens a connection for most requests under load
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   5 * time.Second,
			ExpectContinueTimeout: time.Second,
			DisableCompression:    true, // what the app sends is what the client gets
		},
		BufferPool: &buffers{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
		ErrorLog:   zap.NewStdLog(log),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, context.Canceled) {
				return // the client has gone
			}
			log.Warn("upstream failed", zap.Error(err))
			http.Error(w, "The app behind this address does not answer. Try again shortly.", http.StatusBadGateway)
		},
	}
}

// buffers lends the proxy what it copies bodies with.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// claimed are headers in which a client, or a proxy that was not asked, says who or where it is; and one that some
// programs take for a setting (httpoxy). What is true of them the proxy says itself.
var claimed = []string{"Proxy", "X-Real-Ip", "Remote-User", "Http2-Settings"}

// edge removes from a request, before anybody looks at it, what only serves to confuse those behind: header names
// that some servers read as another name, claims about where it comes from, and upgrades other than to a WebSocket.
func edge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			http.Error(w, "This is not a proxy to elsewhere.", http.StatusMethodNotAllowed)
			return
		}
		for name := range r.Header {
			if strings.ContainsAny(name, "_.") || strings.HasPrefix(name, "X-Forwarded-") {
				delete(r.Header, name)
			}
		}
		for _, name := range claimed {
			delete(r.Header, name)
		}
		if u := r.Header.Get("Upgrade"); u != "" && !strings.EqualFold(u, "websocket") {
			r.Header.Del("Upgrade")
		}
		next.ServeHTTP(w, r)
	})
}
