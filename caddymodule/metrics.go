package caddymodule

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/metrics"
)

// meters are what all configurations count with. Caddy makes a registry for each; counters of its own would fall to zero at
// every reload.
var meters = assembly.NewMeters()

// ours is what the names of our metrics begin with. Others, of the Go runtime, Caddy's registry has already.
const ours = "postern_"

// collector shows a set to a registry.
type collector struct{ set *metrics.Set }

// Describe says nothing: which metrics there are is known when they are collected.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all samples.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, f := range c.set.Gather() {
		if !strings.HasPrefix(f.Name, ours) {
			continue
		}
		kind := prometheus.GaugeValue
		if f.Kind == metrics.KindCounter {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
		for _, s := range f.Samples {
			m, err := prometheus.NewConstMetric(desc, kind, s.Value, s.Labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(desc, err)
			}
			to <- m
		}
	}
}

// register shows the meters in the registry of a configuration.
func register(registry prometheus.Registerer) error {
	err := registry.Register(collector{&meters.Set})
	if _, is := errors.AsType[prometheus.AlreadyRegisteredError](err); is {
		return nil
	}
	return err
}
