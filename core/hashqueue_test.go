package core

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// line is a queue whose turns are all taken, and those who enter it one after another.
type line struct {
	*testing.T
	hashQueue
	mu    sync.Mutex
	ended []string
	all   sync.WaitGroup
}

// newLine returns a queue with so many places.
func newLine(t *testing.T, places int) *line {
	return &line{T: t, hashQueue: hashQueue{most: places}}
}

// length returns how many wait.
func (l *line) length() int {
	l.hashQueue.mu.Lock()
	defer l.hashQueue.mu.Unlock()
	return len(l.waiting)
}

// told returns what became of whom, in order.
func (l *line) told() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ended)
}

// come has somebody enter, by a name like "realm/address/number", and returns when they wait, have somebody else's place, or are
// refused.
func (l *line) come(ctx context.Context, name string) {
	parts := strings.Split(name, "/")
	before, told := l.length(), len(l.told())
	l.all.Go(func() {
		err := l.enter(ctx, asker{RealmID(parts[0]), parts[1]})
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case err == nil:
			l.ended = append(l.ended, name)
		case errors.Is(err, ErrBusy):
			l.ended = append(l.ended, "no "+name)
		default:
			l.ended = append(l.ended, "left "+name)
		}
	})
	l.becomes(func() bool { return l.length() > before || len(l.told()) > told })
}

// next gives a turn to the oldest and waits until they have it.
func (l *line) next() {
	told := len(l.told())
	l.leave()
	l.becomes(func() bool { return len(l.told()) > told })
}

// becomes waits for a condition.
func (l *line) becomes(ready func() bool) {
	l.Helper()
	for deadline := time.Now().Add(time.Minute); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.Fatalf("nothing happens; %d wait, and %q", l.length(), l.told())
		}
	}
}

// TestHashQueue holds in which order turns are given, and whose place a newcomer gets where there is none.
func TestHashQueue(t *testing.T) {
	tests := map[string]struct{ come, want string }{
		"the oldest first":                      {"a//1 a//2 a//3 a//4", "a//1 a//2 a//3 a//4"},
		"one more is refused":                   {"a//1 a//2 a//3 a//4 a//5", "no:a//5 a//1 a//2 a//3 a//4"},
		"another realm":                         {"a//1 a//2 a//3 a//4 b//5", "no:a//4 a//1 a//2 a//3 b//5"},
		"another realm, up to half":             {"a//1 a//2 a//3 a//4 b//5 b//6 b//7", "no:a//4 no:a//3 no:b//7 a//1 a//2 b//5 b//6"},
		"another address":                       {"a/x/1 a/x/2 a/x/3 a/x/4 a/y/5", "no:a/x/4 a/x/1 a/x/2 a/x/3 a/y/5"},
		"another address, up to half":           {"a/x/1 a/x/2 a/x/3 a/x/4 a/y/5 a/y/6 a/y/7", "no:a/x/4 no:a/x/3 no:a/y/7 a/x/1 a/x/2 a/y/5 a/y/6"},
		"many addresses of a realm are one":     {"a/w/1 a/x/2 a/y/3 a/z/4 b//5", "no:a/z/4 a/w/1 a/x/2 a/y/3 b//5"},
		"of the greater realm, who has most":    {"a/x/1 a/x/2 a/y/3 b//4 b//5", "no:a/x/2 a/x/1 a/y/3 b//4 b//5"},
		"an address in a realm that has enough": {"a/x/1 a/x/2 a/x/3 b//4 a/y/5", "no:a/x/3 a/x/1 a/x/2 b//4 a/y/5"},
		"nobody has more than the newcomer":     {"a/w/1 a/x/2 a/y/3 a/z/4 a/v/5", "no:a/v/5 a/w/1 a/x/2 a/y/3 a/z/4"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, 4)
			for _, who := range strings.Fields(tt.come) {
				l.come(t.Context(), who)
			}
			for range 4 {
				l.next()
			}
			l.all.Wait()
			// Who lost a place may hear of it after the newcomer is in line, but before anybody's turn.
			if got := strings.ReplaceAll(strings.Join(l.told(), " "), "no ", "no:"); got != tt.want {
				t.Errorf("%s came: %s; want %s", tt.come, got, tt.want)
			}
		})
	}
}

// TestHashQueueLeaving holds that whoever gives up frees their place, and a turn that came too late.
func TestHashQueueLeaving(t *testing.T) {
	l := newLine(t, 1)
	ctx, leave := context.WithCancel(t.Context())
	l.come(ctx, "a//1")
	leave()
	l.becomes(func() bool { return slices.Equal(l.told(), []string{"left a//1"}) })
	l.come(t.Context(), "a//2")
	l.next()
	if got := l.told(); len(got) != 2 || got[1] != "a//2" {
		t.Errorf("after the first left: %q; want a turn for the second", got)
	}
	for range 1000 { // a turn given in the moment in which somebody leaves is nobody's, and so the next one's
		ctx, leave := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- l.enter(ctx, asker{}) }()
		l.becomes(func() bool { return l.length() == 1 })
		go leave()
		l.leave()
		if err := <-result; err == nil {
			l.leave()
		}
		if err := l.enter(t.Context(), asker{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHasherIsBounded holds how many wait, and that those who are refused are not told to come again at once.
func TestHasherIsBounded(t *testing.T) {
	h := newHasher(1, params{memory: 8, passes: 1}, func(bool) {}, rand.Reader)
	if _, err := h.admit(t.Context(), asker{}); err != nil {
		t.Fatal(err)
	}
	l := &line{T: t}
	ctx, leave := context.WithCancel(t.Context())
	for range queuePerSlot {
		l.all.Go(func() {
			if _, err := h.admit(ctx, asker{}); !errors.Is(err, context.Canceled) {
				t.Errorf("admit of a caller who left = %v; want canceled", err)
			}
		})
	}
	l.becomes(func() bool { h.turns.mu.Lock(); defer h.turns.mu.Unlock(); return len(h.turns.waiting) == queuePerSlot })
	times := map[time.Duration]bool{}
	for range 1000 {
		_, err := h.admit(ctx, asker{})
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, ErrBusy) || e.RetryAfter < time.Second || e.RetryAfter > busyTimes*time.Second {
			t.Fatalf("admit beyond the queue = %v; want ErrBusy, with a time to come again", err)
		}
		times[e.RetryAfter] = true
	}
	if len(times) != busyTimes {
		t.Errorf("a thousand who are refused come again after %v; want them spread", times)
	}
	leave()
	l.all.Wait()
	h.turns.leave()
	release, err := h.admit(t.Context(), asker{})
	if err != nil {
		t.Fatalf("admit with all gone = %v", err)
	}
	release()
}
