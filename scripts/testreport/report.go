package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
)

// event is one line of 'go test -json'; see 'go doc test2json' and 'go help buildjson'.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events
	Test        string
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string
}

// report counts tests and subtests alike, each once.
type report struct {
	out                     io.Writer
	passed, failed, skipped int
	fuzzed                  int               // fuzz targets, which ran over their seeds
	tests, broken           map[string]int    // tests that ended, and those of them that failed, by package
	output                  map[string]string // by package and test, until it ends
	dying                   map[string]string // what a package printed as its process died, where go test gave it to a test that passed
	running                 map[string]bool   // packages and tests without an outcome yet; false = waits its turn
	skips                   []string
}

func newReport(out io.Writer) *report {
	return &report{
		out: out, tests: map[string]int{}, broken: map[string]int{},
		output: map[string]string{}, dying: map[string]string{}, running: map[string]bool{},
	}
}

// read takes events until in ends.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0 && err == io.EOF:
			return nil
		case err != nil && err != io.EOF:
			return err
		case json.Unmarshal(line, &e) != nil:
			fmt.Fprintf(r.out, "%s", line) // go itself speaks
		default:
			r.add(e)
		}
	}
}

// add takes one event.
func (r *report) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "start", "run", "cont":
		r.running[key] = true
	case "pause":
		r.running[key] = false
	case "output":
		r.output[key] += e.Output
	case "build-output":
		r.output[e.ImportPath] += e.Output
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e)
		}
		delete(r.running, key)
		delete(r.output, key)
	}
}

// endTest counts a test; what a failed or skipped one printed is shown.
func (r *report) endTest(e event) {
	r.tests[e.Package]++
	if strings.HasPrefix(e.Test, "Fuzz") && !strings.Contains(e.Test, "/") {
		r.fuzzed++
	}
	output := r.output[e.Package+" "+e.Test]
	switch e.Action {
	case "pass":
		r.passed++
		r.dying[e.Package] += lastWords(output)
	case "fail":
		r.failed++
		r.broken[e.Package]++
		fmt.Fprintf(r.out, "--- FAIL %s %s\n%s", e.Package, e.Test, output)
	case "skip":
		r.skipped++
		r.skips = append(r.skips, e.Package+" "+e.Test+reason(output))
	}
}

// endPackage prints a package's line. One that fails although none of its tests did, since it does not build,
// panics or runs out of time, counts as a failure, as do the tests that it leaves unfinished.
func (r *report) endPackage(e event) {
	unfinished := r.unfinished(e.Package)
	if e.Action == "fail" {
		fmt.Fprint(r.out, r.output[e.FailedBuild], r.dying[e.Package], r.output[e.Package+" "])
		for _, key := range unfinished {
			if r.running[key] {
				fmt.Fprintf(r.out, "--- FAIL %s (did not end)\n%s", key, r.output[key])
			} else {
				fmt.Fprintf(r.out, "--- FAIL %s (did not get its turn)\n", key)
			}
			delete(r.running, key)
		}
		r.failed += len(unfinished)
		if len(unfinished)+r.broken[e.Package] == 0 {
			r.failed++
		}
	}
	switch n := r.tests[e.Package]; {
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL  %-64s %4d tests %6.1fs\n", e.Package, n, e.Elapsed)
	case n > 0:
		fmt.Fprintf(r.out, "ok    %-64s %4d tests %6.1fs\n", e.Package, n, e.Elapsed)
	}
}

// unfinished returns the tests of a package, or those of all when it is "", that have no outcome.
func (r *report) unfinished(pkg string) []string {
	var keys []string
	for key := range r.running {
		if p, test, _ := strings.Cut(key, " "); pkg == "" || p == pkg && test != "" {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	return keys
}

// close prints what was skipped and the counts, and reports whether all is well. Where everything must run,
// a skipped test is not.
func (r *report) close(everything bool) bool {
	for _, key := range r.unfinished("") {
		r.failed++
		fmt.Fprintf(r.out, "--- FAIL %s (go test ended before it)\n", key)
	}
	for _, s := range r.skips {
		fmt.Fprintf(r.out, "*** SKIPPED %s\n", s)
	}
	if r.fuzzed > 0 {
		fmt.Fprintf(r.out, "%d fuzz targets ran over their seeds\n", r.fuzzed)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && r.passed > 0 && (!everything || r.skipped == 0)
}

// lastWords returns what output has from where Go says that the process dies: of a panic or for want of time.
func lastWords(output string) string {
	for _, death := range []string{"panic: ", "fatal error: "} {
		if at := strings.Index("\n"+output, "\n"+death); at >= 0 {
			return output[at:]
		}
	}
	return ""
}

// reason returns what a skipped test said, on one line.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return ": " + strings.Join(said, " ")
}
