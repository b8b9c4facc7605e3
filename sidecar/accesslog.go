package sidecar

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// accessLog writes a line for each guarded request. It holds no header, no query and no token or e-mail address in a path: all may hold secrets, or
// what is nobody else's business. It has the id by which the app and whoever was told of a failure know the request.
type accessLog struct {
	log     *zap.Logger
	trusted proxies
	next    http.Handler
}

func (a *accessLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	r, id := a.trusted.identify(r)
	defer func() {
		fields := []zap.Field{zap.String("request_id", id), zap.String("method", r.Method), zap.String("host", r.Host), zap.String("path", shownPath(r.URL.EscapedPath())),
			zap.Int("status", rec.status), zap.Int64("bytes", rec.bytes), zap.Duration("duration", time.Since(start)),
			zap.String("remote_ip", addressOf(r))}
		if rec.user != "" {
			fields = append(fields, zap.String("user_id", rec.user))
		}
		if rec.reason != "" {
			fields = append(fields, zap.String("reason", rec.reason))
		}
		a.log.Info("request", fields...)
	}()
	a.next.ServeHTTP(rec, r)
}

// address is what is taken for an e-mail address in a path: not the @ of /@ann or of /react@19.2.0.
var address = regexp.MustCompile(`.@.*\.\pL[\pL\pN-]+`)

// dense is what only looks like one: the name of an image for dense screens.
var dense = regexp.MustCompile(`^[^@]*@[1-9]x\.(png|jpe?g|gif|webp|avif|svg)$`)

// shownPath returns an escaped path with three dots in the place of each part that holds a secret or an e-mail address: GET /v1/sessions/<token> and
// GET /v1/users/<username> are calls of the API, and others may get there by mistake.
func shownPath(path string) string {
	if !strings.ContainsAny(path, "_%@") && strings.Count(path, ".") < 2 { // as nearly all
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		if err != nil {
			text = segment
		}
		if address.MatchString(text) && !dense.MatchString(text) || slices.ContainsFunc(strings.FieldsFunc(text, endsSecret), core.LooksLikeSecret) { // also in /callback;token=<token>
			segments[i] = "..."
		}
	}
	return strings.Join(segments, "/")
}

// endsSecret reports whether a character is in no secret, so that one may begin or end beside it.
func endsSecret(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
}

// recorder notes what became of a request.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	user   string
	reason string // the code of what it was told, where the guard or the proxy answered
}

// Unwrap lets a ResponseController reach what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status < http.StatusOK { // the last of several, after those that only inform
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status < http.StatusOK {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Hijack hands the connection over, as for a WebSocket: the proxy then answers on it, past the recorder.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, stream, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, stream, err
}

// loggedGuard returns next behind g, which lets the log know why somebody was not let in.
func loggedGuard(g *guard.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := g.Judge(r)
		if v.Decision != guard.Allow {
			recorderOf(w).reason = v.Refusal.Reason
			g.Refuse(w, g.Prepare(r, v), v)
			return
		}
		admitted, leave := g.Admit(w, r, v)
		defer leave()
		answer, end := g.Answer(w, admitted)
		next.ServeHTTP(answer, admitted)
		end()
	})
}

// identified stands behind the guard and lets the log know who was let in.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, there := guard.FromContext(r.Context()); there {
			recorderOf(w).user = string(who.User)
		}
		next.ServeHTTP(w, r)
	})
}

// recorderOf finds the recorder that a writer was made from, if any.
func recorderOf(w http.ResponseWriter) *recorder {
	for {
		switch at := w.(type) {
		case *recorder:
			return at
		case interface{ Unwrap() http.ResponseWriter }:
			w = at.Unwrap()
		default:
			return nil
		}
	}
}
