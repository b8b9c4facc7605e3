package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/postern-auth/postern/internal/proctest"
)

// How a flood of sign-ins is made, and what is watched meanwhile.
const (
	floodUsers    = 64                // who sign in all the time, each from a place of their own
	guardedEvery  = time.Second / 200 // guarded requests, open loop: they do not wait for each other
	hashMemoryKiB = 19 << 10          // the sidecar's default
	floodPassword = "four words make it long"
)

// flooded is a sidecar under a flood of sign-ins.
type flooded struct {
	*process
	caller
	guard, token string  // URL, and who may enter
	idle         float64 // MB resident before the first sign-in
}

// measureFlood is goal P6.
func measureFlood(ctx context.Context, b *bench) error {
	if _, err := b.build(ctx, "postern"); err != nil {
		return err
	}
	for _, place := range []struct {
		name  string
		core  int
		cores int
	}{{"on all cores", anyCore, runtime.NumCPU()}, {"on one core", serverCore, 1}} {
		if place.core == serverCore && !pinned() {
			b.add(line{What: "a flood of sign-ins on one core", Verdict: notMeasured, Why: "taskset and two cores are needed"})
			continue
		}
		f, stop, err := b.startFlooded(ctx, place.core)
		if err != nil {
			return err
		}
		if place.core == anyCore {
			err = f.alike(ctx, b)
		}
		if err == nil {
			err = f.measure(ctx, b, place.name, max(1, place.cores-1))
		}
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", place.name, err)
		}
	}
	return nil
}

// startFlooded starts a sidecar over the embedded store, with users who have passwords.
func (b *bench) startFlooded(ctx context.Context, core int) (f *flooded, stop func(), err error) {
	data := filepath.Join(b.dir, fmt.Sprintf("flood-%d", core))
	crowd, err := populateFolder(ctx, data, 1)
	if err != nil {
		return nil, nil, err
	}
	listen, err := proctest.FreeAddress()
	if err != nil {
		return nil, nil, err
	}
	api, err := proctest.FreeAddress()
	if err != nil {
		return nil, nil, err
	}
	up := startUpstream()
	p, err := b.launch(core, nil, nil, filepath.Join(b.programs, "postern"), "serve", "--data", data, "--listen", listen, "--api-listen", api, "--upstream", up.URL)
	if err != nil {
		return nil, nil, err
	}
	f = &flooded{process: p, guard: "http://" + listen + "/", token: crowd.tokens[0],
		caller: caller{API: "http://" + api + "/v1", Key: crowd.managementKey, client: newClient()}}
	stop = func() { p.stop(); up.Close() }
	if err = p.await(ctx, f.guard, f.token); err == nil {
		f.idle = p.resident()
		err = f.makeUsers(ctx)
	}
	if err != nil {
		stop()
	}
	return f, stop, err
}

// makeUsers makes those who will sign in.
func (f *flooded) makeUsers(ctx context.Context) error {
	for i := range floodUsers {
		body := fmt.Sprintf(`{"user":{"user_type":"human","username":"flood-%d","email":"flood-%d@example.com","password":%q}}`, i, i, floodPassword)
		if status, err := f.call(ctx, "/users", body); err != nil || status != http.StatusCreated {
			return fmt.Errorf("make a user: %d, %w", status, err)
		}
	}
	return nil
}

// measure compares guarded requests in quiet and under a flood, and sign-ins with bare hashing. Quiet and flood take turns: a p99
// hangs on few requests, and what else disturbs the machine should disturb both.
func (f *flooded) measure(ctx context.Context, b *bench, where string, slots int) error {
	const turns = 5
	took := time.Duration(b.rounds(3, 12)) * time.Second
	bare := 0.0
	var quiet, busy waits
	var total flood
	peak := 0.0
	for range turns {
		bare += bareHashes(took/2) / turns
		if err := f.watch(ctx, took, &quiet); err != nil {
			return err
		}
		came, err := b.during(&f.caller, func() error {
			defer func() { peak = max(peak, f.resident()) }()
			return f.watch(ctx, took, &busy)
		})
		if err != nil {
			return err
		}
		total = flood{total.In + came.In, total.Refused + came.Refused, total.Seconds + came.Seconds}
	}
	ratio := busy.quantile(0.99) / quiet.quantile(0.99)
	signIns := float64(total.In) / total.Seconds
	share := signIns / (float64(slots) * bare)
	most := f.idle + float64(slots)*2.5*hashMemoryKiB*1024/1e6 + 50
	b.judge(ratio <= 2, line{What: "guarded requests under a flood of sign-ins / in quiet, p99, " + where, Value: ratio, Limit: "<= 2",
		Detail: fmt.Sprintf("%s / %s ms; p50 %s / %s ms", number(busy.quantile(0.99)), number(quiet.quantile(0.99)), number(busy.quantile(0.5)), number(quiet.quantile(0.5)))})
	b.judge(share >= 0.95, line{What: "sign-ins / slots x bare x/crypto hashes, " + where, Value: share, Limit: ">= 0.95",
		Detail: fmt.Sprintf("%s/s, %d refused; %d x %s/s", number(signIns), total.Refused, slots, number(bare))})
	b.judge(peak <= most, line{What: "resident memory under the flood, " + where, Value: peak, Unit: "MB", Limit: "<= " + number(most),
		Detail: "idle " + number(f.idle)})
	return nil
}

// waits are how long guarded requests took, in ms.
type waits []float64

// quantile returns how long the share q took at most.
func (w waits) quantile(q float64) float64 {
	slices.Sort(w)
	return w[int(float64(len(w))*q)]
}

// watch sends guarded requests at a steady rate, whether or not those before have been answered, and adds how long each took from when
// it was due.
func (f *flooded) watch(ctx context.Context, d time.Duration, w *waits) error {
	took := make(waits, int(d/guardedEvery))
	var all sync.WaitGroup
	var bad atomic.Int64
	begun := time.Now()
	for i := range took {
		due := begun.Add(time.Duration(i) * guardedEvery)
		time.Sleep(time.Until(due))
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.guard, nil)
			if err == nil {
				r.Header.Set("Authorization", "Bearer "+f.token)
				var status int
				if status, err = f.send(r); err == nil && status != http.StatusOK {
					err = fmt.Errorf("status %d", status)
				}
			}
			if err != nil {
				bad.Add(1)
			}
			took[i] = time.Since(due).Seconds() * 1000
		})
	}
	all.Wait()
	*w = append(*w, took...)
	if n := bad.Load(); n > 0 {
		return fmt.Errorf("%d of %d guarded requests were not answered with 200", n, len(took))
	}
	return nil
}

// bareHashes returns how many hashes a second x/crypto computes, one after another, while nothing else runs.
func bareHashes(d time.Duration) float64 {
	n, begun := 0, time.Now()
	for ; time.Since(begun) < d; n++ {
		argon2.IDKey([]byte(floodPassword), make([]byte, 16), 2, hashMemoryKiB, 1, 32)
	}
	return float64(n) / time.Since(begun).Seconds()
}
