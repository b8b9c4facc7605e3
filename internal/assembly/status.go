package assembly

import (
	"maps"
	"time"

	"github.com/postern-auth/postern/core"
)

// Status says how an Assembly is, for those who run it. It names no user and holds no secret.
type Status struct {
	Store   StoreStatus       `json:"store"`
	News    NewsStatus        `json:"news"`
	Failing map[string]string `json:"failing"` // work in the background that fails, and why
}

// StoreStatus is what was found when the store was last checked, which is each minute.
type StoreStatus struct {
	Server    string    `json:"server"` // "redis 7.0.15", "bolt"; "" before the first check
	Answers   bool      `json:"answers"`
	CheckedAt time.Time `json:"checked_at,omitzero"`
	Error     string    `json:"error,omitempty"` // why it did not answer
	Findings  []Finding `json:"findings"`        // what makes it less than fit
}

// Finding is a core.Finding.
type Finding struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Refuse bool   `json:"refuse"` // it should not be run on
}

// NewsStatus is how old the news of revocations is.
type NewsStatus struct {
	HeardAt time.Time `json:"heard_at,omitzero"` // all that happened before has been heard of
	Age     float64   `json:"age_seconds"`       // since then; -1 where nothing was heard yet
}

// checked takes what a check of the store found.
func (s *Status) checked(fit core.Fitness, err error) {
	s.Store.CheckedAt, s.Store.Answers, s.Store.Error = time.Now(), err == nil, ""
	if err != nil {
		s.Store.Error = err.Error()
		return
	}
	s.Store.Server, s.Store.Findings = fit.Server, nil
	for _, f := range fit.Findings {
		s.Store.Findings = append(s.Store.Findings, Finding{f.Code, f.Text, f.Refuse})
	}
}

// fails takes that some work in the background fails, or no longer does.
func (s *Status) fails(work string, err error) {
	if err == nil {
		delete(s.Failing, work)
		return
	}
	if s.Failing == nil {
		s.Failing = map[string]string{}
	}
	s.Failing[work] = err.Error()
}

// Status returns the status of now. It reads nothing from the store.
func (a *Assembly) Status() Status {
	a.reporter.mu.Lock()
	s := a.reporter.status
	s.Failing = maps.Clone(s.Failing)
	a.reporter.mu.Unlock()
	if s.Failing == nil {
		s.Failing = map[string]string{}
	}
	if s.Store.Findings == nil {
		s.Store.Findings = []Finding{}
	}
	s.News.Age = -1
	if s.News.HeardAt = a.Core.Feed.Heard(); !s.News.HeardAt.IsZero() {
		s.News.Age = max(0, a.Core.Now().Sub(s.News.HeardAt).Seconds())
	}
	return s
}
