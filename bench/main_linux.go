package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	var only, role string
	flag.BoolVar(&o.full, "full", false, "longer rounds and more of them, and a million users")
	flag.StringVar(&only, "only", "", "measure these goals: P2,P10")
	flag.StringVar(&o.out, "out", "bench/out", "folder for the JSON lines; \"\" writes none")
	flag.StringVar(&role, "role", "", "used by the command itself: what a process that it starts is for")
	flag.Parse()
	o.only = strings.FieldsFunc(strings.ToUpper(only), func(r rune) bool { return r == ',' || r == ' ' })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch role {
	case "":
		err = run(ctx, o)
	case "load":
		err = generateLoad(os.Stdin, os.Stdout)
	case "flood":
		err = makeFlood(os.Stdin, os.Stdout)
	case "barecalls":
		err = bareCalls(flag.Arg(0), flag.Arg(1))
	case "httputil":
		err = bareProxy(flag.Arg(0), flag.Arg(1))
	default:
		err = fmt.Errorf("there is no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	full bool
	only []string
	out  string
}

// goals are what is measured, those first that load all cores.
var goals = []struct {
	name    string
	measure func(context.Context, *bench) error
}{
	{"P3", measureSeenToken},
	{"P4", measureNewToken},
	{"P10", measureFootprint},
	{"P8", measureList},
	{"P1", measureGuard},
	{"P2", measureSidecar},
	{"P5", measureRevocation},
	{"P7", measureCalls},
	{"P6", measureFlood},
	{"P9", measureMemory},
	{"P11", measureGarbage},
}

// bench is one run.
type bench struct {
	options
	*report
	dir      string // removed at the end
	programs string // built programs, in dir
	live     []*process
	redis    *redisServer // nil until populate
	crowd    *population  // likewise
}

// run builds what is needed and measures.
func run(ctx context.Context, o options) error {
	limit := 20 * time.Minute
	if o.full {
		limit = 2 * time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir, programs: filepath.Join(dir, "programs")}
	defer b.cleanUp()
	if b.report, err = newReport(o); err != nil {
		return err
	}
	for _, g := range goals {
		if len(o.only) > 0 && !slices.Contains(o.only, g.name) {
			continue
		}
		begun := time.Now()
		b.begin(g.name)
		err := g.measure(ctx, b)
		if ctx.Err() != nil {
			return fmt.Errorf("%s was interrupted: %w", g.name, cmp.Or(context.Cause(ctx), ctx.Err()))
		}
		if err != nil {
			b.add(line{What: "everything else", Verdict: notMeasured, Why: err.Error()})
		}
		b.end(time.Since(begun))
	}
	return b.close()
}

// cleanUp ends what still runs and removes what was written.
func (b *bench) cleanUp() {
	for _, p := range slices.Backward(b.live) {
		p.Kill()
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// errMissing says why something cannot be measured here.
var errMissing = errors.New("not to be had here")
