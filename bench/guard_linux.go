package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// caddies are the servers of goal P1.
type caddies struct {
	plain, again *contender // twice the same
	nothing      *contender // with a guard that verifies nothing
	unguarded    *contender // with Postern in the program, and no guard before the proxy
	guarded      *contender
}

func (c *caddies) all() []*contender {
	return []*contender{c.again, c.plain, c.guarded, c.unguarded, c.nothing}
}

// startCaddies starts them before the generator's app. What it returns must be killed, even with an error.
func (b *bench) startCaddies(ctx context.Context, g *generator) (c *caddies, err error) {
	data, err := os.MkdirTemp(b.dir, "node-")
	if err != nil {
		return &caddies{}, err
	}
	postern := fmt.Sprintf("postern {\n redis %s\n master_key {file.%s}\n data %s\n}", b.redis.url(), b.crowd.masterKeyFile, data)
	start := func(name string, c caddyConfig) *contender {
		c.upstream = g.upstream
		p, addr, failed := b.startCaddy(ctx, serverCore, c, b.crowd.tokens[0])
		err = errors.Join(err, failed)
		return &contender{name: name, process: p, addr: addr}
	}
	c = &caddies{
		plain:     start("plain Caddy", caddyConfig{program: "plain"}),
		again:     start("plain Caddy, another one", caddyConfig{program: "plain"}),
		nothing:   start("Caddy with a guard that verifies nothing", caddyConfig{program: "guarded", guard: "bench_nothing"}),
		unguarded: start("Caddy with Postern in it, and no guard before the proxy", caddyConfig{program: "guarded"}),
		guarded:   start("Caddy with Postern, 100,000 live tokens", caddyConfig{program: "guarded", global: postern, guard: "postern_auth"}),
	}
	return c, err
}

// kill ends those that started.
func (c *caddies) kill() {
	for _, one := range c.all() {
		if one != nil && one.process != nil {
			one.process.Kill()
		}
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
	c, err := b.startCaddies(ctx, g)
	defer c.kill()
	if err != nil {
		return err
	}
	begun = time.Now()
	if err := g.warm(ctx, c.guarded, liveTokens); err != nil {
		return err
	}
	b.add(line{What: "tokens seen for the first time, on one core", Value: liveTokens / time.Since(begun).Seconds(), Unit: "a second"})
	for _, one := range []*contender{c.plain, c.again, c.nothing, c.unguarded} {
		if err := g.warm(ctx, one, 5000); err != nil {
			return err
		}
	}
	upstream := &contender{name: "the app, reached directly: the load generator's ceiling", addr: g.upstream}
	if err := contest(ctx, g, 3, 500*time.Millisecond, upstream); err != nil {
		return err
	}
	if err := contest(ctx, g, b.rounds(13, 31), b.turn(), c.all()...); err != nil {
		return err
	}
	if err := contestAlone(ctx, g, b.rounds(81, 201), c.all()...); err != nil {
		return err
	}
	c.judge(b)
	b.absolute(append([]*contender{upstream}, c.all()...)...)
	return nil
}

// judge holds the numbers against goal P1.
func (c *caddies) judge(b *bench) {
	plain, again, nothing, guarded := c.plain, c.again, c.nothing, c.guarded
	for _, c := range []*contender{again, nothing} {
		r, a, o, p := c.against(plain, rateRatio), c.against(plain, cpuAdded), c.slower(plain), c.against(plain, p99Ratio)
		b.add(line{What: c.name + " / plain Caddy", Value: r.median, Detail: fmt.Sprintf("%s; CPU %s µs (%s), p50 alone %s µs (%s), p99 x %s (%s) more", r,
			number(a.median), a, number(o.median), o, number(p.median), p)})
	}
	added := guarded.against(plain, cpuAdded)
	b.judge(added.median <= 3, line{What: "guarded - plain: CPU of a request", Value: added.median, Unit: "µs", Detail: added.String(), Limit: "<= 3"})
	beyond := guarded.against(nothing, cpuAdded)
	b.add(line{What: "guarded - verifying nothing: CPU of a request", Value: beyond.median, Unit: "µs", Detail: beyond.String()})
	alone := guarded.slower(plain)
	b.judge(alone.median <= 10, line{What: "guarded - plain: median time of a request alone", Value: alone.median, Unit: "µs", Detail: alone.String(), Limit: "<= 10"})
	p99, noise := guarded.against(plain, p99Ratio), again.against(plain, p99Ratio)
	b.judge(p99.median <= max(noise.high, 1/noise.low), line{What: "guarded / plain: p99 of 32 at once", Value: p99.median, Detail: p99.String(),
		Limit: "within noise: <= " + number(max(noise.high, 1/noise.low))})
	ratio, floor := guarded.against(plain, rateRatio), nothing.against(plain, rateRatio).median-0.01
	b.judge(ratio.median >= floor, line{What: "guarded / plain: requests a second", Value: ratio.median, Detail: ratio.String(),
		Limit: fmt.Sprintf(">= that of verifying nothing - 0.01 = %s", number(floor))})
	within := guarded.against(c.unguarded, cpuAdded)
	b.add(line{What: "guarded - the same program without a guard: CPU of a request", Value: within.median, Unit: "µs", Detail: fmt.Sprintf("%s; requests a second x %s; p99 x %s; p50 alone %s µs",
		within, guarded.against(c.unguarded, rateRatio), guarded.against(c.unguarded, p99Ratio), guarded.slower(c.unguarded))})
}
