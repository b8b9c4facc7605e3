// Package draws settles how random histories are drawn, so that each run of the tests plays the same ones.
package draws

import (
	"flag"

	_ "pgregory.net/rapid" // whose flags these are
)

// Usual sets how many histories each check plays, of how many steps on average, and what they begin with, unless the command line
// says otherwise: -rapid.checks, -rapid.steps, -rapid.seed. It is for an init function. Later, parallel tests would read what it
// writes, and it would have the last word.
func Usual(checks, steps, seed string) {
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.steps": steps, "rapid.seed": seed} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}
