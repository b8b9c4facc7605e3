package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// verdict is what a number says of its goal.
type verdict string

const (
	met         verdict = "met"
	notMet      verdict = "not met"
	notMeasured verdict = "not measured"
	aside       verdict = "" // a number to read the others by
)

// line is one number.
type line struct {
	Goal    string  `json:"goal"`
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit,omitempty"`
	Detail  string  `json:"detail,omitempty"` // how the number varied
	Limit   string  `json:"limit,omitempty"`
	Verdict verdict `json:"verdict,omitempty"`
	Why     string  `json:"why,omitempty"`
}

// conditions are what a run's numbers depend on.
type conditions struct {
	Date    string `json:"date"`
	Go      string `json:"go"`
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	GOGC    string `json:"gogc"`
	Full    bool   `json:"full"`
	Pinned  bool   `json:"pinned"` // whether load and server have a core each
	Load    string `json:"load"`   // the machine's load averages at the begin
	Version string `json:"version"`
}

// report prints numbers as they come, and keeps them.
type report struct {
	goal  string
	lines []line // of goal
	count map[verdict]int
	file  *os.File // nil = none
}

func newReport(o options) (*report, error) {
	r := &report{count: map[verdict]int{}}
	c := conditions{Date: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), CPU: cpuModel(), Cores: runtime.NumCPU(),
		GOGC: gogc(), Full: o.full, Pinned: pinned(), Load: loadAverage(), Version: version()}
	fmt.Printf("%s, %s, %s, %d cores, GOGC=%s everywhere, load %s at the begin\n", c.Date, c.Go, c.CPU, c.Cores, c.GOGC, c.Load)
	if !c.Pinned {
		fmt.Println("NOT PINNED: with one core, or without taskset, the load generator takes time from the servers that it measures")
	}
	if o.out == "" {
		return r, nil
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	var err error
	name := "bench-" + time.Now().UTC().Format("20060102-150405") + ".jsonl"
	if r.file, err = os.OpenFile(filepath.Join(o.out, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	return r, json.NewEncoder(r.file).Encode(c)
}

// begin begins a goal.
func (r *report) begin(goal string) { r.goal, r.lines = goal, nil }

// add notes a number.
func (r *report) add(l line) {
	l.Goal = r.goal
	r.lines = append(r.lines, l)
	r.count[l.Verdict]++
}

// judge notes a number with a goal.
func (r *report) judge(ok bool, l line) {
	l.Verdict = notMet
	if ok {
		l.Verdict = met
	}
	r.add(l)
}

// end prints the goal's table.
func (r *report) end(took time.Duration) {
	fmt.Printf("\n%s (%s, load %s)\n", r.goal, took.Round(time.Second), loadAverage())
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, l := range r.lines {
		measured := fmt.Sprintf("%s %s", number(l.Value), l.Unit)
		if l.Verdict == notMeasured {
			measured = "-"
		}
		_, _ = fmt.Fprintf(out, "  %s\t%s\t%s\t%s\t%s\t%s\n", l.What, measured, l.Detail, l.Limit, l.Verdict, l.Why)
		if r.file != nil {
			_ = json.NewEncoder(r.file).Encode(l)
		}
	}
	_ = out.Flush()
}

// close prints what came of all goals.
func (r *report) close() error {
	fmt.Printf("\n%d met, %d not met, %d not measured; load %s at the end\n", r.count[met], r.count[notMet], r.count[notMeasured], loadAverage())
	if r.file == nil {
		return nil
	}
	fmt.Printf("the same as JSON lines: %s\n", r.file.Name())
	return r.file.Close()
}

// number prints a value with three digits that matter.
func number(v float64) string {
	switch a := max(v, -v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// quartiles are of several rounds.
type quartiles struct{ low, median, high float64 }

// quartilesOf returns those of values, of which there is at least one.
func quartilesOf(values []float64) quartiles {
	slices.Sort(values)
	n := len(values)
	return quartiles{values[n/4], values[n/2], values[n-1-n/4]}
}

// String returns the two around the median.
func (q quartiles) String() string { return fmt.Sprintf("%s..%s", number(q.low), number(q.high)) }

// gogc is the setting that all programs run with.
func gogc() string { return cmp.Or(os.Getenv("GOGC"), "100") }

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := bytes.Cut(text, []byte("model name"))
	after, _, _ = bytes.Cut(after, []byte("\n"))
	return strings.TrimLeft(string(after), "\t :")
}
