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

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

const liveTokens = 100_000

// seenTokens returns a guard that has seen 100,000 tokens of 770 bytes, and those as headers, in other memory.
func seenTokens(b *testing.B) (*guard.Guard, [][]string) {
	w := newWorld()
	w.now = time.Now()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := w.guard(b, guard.Options{Now: time.Now})
	headers := make([][]string, liveTokens)
	for i := range headers {
		token := fmt.Sprintf("%s%08d", strings.Repeat("eyJhbGciOiJFZERTQSIsImtpZCI6", 27), i)
		w.answers = map[string]answer{token: {who: core.Identity{
			Realm: realmID, User: core.UserID(fmt.Sprintf("usr_%022d", i)), Session: core.SessionID(fmt.Sprintf("kss_%022d", i)),
			Type: core.UserHuman, Username: fmt.Sprintf("user%d@example.com", i), Email: fmt.Sprintf("user%d@example.com", i), Name: "Ann Example",
			ExpiresAt: time.Now().Add(time.Hour), RecheckAt: time.Now().Add(time.Hour),
		}}}
		w.reads = map[string]int{}
		g.Judge(with(token))
		headers[i] = []string{"Bearer " + token}
	}
	w.answers = nil
	w.reads = map[string]int{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("%d bytes a remembered verdict", (int(after.HeapAlloc)-int(before.HeapAlloc))/liveTokens-len(headers[0][0])-50)
	return g, headers
}

// BenchmarkJudgeSeenToken is goal P3: all cores at once, at most 300 ns and no allocation.
func BenchmarkJudgeSeenToken(b *testing.B) {
	g, headers := seenTokens(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for i := rand.IntN(liveTokens); pb.Next(); i = (i + 7919) % liveTokens {
			r.Header["Authorization"] = headers[i]
			if g.Judge(r).Decision != guard.Allow {
				b.Error("refused")
			}
		}
	})
}

// BenchmarkHandlerSeenToken adds the headers and context that the application gets.
func BenchmarkHandlerSeenToken(b *testing.B) {
	g, headers := seenTokens(b)
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range map[string]string{"Accept": "*/*", "User-Agent": "wrk", "Accept-Encoding": "gzip", "X-Forwarded-For": "::1"} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		for i := rand.IntN(liveTokens); pb.Next(); i = (i + 7919) % liveTokens {
			r.Header["Authorization"] = headers[i]
			h.ServeHTTP(w, r)
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
