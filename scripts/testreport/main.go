// Command testreport reads what 'go test -json' prints and says it briefly: a line for each package, the
// output of what failed, each skipped test with its reason, and at the end a line that counts:
//
//	212 passed, 0 failed, 0 skipped
//
// It exits 1 when something failed, when nothing ran, or, with CI=true, when a test was skipped.
package main

import (
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.close(os.Getenv("CI") == "true") {
		os.Exit(1)
	}
}
