package sidecar

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// ordeal is a guard whose way to Redis goes wrong in every way, while requests come and sessions end.
type ordeal struct {
	*testing.T
	guard  *guard.Guard
	url    string // of the server that the guard is of
	client *http.Client
	live   []string // tokens of sessions that nobody ends
	forged []string // tokens that prove nothing
	asking sync.WaitGroup
	done   atomic.Bool

	mu    sync.Mutex
	ended []endedSession

	allowed, unknown, denied, called atomic.Int64
}

// outcome is what came of a request, and in words.
type outcome struct {
	guard.Decision
	words string
}

// endedSession is a token, and when it was known everywhere at the latest that its session is over.
type endedSession struct {
	token string
	dead  time.Time
}

// TestFaultsMakeNobodyLie judges requests while Redis is stopped, slowed, cut mid-reply, answers with a reply too many or too few, is
// killed and comes back. No live session may be called ended, no ended one may pass once max staleness is over, and nothing
// forged may ever pass. Where many requests are asked for, there is an outage too that outlasts all memory.
func TestFaultsMakeNobodyLie(t *testing.T) {
	least := leastJudged(t)
	server := redistest.Start(t, "appendonly yes", "appendfsync always")
	proxy := redistest.NewProxy(t, server)
	data := filepath.Join(t.TempDir(), "data")
	writer := serve(t, hosttest.App(), func(o *Options) { o.RedisURL, o.Data = server.URL(), data })
	reader := serve(t, hosttest.App(), func(o *Options) { o.RedisURL, o.Data = proxy.URL(), data })
	o, doomed := begin(t, writer, reader)
	for round := 0; !o.Failed() && (round < 2*harms || o.judged() < least); round++ {
		o.harm(server, proxy, round)
		if round < len(doomed) {
			o.end(writer, doomed[round])
		}
	}
	if !o.Failed() && least > 0 {
		server.Pause(t) // for longer than anything remembered may be relied on
		time.Sleep(7 * time.Second)
		server.Resume(t)
		time.Sleep(3 * time.Second)
	}
	o.finish()
	if o.unknown.Load() == 0 {
		t.Error("something was known of every request, though Redis was away for seconds")
	}
}

// TestFailoversMakeNobodyLie kills the master that both servers find through a Sentinel, again and again, while requests come and sessions
// end. What a session's end was answered with holds after the failover too, since it waits for the replica.
func TestFailoversMakeNobodyLie(t *testing.T) {
	master := redistest.Start(t, "appendonly yes")
	replica := redistest.StartReplica(t, master, "appendonly yes")
	sentinel := redistest.StartSentinel(t, master, "main")
	admin := redistest.SentinelClient(t, sentinel)
	redistest.Eventually(t, "the Sentinel knows the replica", func() bool {
		found, err := admin.Replicas(t.Context(), "main").Result()
		return err == nil && len(found) == 1 && found[0]["master-link-status"] == "ok"
	})
	data := filepath.Join(t.TempDir(), "data")
	viaSentinel := func(o *Options) {
		o.RedisURL, o.Data, o.Durability = "redis+sentinel://"+sentinel+"/main", data, "replicas"
	}
	writer, reader := serve(t, hosttest.App(), viaSentinel), serve(t, hosttest.App(), viaSentinel)
	o, doomed := begin(t, writer, reader)
	least, calm := leastJudged(t), int64(100)
	if least > 0 { // in a long night the Sentinel should not take a pause of the machine's for the end of the master
		if err := admin.Set(t.Context(), "main", "down-after-milliseconds", "4000").Err(); err != nil {
			t.Fatal(err)
		}
		calm = 50_000
	}
	for round := 0; !o.Failed() && (round < 2 || o.judged() < least); round++ {
		if len(doomed) > 5 {
			doomed = o.endForSure(writer, doomed)
		}
		old := master
		master, replica = replica, old
		old.Stop(t)
		redistest.Eventually(t, "the Sentinel promotes the replica", func() bool {
			at, err := admin.GetMasterAddrByName(t.Context(), "main").Result()
			return err == nil && net.JoinHostPort(at[0], at[1]) == master.Addr()
		})
		redistest.Eventually(t, "the new master is written to", func() bool {
			_, err := writer.parts.Core.Sessions.Create(t.Context(), writer.realm.ID, "user0", core.Request{})
			return err == nil || strings.Contains(err.Error(), core.ErrOutcomeUnknown.Detail) // no replica confirms it yet
		})
		replica.Restart(t)
		redistest.Follow(t, replica, master) // sooner than the Sentinel would have it
		before := o.allowed.Load()
		redistest.Eventually(t, "people come in again", func() bool { return o.allowed.Load() >= before+calm })
	}
	o.endForSure(writer, doomed)
	redistest.Eventually(t, "nobody relies any more on what was before", func() bool { return time.Now().After(o.ended[len(o.ended)-1].dead.Add(time.Second)) })
	o.finish()
}

// leastJudged returns how many requests each test is to judge at least, as POSTERN_TEST_FAULTS says: 10000000 for a long night.
func leastJudged(t *testing.T) int64 {
	text := os.Getenv("POSTERN_TEST_FAULTS")
	if text == "" {
		return 0
	}
	least, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return least
}

// judged is how many requests were judged so far.
func (o *ordeal) judged() int64 { return o.allowed.Load() + o.denied.Load() + o.unknown.Load() }

// begin signs people in, of whom some may be signed out later, and begins to ask reader about them.
func begin(t *testing.T, writer, reader *served) (o *ordeal, doomed []*core.SignedIn) {
	o = &ordeal{T: t, guard: reader.front.begin().guard, url: reader.GuardURL()}
	t.Cleanup(reader.front.current.requests.Done)
	for i := range 40 {
		in := writer.signIn(writer.parts.Core, writer.realm.ID, fmt.Sprint("user", i))
		if i%2 == 0 {
			o.live = append(o.live, in.Token)
			o.forged = append(o.forged, in.Token[:len(in.Token)-8]+"AAAAAAAA", strings.Replace(in.Token, ".", ".e30", 1))
		} else {
			doomed = append(doomed, in)
		}
	}
	callers := 2
	if leastJudged(t) > 0 {
		callers = 8 // most of them wait, for Redis or for a processor
	}
	o.client = plain(t, func(transport *http.Transport) { transport.MaxIdleConnsPerHost = callers })
	t.Cleanup(func() {
		o.done.Store(true)
		o.asking.Wait()
	})
	for range 2 {
		o.asking.Go(func() { o.ask(o.judge) })
	}
	for range callers {
		o.asking.Go(func() { o.ask(o.call) })
	}
	return o, doomed
}

// finish ends the asking, and says what came of it.
func (o *ordeal) finish() {
	o.done.Store(true)
	o.asking.Wait()
	o.Logf("%d allowed, %d refused, of %d nothing was known; %d of them were asked of the server over HTTP, the others of its guard",
		o.allowed.Load(), o.denied.Load(), o.unknown.Load(), o.called.Load())
	if o.allowed.Load() == 0 || o.denied.Load() == 0 {
		o.Errorf("%d allowed, %d refused; want some of each", o.allowed.Load(), o.denied.Load())
	}
}

// harms is how many there are.
const harms = 10

// harm does one thing to the way to Redis for a moment, and undoes it.
func (o *ordeal) harm(server *redistest.Server, proxy *redistest.Proxy, round int) {
	faults := []redistest.Fault{nil, redistest.Delay(20 * time.Millisecond), redistest.SwallowOne(), redistest.CutOne(), redistest.CutMidReply(),
		redistest.InjectOne([]byte("$-1\r\n")), redistest.InjectOne([]byte("*0\r\n")), redistest.Swallow()}
	moment := time.Duration(100+rand.IntN(200)) * time.Millisecond
	switch at := round % harms; at {
	case len(faults):
		server.Pause(o)
		time.Sleep(moment)
		server.Resume(o)
	case len(faults) + 1:
		server.Restart(o) // killed
	default:
		proxy.Set(faults[at])
		time.Sleep(moment)
		proxy.Set(nil)
		proxy.CutAll()
	}
}

// end ends a session, and notes from when on nobody may take it for alive.
func (o *ordeal) end(writer *served, in *core.SignedIn) {
	redistest.Eventually(o, "a session is ended", func() bool {
		err := writer.parts.Core.Sessions.Delete(context.Background(), writer.realm.ID, in.Session.ID, core.Request{})
		return err == nil || strings.Contains(err.Error(), core.ErrSessionNotFound.Detail) // an earlier try did it
	})
	o.note(in)
}

// endForSure ends the first of the sessions whose end is answered without doubt, and returns those after it. Of the others, which no replica
// confirmed in time, nothing is said.
func (o *ordeal) endForSure(writer *served, doomed []*core.SignedIn) []*core.SignedIn {
	for i, in := range doomed {
		if writer.parts.Core.Sessions.Delete(context.Background(), writer.realm.ID, in.Session.ID, core.Request{}) == nil {
			o.note(in)
			return doomed[i+1:]
		}
		time.Sleep(100 * time.Millisecond)
	}
	o.Fatal("no session could be ended")
	return nil
}

// note notes that a session is over.
func (o *ordeal) note(in *core.SignedIn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = append(o.ended, endedSession{in.Token, time.Now().Add(5*time.Second + 100*time.Millisecond)}) // max staleness, and a slow machine
}

// ask asks about tokens of all kinds, in one way.
func (o *ordeal) ask(way func(token string) outcome) {
	for !o.done.Load() && !o.Failed() {
		token, dead, kind := o.pick()
		over := kind == "ended" && time.Now().After(dead) // before it is judged: afterwards the machine may take its time
		o.count(way(token), kind, over)
	}
}

// judge has the guard judge a request whose client waits for a moment only.
func (o *ordeal) judge(token string) outcome {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = []string{"Bearer " + token}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	v := o.guard.Judge(r.WithContext(ctx))
	return outcome{v.Decision, fmt.Sprint(v.Refusal.Status, " ", v.Refusal.Reason)}
}

// call asks the server for a page as a browser's script does, with a cookie, which nobody may lose who is signed in.
func (o *ordeal) call(token string) outcome {
	o.called.Add(1)
	r, err := http.NewRequest(http.MethodGet, o.url, nil)
	if err != nil {
		o.Errorf("a request: %v", err)
		return outcome{Decision: guard.CannotKnow}
	}
	r.AddCookie(&http.Cookie{Name: "__Host-postern", Value: token})
	resp, err := o.client.Do(r)
	if err != nil {
		o.Errorf("GET %s: %v; want an answer, whatever Redis does", o.url, err)
		return outcome{Decision: guard.CannotKnow}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	words := fmt.Sprint(resp.Status, " ", resp.Header["Set-Cookie"])
	switch {
	case resp.StatusCode == http.StatusOK:
		return outcome{guard.Allow, words}
	case resp.StatusCode == http.StatusUnauthorized:
		return outcome{guard.Deny, words}
	case resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Header["Set-Cookie"] != nil:
		o.Errorf("GET %s = %s; want 200, 401, or 503 with Retry-After and no cookie", o.url, words)
	}
	return outcome{guard.CannotKnow, words}
}

// pick picks a token: mostly live ones, as in life.
func (o *ordeal) pick() (token string, dead time.Time, kind string) {
	switch n := rand.IntN(1000); {
	case n < 5:
		return o.forged[rand.IntN(len(o.forged))], dead, "forged"
	case n < 100:
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.ended) > 0 {
			e := o.ended[rand.IntN(len(o.ended))]
			return e.token, e.dead, "ended"
		}
	}
	return o.live[rand.IntN(len(o.live))], dead, "live"
}

// count counts an answer, and complains about one that is a lie. over says that the session is one that nobody may take for alive any more.
func (o *ordeal) count(got outcome, kind string, over bool) {
	switch got.Decision {
	case guard.Allow:
		o.allowed.Add(1)
		if kind == "forged" || over {
			o.Errorf("a token that is %s was allowed", kind)
		}
	case guard.Deny:
		o.denied.Add(1)
		if kind == "live" {
			o.Errorf("a live token was refused: %s", got.words)
		}
	case guard.CannotKnow:
		o.unknown.Add(1)
	}
}
