package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// contender is a server that is measured.
type contender struct {
	name    string
	process *process // nil = the app itself
	addr    string
	set     int    // of the tokens that it is sent
	before  string // as in order
	after   string
	samples []sample
}

// contest measures servers by turns: each round visits all of them, every other round backwards.
func contest(ctx context.Context, g *generator, rounds int, many, one time.Duration, all ...*contender) error {
	for round := range rounds {
		order := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			if err := rest(ctx, all); err != nil {
				return err
			}
			s, err := g.sample(c, many, one)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.samples = append(c.samples, s)
		}
	}
	return nil
}

// rest waits until nobody works on any more of what came in rounds before, such as events to tell: all share a core. It waits
// for at most 5 seconds.
func rest(ctx context.Context, all []*contender) error {
	const turn, idle = 50 * time.Millisecond, 2 * time.Millisecond
	for range 5 * time.Second / turn {
		before := busy(all)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(turn):
		}
		if busy(all)-before < idle {
			break
		}
	}
	return nil
}

// busy returns for how long all contenders have run so far.
func busy(all []*contender) (sum time.Duration) {
	for _, c := range all {
		if c.process != nil {
			sum += c.process.cpu()
		}
	}
	return sum
}

// against compares two contenders round by round.
func (c *contender) against(base *contender, of func(ours, base sample) float64) quartiles {
	var values []float64
	for i := range c.samples {
		values = append(values, of(c.samples[i], base.samples[i]))
	}
	return quartilesOf(values)
}

// alone is a number of one contender.
func (c *contender) alone(of func(sample) float64) quartiles {
	return c.against(c, func(s, _ sample) float64 { return of(s) })
}

// The numbers that are compared.
func rate(s sample) float64            { return s.rate }
func cpu(s sample) float64             { return s.cpu }
func rateRatio(ours, b sample) float64 { return ours.rate / b.rate }
func cpuAdded(ours, b sample) float64  { return ours.cpu - b.cpu }
func oneAdded(ours, b sample) float64  { return ours.one - b.one }
func p99Ratio(ours, b sample) float64  { return ours.p99 / b.p99 }

// absolute notes what a contender did, to read ratios by.
func (b *bench) absolute(all ...*contender) {
	for _, c := range all {
		r := c.alone(rate)
		detail := r.String()
		if c.process != nil {
			detail = fmt.Sprintf("%s; CPU %s µs a request; alone p50 %s µs; at 32 p50/p99 %s/%s µs; resident %s MB", detail,
				number(c.alone(cpu).median), number(c.alone(func(s sample) float64 { return s.one }).median),
				number(c.alone(func(s sample) float64 { return s.p50 }).median), number(c.alone(func(s sample) float64 { return s.p99 }).median),
				number(c.process.resident()))
		}
		b.add(line{What: c.name, Value: r.median, Unit: "requests/s", Detail: detail})
	}
}

// measureGuard is goal P1.
func measureGuard(ctx context.Context, b *bench) error {
	begun := time.Now()
	if err := b.populate(ctx); err != nil {
		return err
	}
	b.add(line{What: "sign-ins by APT, all new users", Value: liveTokens / time.Since(begun).Seconds(), Unit: "a second"})
	g, err := b.startGenerator(b.crowd.tokens)
	if err != nil {
		return err
	}
	defer g.Kill()
	data, err := os.MkdirTemp(b.dir, "node-")
	if err != nil {
		return err
	}
	postern := fmt.Sprintf("postern {\n redis %s\n master_key {file.%s}\n data %s\n}", b.redis.url(), b.crowd.masterKeyFile, data)
	start := func(name string, c caddyConfig) (*contender, error) {
		c.upstream = g.upstream
		p, addr, err := b.startCaddy(ctx, serverCore, c, b.crowd.tokens[0])
		return &contender{name: name, process: p, addr: addr}, err
	}
	plain, err := start("plain Caddy", caddyConfig{program: "plain"})
	if err != nil {
		return err
	}
	defer plain.process.Kill()
	again, err := start("plain Caddy, another one", caddyConfig{program: "plain"})
	if err != nil {
		return err
	}
	defer again.process.Kill()
	nothing, err := start("Caddy with a guard that verifies nothing", caddyConfig{program: "guarded", guard: "bench_nothing"})
	if err != nil {
		return err
	}
	defer nothing.process.Kill()
	unguarded, err := start("Caddy with Postern in it, and no guard before the proxy", caddyConfig{program: "guarded"})
	if err != nil {
		return err
	}
	defer unguarded.process.Kill()
	guarded, err := start("Caddy with Postern, 100,000 live tokens", caddyConfig{program: "guarded", global: postern, guard: "postern_auth"})
	if err != nil {
		return err
	}
	defer guarded.process.Kill()
	begun = time.Now()
	if err := g.warm(ctx, guarded, liveTokens); err != nil {
		return err
	}
	b.add(line{What: "tokens seen for the first time, on one core", Value: liveTokens / time.Since(begun).Seconds(), Unit: "a second"})
	for _, c := range []*contender{plain, again, nothing, unguarded} {
		if err := g.warm(ctx, c, 5000); err != nil {
			return err
		}
	}
	upstream := &contender{name: "the app, reached directly: the load generator's ceiling", addr: g.upstream}
	if err := contest(ctx, g, 3, 500*time.Millisecond, 0, upstream); err != nil {
		return err
	}
	many, one := b.roundTimes()
	if err := contest(ctx, g, b.rounds(9, 31), many, one, again, plain, guarded, unguarded, nothing); err != nil {
		return err
	}
	b.judgeGuard(plain, again, nothing, guarded)
	within := guarded.against(unguarded, cpuAdded)
	b.add(line{What: "guarded - the same program without a guard: CPU of a request", Value: within.median, Unit: "µs", Detail: fmt.Sprintf("%s; requests a second x %s; p99 x %s",
		within, guarded.against(unguarded, rateRatio), guarded.against(unguarded, p99Ratio))})
	b.absolute(upstream, plain, again, nothing, unguarded, guarded)
	return nil
}

// roundTimes are how long a server is loaded in each round, with many requests at once and with one.
func (o options) roundTimes() (many, one time.Duration) {
	if o.full {
		return 2 * time.Second, time.Second
	}
	return 800 * time.Millisecond, 400 * time.Millisecond
}

// judgeGuard holds the numbers against goal P1.
func (b *bench) judgeGuard(plain, again, nothing, guarded *contender) {
	for _, c := range []*contender{again, nothing} {
		r, a, o, p := c.against(plain, rateRatio), c.against(plain, cpuAdded), c.against(plain, oneAdded), c.against(plain, p99Ratio)
		b.add(line{What: c.name + " / plain Caddy", Value: r.median, Detail: fmt.Sprintf("%s; CPU %s µs (%s), p50 alone %s µs (%s), p99 x %s (%s) more", r,
			number(a.median), a, number(o.median), o, number(p.median), p)})
	}
	added := guarded.against(plain, cpuAdded)
	b.judge(added.median <= 3, line{What: "guarded - plain: CPU of a request", Value: added.median, Unit: "µs", Detail: added.String(), Limit: "<= 3"})
	beyond := guarded.against(nothing, cpuAdded)
	b.add(line{What: "guarded - verifying nothing: CPU of a request", Value: beyond.median, Unit: "µs", Detail: beyond.String()})
	alone := guarded.against(plain, oneAdded)
	b.judge(alone.median <= 10, line{What: "guarded - plain: median time of a request alone", Value: alone.median, Unit: "µs", Detail: alone.String(), Limit: "<= 10"})
	p99, noise := guarded.against(plain, p99Ratio), again.against(plain, p99Ratio)
	b.judge(p99.median <= max(noise.high, 1/noise.low), line{What: "guarded / plain: p99 of 32 at once", Value: p99.median, Detail: p99.String(),
		Limit: "within noise: <= " + number(max(noise.high, 1/noise.low))})
	ratio, floor := guarded.against(plain, rateRatio), nothing.against(plain, rateRatio).median-0.01
	b.judge(ratio.median >= floor, line{What: "guarded / plain: requests a second", Value: ratio.median, Detail: ratio.String(),
		Limit: fmt.Sprintf(">= that of verifying nothing - 0.01 = %s", number(floor))})
}
