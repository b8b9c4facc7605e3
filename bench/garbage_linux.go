package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// How a flood of garbage is made.
const (
	goodTokens    = 1000
	garbageTokens = 100_000 // all different; half of them well formed and wrongly signed, which costs the most
	hugeToken     = 2 << 20 // bytes
)

// measureGarbage is goal P11.
func measureGarbage(ctx context.Context, b *bench) error {
	if err := b.refuseTooLong(ctx); err != nil {
		return err
	}
	server, crowd, err := b.populateRedis(ctx, goodTokens)
	if err != nil {
		return err
	}
	defer server.Kill()
	g, err := b.startGenerator(crowd.tokens)
	if err != nil {
		return err
	}
	defer g.Kill()
	p, listen, api, err := b.startSidecarOf(ctx, crowd, serverCore, server.url(), g.upstream, crowd.tokens[0])
	if err != nil {
		return err
	}
	defer p.Kill()
	for what, at := range map[string]string{"the guarded address": listen + "/", "/v1/users/me": api + "/v1/users/me"} {
		if err := b.sendHuge(what, at); err != nil {
			return err
		}
	}
	return b.garbage(ctx, server, g, &contender{name: "the sidecar", process: p, addr: listen}, crowd.tokens)
}

// refuseTooLong measures the guard alone, by what it costs to refuse a token of 2 MiB wherever it is shown.
func (b *bench) refuseTooLong(ctx context.Context) error {
	program, err := b.build(ctx, "guard.test")
	if err != nil {
		return err
	}
	var worst benchmark
	for _, where := range []string{"bearer", "basic", "cookie", "key"} {
		got, err := b.testing(ctx, program, "guard", "BenchmarkTooLong/"+where, 1, 200*time.Millisecond)
		if err != nil {
			return err
		}
		worst.ns, worst.bytes = max(worst.ns, got.ns), max(worst.bytes, got.bytes)
	}
	b.judge(worst.ns <= 1e6, line{What: "the guard refuses a token of 2 MiB, in the worst place for one", Value: worst.ns / 1000, Unit: "µs", Limit: "<= 1000"})
	b.judge(worst.bytes <= 64<<10, line{What: "and allocates", Value: worst.bytes, Unit: "B", Limit: "<= 65536"})
	return nil
}

// sendHuge sends a token of 2 MiB over the network, which the server's bound on headers refuses before anybody looks at it.
func (b *bench) sendHuge(what, at string) error {
	host, path, _ := strings.Cut(at, "/")
	var took []float64
	status := 0
	for range b.rounds(20, 100) {
		c, err := net.DialTimeout("tcp", host, time.Second)
		if err != nil {
			return err
		}
		begun := time.Now()
		go func() { // the server answers and closes before it has read all
			_, _ = fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, host, strings.Repeat("x", hugeToken))
		}()
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			status = answer.StatusCode
			took = append(took, time.Since(begun).Seconds()*1e6)
			_, _ = io.Copy(io.Discard, answer.Body)
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	l := line{What: "a token of 2 MiB sent to " + what, Limit: "refused"}
	if len(took) > 0 {
		q := quartilesOf(took)
		l.Value, l.Unit, l.Detail = q.median, "µs", fmt.Sprintf("%s; answered with %d", q, status)
	}
	b.judge(status/100 == 4, l)
	return nil
}

// garbage shows a server good tokens, a flood of bad ones, and the good ones again: none of them may have to be read anew.
func (b *bench) garbage(ctx context.Context, server *redisServer, g *generator, c *contender, good []string) error {
	if err := g.warm(ctx, c, len(good)); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: server.addr})
	defer func() { _ = client.Close() }()
	if err := g.use(b, foreignSet, badTokens(good)); err != nil {
		return err
	}
	var t tally
	flood := func() (err error) {
		t, err = g.do(order{Addr: c.addr, Set: foreignSet, Conns: 32, Count: garbageTokens})
		return err
	}
	if err := flood(); err != nil { // brings the heap to its size
		return err
	}
	idle := c.process.resident()
	asked, err := scriptsOf(ctx, client, flood)
	if err != nil {
		return err
	}
	grown := c.process.resident() - idle
	then, err := scriptsOf(ctx, client, func() error {
		_, err := g.clean(order{Addr: c.addr, Set: liveSet, Conns: 32, Count: len(good)})
		return err
	})
	if err != nil {
		return err
	}
	b.judge(t.Bad == garbageTokens && t.Status == http.StatusUnauthorized, line{What: "garbage refused", Value: float64(t.Bad),
		Detail: fmt.Sprintf("of %d, with %d; %s a second", garbageTokens, t.Status, number(garbageTokens/t.Seconds)), Limit: "all"})
	b.judge(asked <= garbageTokens/1000, line{What: "what the flood asked the store", Value: asked, Unit: "calls", Limit: "<= one for a thousand"})
	b.judge(grown <= 5, line{What: "resident memory grew in a second flood by", Value: grown, Unit: "MB", Limit: "<= 5"})
	b.judge(then <= float64(len(good))/10, line{What: "what good tokens asked the store after it", Value: then, Unit: "calls",
		Detail: fmt.Sprintf("%d tokens", len(good)), Limit: "<= one for ten: the feed asks too"})
	return nil
}

// badTokens makes garbage: half of it good tokens with another signature, half text of their length.
func badTokens(good []string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(3, 4))
	bad := make([]string, garbageTokens)
	for i := range bad {
		token := []byte(good[i%len(good)])
		from := bytes.LastIndexByte(token, '.') + 1
		if i%2 == 1 {
			from = 0
		}
		for at := from; at < len(token)-1; at++ {
			token[at] = alphabet[random.IntN(len(alphabet))]
		}
		bad[i] = string(token)
	}
	return bad
}

// scriptsOf returns how many scripts Redis runs meanwhile.
func scriptsOf(ctx context.Context, client *redis.Client, meanwhile func() error) (float64, error) {
	before, err := scriptCalls(ctx, client)
	if err != nil {
		return 0, err
	}
	if err := meanwhile(); err != nil {
		return 0, err
	}
	after, err := scriptCalls(ctx, client)
	return after - before, err
}

// scriptCalls returns how many scripts Redis has run.
func scriptCalls(ctx context.Context, client *redis.Client) (float64, error) {
	text, err := client.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(text, "cmdstat_evalsha:calls=")
	if !found {
		return 0, fmt.Errorf("no scripts are counted by Redis: %w", errMissing)
	}
	calls, _, _ := strings.Cut(after, ",")
	return strconv.ParseFloat(calls, 64)
}
