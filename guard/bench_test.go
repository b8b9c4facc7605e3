package guard_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

const liveTokens = 100_000

// wire is one connection's memory, with a request that a server has just read into it.
type wire struct {
	buffer []byte
	r      *http.Request
}

func newWire() *wire {
	w := &wire{buffer: fmt.Appendf(nil, "Bearer %s%08d", strings.Repeat("eyJhbGciOiJFZERTQSIsImtpZCI6", 27), 0), r: httptest.NewRequest(http.MethodGet, "/", nil)}
	for name, value := range map[string]string{"Accept": "*/*", "User-Agent": "wrk", "Accept-Encoding": "gzip", "X-Forwarded-For": "::1"} {
		w.r.Header.Set(name, value)
	}
	w.r.Header["Authorization"] = []string{unsafe.String(unsafe.SliceData(w.buffer), len(w.buffer))}
	return w
}

// request returns a request that shows the i-th token, of 764 bytes. The one before is no more.
func (w *wire) request(i int) *http.Request {
	for at := len(w.buffer) - 1; at >= len(w.buffer)-8; at-- {
		w.buffer[at] = byte('0' + i%10)
		i /= 10
	}
	return w.r
}

// seenTokens returns a guard that has seen 100,000 tokens.
func seenTokens(b *testing.B, o guard.Options) *guard.Guard {
	w := newWorld()
	w.now = time.Now()
	w.anyone = func(token string) core.Identity {
		n := token[len(token)-8:]
		return core.Identity{
			Realm: realmID, User: core.UserID("usr_00000000000000" + n), Session: core.SessionID("kss_00000000000000" + n),
			Type: core.UserHuman, Username: "user" + n + "@example.com", Email: "user" + n + "@example.com", Name: "Ann Example",
			ExpiresAt: w.now.Add(time.Hour), RecheckAt: w.now.Add(time.Hour),
		}
	}
	o.Now = time.Now
	g := w.guard(b, o)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	line := newWire()
	for i := range liveTokens {
		g.Judge(line.request(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := float64(after.HeapAlloc-before.HeapAlloc) / liveTokens
	b.Cleanup(func() { b.ReportMetric(size, "B/verdict") })
	return g
}

// BenchmarkJudgeSeenToken is goal P3: all cores at once, at most 300 ns and no allocation.
func BenchmarkJudgeSeenToken(b *testing.B) {
	g := seenTokens(b, guard.Options{})
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		line := newWire()
		for i := rand.IntN(liveTokens); pb.Next(); i = (i + 7919) % liveTokens {
			if g.Judge(line.request(i)).Decision != guard.Allow {
				b.Error("refused")
			}
		}
	})
}

// BenchmarkHandlerSeenToken adds the headers and context that the application gets.
func BenchmarkHandlerSeenToken(b *testing.B) {
	h := seenTokens(b, guard.Options{Settings: guard.Settings{PassToken: true}}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		line, w := newWire(), httptest.NewRecorder()
		for i := rand.IntN(liveTokens); pb.Next(); i = (i + 7919) % liveTokens {
			h.ServeHTTP(w, line.request(i))
		}
	})
}

// BenchmarkGarbage is a token that core refuses at no cost.
func BenchmarkGarbage(b *testing.B) {
	w := newWorld()
	g := w.guard(b, guard.Options{})
	r := with("garbage")
	b.ReportAllocs()
	for b.Loop() {
		g.Judge(r)
	}
}

// BenchmarkTooLong is goal P11: a token of 2 MiB, wherever it is shown, at most 1 ms and 64 KiB.
func BenchmarkTooLong(b *testing.B) {
	h := newWorld().guard(b, guard.Options{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.Error("let in") }))
	token := strings.Repeat("eyJhbGciOiJFZERTQSJ9.", 100_000)[:2<<20]
	for name, line := range map[string][2]string{"bearer": {"Authorization", "Bearer " + token}, "basic": {"Authorization", "Basic " + token},
		"cookie": {"Cookie", "__Host-postern=" + token}, "key": {"X-Api-Key", token}} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				r.Header.Set(line[0], line[1])
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
					b.Fatalf("status %d; want 401", w.Code)
				}
			}
		})
	}
}
