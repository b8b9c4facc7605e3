// Package metrics counts what an operator wants to watch, once for both hosts: the sidecar writes it as text for
// Prometheus, and Caddy's registry collects it from here, where it outlives a reload.
//
// It is small because it must be: the usual client library adds a tenth to the sidecar's program.
package metrics

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind says how a family is to be read.
type Kind string

// The kinds (Prometheus text format, "TYPE").
const (
	KindCounter Kind = "counter"
	KindGauge   Kind = "gauge"
)

// Family is all that goes by one name, as it is now.
type Family struct {
	Name, Help string
	Kind       Kind
	Labels     []string // names of what tells its samples apart
	Samples    []Sample // sorted by their values of Labels
}

// Sample is one number.
type Sample struct {
	Labels []string // values, in the order of Family.Labels
	Value  float64
}

// Set is the families of a process. The zero Set is empty. Safe for concurrent use.
type Set struct {
	mu       sync.Mutex
	families []source
}

// source is something that a family is gathered from.
type source interface{ gather() Family }

// Gather returns all families, by name.
func (s *Set) Gather() []Family {
	s.mu.Lock()
	sources := slices.Clone(s.families)
	s.mu.Unlock()
	all := make([]Family, len(sources))
	for i, from := range sources {
		all[i] = from.gather()
		slices.SortFunc(all[i].Samples, func(a, b Sample) int { return slices.Compare(a.Labels, b.Labels) })
	}
	slices.SortFunc(all, func(a, b Family) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s *Set) add(from source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.families = append(s.families, from)
}

// Counters count, for each combination of their labels' values.
type Counters struct {
	name, help string
	labels     []string

	mu     sync.RWMutex
	counts map[string]*Counter // by the values, joined
}

// Counter is one number that grows. Safe for concurrent use.
type Counter struct {
	n      atomic.Uint64
	values []string
}

// Add counts one more.
func (c *Counter) Add() { c.n.Add(1) }

// maxCounters bounds the combinations that are counted apart. Labels are to have few values; what comes beyond is counted as "other".
const maxCounters = 2000

// Counters adds counters to the set, under a name that ends in _total.
func (s *Set) Counters(name, help string, labels ...string) *Counters {
	c := &Counters{name: name, help: help, labels: labels, counts: map[string]*Counter{}}
	s.add(c)
	return c
}

// With returns the counter of a combination of values.
func (c *Counters) With(values ...string) *Counter {
	key := strings.Join(values, "\x00")
	c.mu.RLock()
	found := c.counts[key]
	c.mu.RUnlock()
	if found != nil {
		return found
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.counts) >= maxCounters {
		values = slices.Repeat([]string{"other"}, len(c.labels))
		key = strings.Join(values, "\x00")
	}
	if found = c.counts[key]; found == nil {
		found = &Counter{values: slices.Clone(values)}
		c.counts[key] = found
	}
	return found
}

func (c *Counters) gather() Family {
	f := Family{Name: c.name, Help: c.help, Kind: KindCounter, Labels: c.labels}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, one := range c.counts {
		f.Samples = append(f.Samples, Sample{one.values, float64(one.n.Load())})
	}
	return f
}

// gauge is a family that is measured when it is asked for.
type gauge struct {
	family  Family
	measure func() []Sample
}

// Gauge adds a family that measure gives the samples of.
func (s *Set) Gauge(name, help string, labels []string, measure func() []Sample) {
	s.add(gauge{Family{Name: name, Help: help, Kind: KindGauge, Labels: labels}, measure})
}

func (g gauge) gather() Family {
	f := g.family
	f.Samples = g.measure()
	return f
}
