package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// benchmark is what Go's testing printed of one.
type benchmark struct {
	ns, allocs, bytes float64 // of one operation
	verdictBytes      float64
	peak              float64 // MB resident of the whole process
}

var (
	nsPerOp     = regexp.MustCompile(`([0-9.]+) ns/op`)
	bytesPerOp  = regexp.MustCompile(`([0-9.]+) B/op`)
	allocsPerOp = regexp.MustCompile(`([0-9.]+) allocs/op`)
	perVerdict  = regexp.MustCompile(`([0-9.]+) B/verdict`)
)

// testing runs one benchmark of a package for a while.
func (b *bench) testing(ctx context.Context, program, folder, name string, cores int, d time.Duration) (benchmark, error) {
	c := exec.CommandContext(ctx, program, "-test.run=^$", "-test.bench=^"+name+"$", "-test.benchtime="+d.String(), "-test.benchmem",
		"-test.cpu="+strconv.Itoa(cores))
	c.Dir = folder
	text, err := c.CombinedOutput()
	if err != nil {
		return benchmark{}, fmt.Errorf("%s: %w: %s", name, err, lastLine(text))
	}
	find := func(e *regexp.Regexp) float64 {
		if m := e.FindSubmatch(text); m != nil {
			v, _ := strconv.ParseFloat(string(m[1]), 64)
			return v
		}
		return -1
	}
	got := benchmark{ns: find(nsPerOp), allocs: find(allocsPerOp), bytes: find(bytesPerOp), verdictBytes: find(perVerdict)}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		got.peak = float64(usage.Maxrss) * 1024 / 1e6
	}
	if got.ns < 0 {
		return benchmark{}, fmt.Errorf("%s said nothing of time", name)
	}
	return got, nil
}

// rounds returns how often something is measured, and for how long.
func (o options) rounds(quick, full int) int {
	if o.full {
		return full
	}
	return quick
}

// measureSeenToken is goal P3.
func measureSeenToken(ctx context.Context, b *bench) error {
	program, err := b.build(ctx, "guard.test")
	if err != nil {
		return err
	}
	var all, one []float64
	var last benchmark
	for range b.rounds(5, 21) {
		if last, err = b.testing(ctx, program, "guard", "BenchmarkJudgeSeenToken", runtime.NumCPU(), 500*time.Millisecond); err != nil {
			return err
		}
		all = append(all, last.ns*float64(runtime.NumCPU()))
		single, err := b.testing(ctx, program, "guard", "BenchmarkJudgeSeenToken", 1, 500*time.Millisecond)
		if err != nil {
			return err
		}
		one = append(one, single.ns)
	}
	q, alone := quartilesOf(all), quartilesOf(one)
	b.judge(q.median <= 300, line{What: "a seen token, 100,000 live, all cores at once: time of one",
		Value: q.median, Unit: "ns", Detail: q.String(), Limit: "<= 300"})
	b.add(line{What: "the same as Go prints it, divided by the cores", Value: q.median / float64(runtime.NumCPU()), Unit: "ns"})
	b.add(line{What: "the same on one core", Value: alone.median, Unit: "ns", Detail: alone.String()})
	b.judge(last.allocs == 0, line{What: "allocations", Value: last.allocs, Limit: "0"})
	b.add(line{What: "a remembered verdict, of a token of 764 bytes", Value: last.verdictBytes, Unit: "B"})
	bound := last.verdictBytes * (1 << 17) / 1e6
	b.add(line{What: "so the default bound of 131,072 verdicts takes", Value: bound, Unit: "MB"})
	b.judge(last.peak <= 2.5*bound+50, line{What: "most resident memory of the process that measures", Value: last.peak, Unit: "MB",
		Limit: fmt.Sprintf("<= 2.5 x the bound + 50 = %.0f", 2.5*bound+50)})
	return nil
}

// measureNewToken is goal P4.
func measureNewToken(ctx context.Context, b *bench) error {
	program, err := b.build(ctx, "jose.test")
	if err != nil {
		return err
	}
	folder := filepath.Join("internal", "jose")
	var ratios, ours, bare, noise []float64
	allocs := 0.0
	for range b.rounds(9, 31) {
		var ns [3]float64
		for i, name := range []string{"BenchmarkEd25519Verify", "BenchmarkVerify", "BenchmarkEd25519Verify"} {
			got, err := b.testing(ctx, program, folder, name, 1, 200*time.Millisecond)
			if err != nil {
				return err
			}
			ns[i] = got.ns
			if i == 1 {
				allocs = got.allocs
			}
		}
		base := (ns[0] + ns[2]) / 2
		ratios, ours, bare, noise = append(ratios, ns[1]/base), append(ours, ns[1]/1000), append(bare, base/1000), append(noise, ns[2]/ns[0])
	}
	q, n := quartilesOf(ratios), quartilesOf(noise)
	b.judge(q.median <= 1.2, line{What: "a new EdDSA token / its bare signature check", Value: q.median, Detail: q.String(), Limit: "<= 1.2"})
	b.add(line{What: "the bare check / itself (noise floor)", Value: n.median, Detail: n.String()})
	b.judge(allocs <= 25, line{What: "allocations", Value: allocs, Limit: "<= 25"})
	b.add(line{What: "a new token", Value: quartilesOf(ours).median, Unit: "µs"})
	b.add(line{What: "the bare check", Value: quartilesOf(bare).median, Unit: "µs"})
	return nil
}
