package sidecar

import (
	"context"
	"net/http"
	"time"

	"github.com/postern-auth/postern/internal/metrics"
)

// adminHandler answers whoever watches over this process: /healthz says that it is alive, /readyz whether it can judge
// requests, /metrics what was counted. It has a listener of its own, since none of that is for the public.
func (s *Sidecar) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if why := s.unready(r.Context()); why != "" {
			say(w, http.StatusServiceUnavailable, why+"\n")
			return
		}
		say(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", metrics.Handler(&s.parts.Meters.Set))
	return mux
}

// say answers with a line of text.
func say(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// readyTimeout bounds a look at the store.
const readyTimeout = 2 * time.Second

// unready says why requests cannot be judged, or "".
func (s *Sidecar) unready(ctx context.Context) string {
	if s.stopping.Load() {
		return "stopping"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	fit, err := s.parts.Core.Check(ctx)
	if err != nil {
		return "the store does not answer"
	}
	for _, f := range fit.Findings {
		if f.Refuse && !s.o.AllowUnfit {
			return "the store is not fit to keep users: " + f.Code
		}
	}
	if _, _, err := s.parts.Core.First(ctx, ""); err != nil { // as where Redis lost its file, and was started again
		return "the store does not hold our data"
	}
	return ""
}
