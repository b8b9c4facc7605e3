package sidecar

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"go.uber.org/zap"
)

// drain stops accepting, waits for requests under way, WebSockets among them, and cuts what is left after Options.Drain. That there was
// some is no failure: event streams never end by themselves.
func (s *Sidecar) drain(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Drain)
	defer cancel()
	var work sync.WaitGroup
	errs := make([]error, len(servers))
	for i, server := range servers {
		work.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				s.o.Log.Warn("requests that took longer than drain were cut", zap.Error(err))
				errs[i] = server.Close()
			}
		})
	}
	work.Wait()
	if err := s.front.rest(ctx); err != nil {
		s.o.Log.Warn("WebSockets that took longer than drain were cut", zap.Error(err))
	}
	return errors.Join(errs...)
}

// rest waits until no WebSocket is open, and returns why not where ctx ends before. It is for after servers were shut down in the same ctx:
// where that took until its end, requests may still begin, and nothing is waited for.
func (f *front) rest(ctx context.Context) error {
	defer f.cut()
	if ctx.Err() != nil || f.untilCut.Err() != nil {
		return nil
	}
	quiet := make(chan struct{})
	go func() {
		f.switched.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cuttable returns r, which may become a WebSocket, in a context that ends when those are cut: http.Server does not end, nor wait for, what has
// switched to another protocol. leave must be called when r has been served. Requests that stay what they are need no such
// context, and a server whose every context may end would take from guard.ConnContext what it spares.
func (f *front) cuttable(r *http.Request) (_ *http.Request, leave func()) {
	f.switched.Add(1)
	ctx, cancel := context.WithCancel(r.Context())
	forget := context.AfterFunc(f.untilCut, cancel)
	return r.WithContext(ctx), func() {
		forget()
		cancel()
		f.switched.Done()
	}
}
