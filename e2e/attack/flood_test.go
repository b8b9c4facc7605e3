package attack

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	floodCallers = 1000 // who sign in, all at once
	floodRounds  = 3    // how often each does

	// floodSlower is how many times as long as in quiet, or as floodQuiet where that is longer, nine of ten others may take during a flood:
	// twice as long is usual. Without an end to how many hashes are computed at once it is hundreds. The tenth may wait for the machine,
	// which has a core or two for this host and for the thousand who come at once.
	floodSlower = 30
	floodQuiet  = 2 * time.Millisecond

	// floodAsked is how often others ask at least, in as many floods as that takes, up to floodMost: of a few that asked, one that waited for the
	// machine would be the tenth.
	floodAsked = 200
	floodMost  = 5
)

// TestSignInFlood signs a thousand in at once, again and again. Whoever finds no place is told so in the words of the API, and when to come again;
// others, to the app and to the API, are refused nothing and hardly wait; and nothing of it is left.
func TestSignInFlood(t *testing.T) {
	hosts.Do(func() { startAll(t) })
	for _, h := range hosts.all { // one after another: they share the cores
		t.Run(h.name, func(t *testing.T) {
			mine := *h
			mine.T = t
			mine.flooded()
		})
	}
}

func (h *host) flooded() {
	h.Helper()
	quiet := h.others(func(asked int) bool { return asked < 300 })
	h.flood() // once before, as there are connections to Redis that are kept from then on
	before := h.settled()
	statuses, slow := h.othersInAFlood(quiet)
	if slow != nil { // what counts is found twice: something else may have disturbed the machine, and may do so still
		if _, again := h.othersInAFlood(h.others(func(asked int) bool { return asked < 300 })); again != nil {
			h.Errorf("in a flood of sign-ins %v, and in another %v; want at most %d times as long as in quiet", slow, again, floodSlower)
		}
	}
	if statuses[503]+statuses[429] == 0 || statuses[404] == 0 {
		h.Errorf("the flood was answered %v; want some looked at, and some refused", statuses)
	}
	after := h.settled()
	if after.files > before.files+10 || after.goroutines > before.goroutines+10 || after.resident > before.resident+100 {
		h.Errorf("after the flood the host holds %+v, before it %+v; want nothing left of it", after, before)
	}
	if h.peak() > 400 {
		h.Errorf("the flood took %d MiB; want at most 400", h.peak())
	}
	h.Logf("%v; before %+v, after %+v, %d MiB at most", statuses, before, after, h.peak())
}

// othersInAFlood asks as others do while many sign in. It returns how many times each status was the answer to these, and who of the others
// waited for much longer than in quiet.
func (h *host) othersInAFlood(quiet map[string][]time.Duration) (statuses map[int]int, slow []string) {
	h.Helper()
	statuses = map[int]int{}
	var over atomic.Bool
	var asked atomic.Int64
	go func() {
		for floods := 0; floods == 0 || floods < floodMost && asked.Load() < floodAsked; floods++ {
			for status, times := range h.flood() {
				statuses[status] += times
			}
		}
		over.Store(true)
	}()
	during := h.others(func(rounds int) bool {
		asked.Store(int64(rounds))
		return !over.Load()
	})
	for what, took := range during {
		usual, now := percentile(quiet[what], 90), percentile(took, 90)
		said := fmt.Sprintf("%s: nine of ten in %v, in quiet in %v; %d during the flood", what, now, usual, len(took))
		if h.Log(said); now > floodSlower*max(usual, floodQuiet) {
			slow = append(slow, said)
		}
	}
	return statuses, slow
}

// flood signs many in at once who are not there, and returns how many times each status was the answer.
func (h *host) flood() map[int]int {
	h.Helper()
	statuses, mu := map[int]int{}, sync.Mutex{}
	var all sync.WaitGroup
	for i := range floodCallers {
		all.Go(func() {
			for round := range floodRounds {
				path := fmt.Sprintf("/v1/users/nobody%d-%d@example.com/authenticate", i, round)
				status, header, body := h.send("POST", "http://"+h.api+path, map[string]any{"password": password},
					http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}})
				if wrong := impolite(status, header, string(body)); wrong != "" {
					h.Errorf("a sign-in in the flood = %d %v %s; want %s", status, header, body, wrong)
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return statuses
}

var v1Errors = regexp.MustCompile(`^\{"errors":\{"\w+":\[".+"\]`)

// impolite returns what is missing in an answer to one of many who sign in.
func impolite(status int, header http.Header, body string) string {
	switch seconds, err := strconv.Atoi(header.Get("Retry-After")); {
	case !slices.Contains([]int{401, 404, 429, 503}, status):
		return "404, 429 or 503"
	case !v1Errors.MatchString(body) || !strings.HasPrefix(header.Get("Content-Type"), "application/json"):
		return "errors as v1 has them"
	case (status == 429 || status == 503) && (err != nil || seconds < 1 || seconds > 3600):
		return "Retry-After in whole seconds"
	}
	return ""
}

// others asks for a guarded page as ann, whom the guard has seen, and for a user of the API, as long as more says so. None may be refused. It
// returns how long each took.
func (h *host) others(more func(asked int) bool) map[string][]time.Duration {
	h.Helper()
	calls := map[string]func() (int, []byte){
		"a guarded page": func() (int, []byte) {
			status, _, text := h.send("GET", "http://"+h.guard+"/page", nil, http.Header{"Authorization": {"Bearer " + h.users["ann"].token}})
			return status, text
		},
		"a user of the API": func() (int, []byte) {
			status, body := h.call("GET", "/v1/users/"+h.users["ann"].id, nil)
			return status, fmt.Append(nil, body)
		},
	}
	took := map[string][]time.Duration{}
	for asked := 0; more(asked); asked++ {
		for what, call := range calls {
			began := time.Now()
			status, text := call()
			took[what] = append(took[what], time.Since(began))
			if status != 200 {
				h.Errorf("%s = %d %s; want 200, whoever else signs in", what, status, text)
			}
		}
	}
	return took
}

// percentile returns what so many of a hundred are at most.
func percentile(took []time.Duration, percent int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(took))[len(took)*percent/100]
}

// held is what a host holds.
type held struct {
	files, goroutines int
	resident          int // MiB
}

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

func (h *host) held() held {
	h.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.process.Process.Pid))
	h.must(err)
	resp, err := http.Get("http://" + h.admin + "/metrics")
	h.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	h.must(err)
	said := goroutines.FindSubmatch(text)
	if said == nil {
		h.Fatalf("the metrics do not say how many goroutines there are: %.300s", text)
	}
	running, _ := strconv.Atoi(string(said[1]))
	return held{len(files), running, h.memory("VmRSS:")}
}

// atRest is by how many a host's files, and its goroutines, come and go while it serves nobody: it has timers and work of its own.
const atRest = 3

// settled waits until a host serves nobody any more, and returns what it holds then.
func (h *host) settled() held {
	h.Helper()
	now, since, calm := held{}, held{}, 0
	h.eventually("the host comes to rest", func() bool {
		client.CloseIdleConnections()
		now = h.held()
		if calm++; max(now.files-since.files, since.files-now.files, now.goroutines-since.goroutines, since.goroutines-now.goroutines) > atRest {
			since, calm = now, 0
		}
		return calm == 10
	})
	return now
}

// peak returns the most memory that a host has ever held, in MiB.
func (h *host) peak() int { return h.memory("VmHWM:") }

// memory returns what the kernel says of a host's memory, in MiB.
func (h *host) memory(what string) int {
	h.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process.Process.Pid))
	h.must(err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == what {
			kib, _ := strconv.Atoi(fields[1])
			return kib >> 10
		}
	}
	h.Fatalf("no %s", what)
	return 0
}
