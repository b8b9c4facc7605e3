package assembly

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/metrics"
)

// Meters are what both hosts count and measure. No label names a user.
type Meters struct {
	Set metrics.Set

	// IssuerKeys are for all guards (guard.Options), so that what they fetch is counted once.
	IssuerKeys *guard.IssuerKeys

	verdicts, stale, calls *metrics.Counters

	mu      sync.Mutex
	unfit   []core.Finding
	jobs    int             // when they were last counted; -1 = never
	failing map[string]bool // work in the background
	checked bool            // the store answered when it was last checked
}

// NewMeters returns meters that stand at zero.
func NewMeters() *Meters {
	m := &Meters{failing: map[string]bool{}, jobs: -1}
	m.verdicts = m.Set.Counters("postern_guard_requests_total", "Requests that were judged, by what became of them and why.", "realm", "verdict", "reason")
	m.stale = m.Set.Counters("postern_guard_stale_total", "Requests that passed, while the store was away, by what was known before.", "realm")
	m.calls = m.Set.Counters("postern_api_requests_total", "API calls, by route and status.", "route", "status")
	m.Set.Gauge("postern_store_up", "1 if the store answered when it was last checked, each minute.", nil, func() []metrics.Sample {
		m.mu.Lock()
		defer m.mu.Unlock()
		return []metrics.Sample{{Value: truth(m.checked)}}
	})
	m.Set.Gauge("postern_store_unfit", "What makes the store less than fit to keep users: 1 for what is warned of, 2 for what it should be refused for.", []string{"finding"}, m.findings)
	m.Set.Gauge("postern_jobs", "Large deletions and changes of orgs that are not finished, when they were last counted, each minute; 1000 at most.", nil, m.jobsLeft)
	m.Set.Gauge("postern_background_failing", "1 while some work in the background fails.", []string{"work"}, m.trouble)
	fetches := m.Set.Counters("postern_issuer_fetches_total", "Fetches of the keys of issuers elsewhere: ok, or why they failed.", "issuer", "result")
	m.IssuerKeys = guard.NewIssuerKeys(func(issuer, result string) { fetches.With(issuer, result).Add() })
	m.Set.Gauge("postern_issuer_keys_age_seconds", "How long ago the keys of an issuer elsewhere were last fetched, or first tried where they never were.", []string{"issuer"}, m.keyAges)
	m.Set.Gauge("go_goroutines", "Goroutines that there are.", nil, func() []metrics.Sample { return []metrics.Sample{{Value: float64(runtime.NumGoroutine())}} })
	started := float64(time.Now().UnixMilli()) / 1000
	m.Set.Gauge("postern_start_time_seconds", "When this began to count, in seconds since the epoch.", nil, func() []metrics.Sample { return []metrics.Sample{{Value: started}} })
	return m
}

// keyAges are the samples of postern_issuer_keys_age_seconds. Keys that were never fetched are as old as the first try, so that an alert hears of them too.
func (m *Meters) keyAges() []metrics.Sample {
	var all []metrics.Sample
	for issuer, at := range m.IssuerKeys.Since() {
		all = append(all, metrics.Sample{Labels: []string{issuer}, Value: time.Since(at).Seconds()})
	}
	return all
}

// truth is a truth as a number.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// findings are the samples of postern_store_unfit: one of each finding, the worst, where several masters of a Redis Cluster have it. Two that are named alike
// would have Caddy's registry show none of its metrics.
func (m *Meters) findings() []metrics.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	worst := map[string]float64{}
	for _, f := range m.unfit {
		worst[f.Code] = max(worst[f.Code], 1+truth(f.Refuse))
	}
	var all []metrics.Sample
	for code, value := range worst {
		all = append(all, metrics.Sample{Labels: []string{code}, Value: value})
	}
	return all
}

// jobsLeft are the samples of postern_jobs: none before they were counted.
func (m *Meters) jobsLeft() []metrics.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs < 0 {
		return nil
	}
	return []metrics.Sample{{Value: float64(m.jobs)}}
}

// trouble are the samples of postern_background_failing.
func (m *Meters) trouble() []metrics.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []metrics.Sample
	for work, fails := range m.failing {
		all = append(all, metrics.Sample{Labels: []string{work}, Value: truth(fails)})
	}
	return all
}

// fitness takes what a check of the store found.
func (m *Meters) fitness(fit core.Fitness, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.checked = err == nil; m.checked {
		m.unfit, m.jobs = fit.Findings, fit.Jobs
	}
}

// fails takes that some work in the background fails, or no longer does.
func (m *Meters) fails(work string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing[work] = err != nil
}

// Call counts a call of the API: see httpapi.Options.
func (m *Meters) Call(route string, status int) { m.calls.With(route, strconv.Itoa(status)).Add() }

// Judged returns what counts the verdicts of a guard of a realm: see guard.Options. It allocates nothing for those allowed.
func (m *Meters) Judged(realm string) func(guard.Verdict) {
	allowed := m.verdicts.With(realm, guard.Allow.String(), "")
	stale := m.stale.With(realm)
	return func(v guard.Verdict) {
		switch {
		case v.Decision == guard.Allow && v.Stale:
			stale.Add()
			fallthrough
		case v.Decision == guard.Allow:
			allowed.Add()
		default:
			m.verdicts.With(realm, strings.ReplaceAll(v.Decision.String(), " ", "_"), v.Refusal.Reason).Add()
		}
	}
}
