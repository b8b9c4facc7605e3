package main

import (
	"context"
	"fmt"
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
	lone    []float64 // median µs of a request when there is one at a time, turn by turn
}

// contest measures servers by turns: each round visits all of them, every other round backwards.
func contest(ctx context.Context, g *generator, rounds int, turn time.Duration, all ...*contender) error {
	return byTurns(ctx, rounds, all, func(c *contender) error {
		s, err := g.sample(c, turn)
		c.samples = append(c.samples, s)
		return err
	})
}

// contestAlone is a contest with one request at a time. Its turns are short: so each round is over before the machine is another,
// which in a second drifts by more than what is looked for.
func contestAlone(ctx context.Context, g *generator, rounds int, all ...*contender) error {
	return byTurns(ctx, rounds, all, func(c *contender) error {
		t, err := g.clean(c.order(1, 80*time.Millisecond))
		c.lone = append(c.lone, t.P50)
		return err
	})
}

// byTurns visits all contenders in each round, every other round backwards, and lets them rest before each turn.
func byTurns(ctx context.Context, rounds int, all []*contender, turn func(*contender) error) error {
	for round := range rounds {
		order := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			if err := rest(ctx, all); err != nil {
				return err
			}
			if err := turn(c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
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

// slower is by how many µs the median request takes longer than with another, one at a time.
func (c *contender) slower(base *contender) quartiles {
	var values []float64
	for i := range c.lone {
		values = append(values, c.lone[i]-base.lone[i])
	}
	return quartilesOf(values)
}

// own is a number of one contender.
func (c *contender) own(of func(sample) float64) quartiles {
	return c.against(c, func(s, _ sample) float64 { return of(s) })
}

// The numbers that are compared.
func rate(s sample) float64            { return s.rate }
func cpu(s sample) float64             { return s.cpu }
func rateRatio(ours, b sample) float64 { return ours.rate / b.rate }
func cpuAdded(ours, b sample) float64  { return ours.cpu - b.cpu }
func p99Ratio(ours, b sample) float64  { return ours.p99 / b.p99 }

// absolute notes what a contender did, to read ratios by.
func (b *bench) absolute(all ...*contender) {
	for _, c := range all {
		r := c.own(rate)
		detail := r.String()
		if c.process != nil {
			detail = fmt.Sprintf("%s; CPU %s µs a request; alone p50 %s µs; at 32 p50/p99 %s/%s µs; resident %s MB", detail,
				number(c.own(cpu).median), number(quartilesOf(slices.Clone(c.lone)).median),
				number(c.own(func(s sample) float64 { return s.p50 }).median), number(c.own(func(s sample) float64 { return s.p99 }).median),
				number(c.process.resident()))
		}
		b.add(line{What: c.name, Value: r.median, Unit: "requests/s", Detail: detail})
	}
}

// turn is how long a server is loaded in each round.
func (o options) turn() time.Duration {
	if o.full {
		return 2 * time.Second
	}
	return 600 * time.Millisecond
}
