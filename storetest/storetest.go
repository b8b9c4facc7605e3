package storetest

import (
	"testing"

	"github.com/postern-auth/postern/core"
)

// test is one thing that the contract says.
type test struct {
	name string
	run  func(*scene)
}

// chapter is what the contract says about one subject.
type chapter struct {
	name  string
	tests []test
}

// chapters is the whole contract.
var chapters = []chapter{
	records, transactions, outcomes, limits, ranges, buckets, logs,
	isolation, cancellation, races, housekeeping, histories,
}

// Run holds a store to the contract. open returns a store over an empty database of its own, and sees to
// it that the store is closed when its t ends; a second Close must do no harm. Subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) core.Store) {
	for _, c := range chapters {
		t.Run(c.name, func(t *testing.T) {
			for _, test := range c.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(newScene(t, open(t)))
				})
			}
		})
	}
}

// RunShared holds two stores over the same data, as in two processes, to what the contract says of them
// together. open returns both over an empty database, and sees to it that they are closed when its t ends.
func RunShared(t *testing.T, open func(t *testing.T) (a, b core.Store)) {
	for _, test := range shared {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			one := newScene(t, a)
			test.run(one, one.through(b))
		})
	}
}
