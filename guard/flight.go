package guard

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// crew runs a Guard's work that no single request owns, until it is dismissed. Safe for concurrent use.
type crew struct {
	ctx    context.Context // ends when the crew is dismissed
	cancel context.CancelFunc

	mu   sync.Mutex
	gone bool
	work sync.WaitGroup
}

func newCrew() *crew {
	ctx, cancel := context.WithCancel(context.Background())
	return &crew{ctx: ctx, cancel: cancel}
}

// start runs f in a goroutine of its own. It reports false, and runs nothing, where the crew was dismissed.
func (c *crew) start(f func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.work.Go(func() { f(c.ctx) })
	return true
}

// dismiss ends what is under way and waits for it.
func (c *crew) dismiss() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
}

// flights lets callers who ask for the same thing at the same time share one answer. What one caller gives up, the
// others still get.
type flights[K comparable, V any] struct {
	crew *crew

	mu    sync.Mutex
	aloft map[K]*flight[V]
}

// flight is an answer on its way.
type flight[V any] struct {
	landed chan struct{}
	value  V
	err    error
}

// join returns what fetch returns for key, or ctx's error where that ends first.
func (fs *flights[K, V]) join(ctx context.Context, key K, fetch func(context.Context) (V, error)) (V, error) {
	fs.mu.Lock()
	f := fs.aloft[key]
	if f == nil {
		f = &flight[V]{landed: make(chan struct{})}
		if !fs.crew.start(func(ctx context.Context) { fs.fly(ctx, key, f, fetch) }) {
			fs.mu.Unlock()
			return f.value, errClosed
		}
		fs.aloft[key] = f
	}
	fs.mu.Unlock()
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// fly fetches, and lets nobody join from then on.
func (fs *flights[K, V]) fly(ctx context.Context, key K, f *flight[V], fetch func(context.Context) (V, error)) {
	f.value, f.err = calmly(ctx, fetch)
	fs.mu.Lock()
	delete(fs.aloft, key)
	fs.mu.Unlock()
	close(f.landed)
}

// calmly turns a panic in f into an error: outside a handler nothing else would catch it, and one request must not
// end the process.
func calmly[V any](ctx context.Context, f func(context.Context) (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("guard: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}
