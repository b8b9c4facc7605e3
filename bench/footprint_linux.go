package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// measureFootprint is goal P10.
func measureFootprint(ctx context.Context, b *bench) error {
	size := map[string]float64{}
	for _, name := range []string{"postern", "plain", "withredis", "guarded"} {
		path, err := b.build(ctx, name)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size[name] = float64(info.Size()) / 1e6
	}
	b.judge(size["postern"] <= 25, line{What: "the sidecar's program", Value: size["postern"], Unit: "MB", Limit: "<= 25"})
	beyond := size["guarded"] - size["withredis"]
	b.judge(beyond <= 8, line{What: "what the module adds to Caddy's program beyond go-redis", Value: beyond, Unit: "MB", Limit: "<= 8"})
	b.add(line{What: "Caddy's program: plain", Value: size["plain"], Unit: "MB"})
	b.add(line{What: "Caddy's program: with go-redis", Value: size["withredis"], Unit: "MB"})
	b.add(line{What: "Caddy's program: with Postern", Value: size["guarded"], Unit: "MB"})
	if err := b.sidecarStarts(ctx); err != nil {
		return err
	}
	return b.moduleMemory(ctx)
}

// sidecarStarts starts the sidecar over the embedded store with a signed-in user in it, and waits for the first 200.
func (b *bench) sidecarStarts(ctx context.Context) error {
	data := filepath.Join(b.dir, "footprint")
	tokens, err := populateFile(ctx, data, 100)
	if err != nil {
		return err
	}
	up := startUpstream()
	defer up.Close()
	var ms, memory []float64
	for i := range b.rounds(5, 21) + 1 {
		listen, err := proctest.FreeAddress()
		if err != nil {
			return err
		}
		begun := time.Now()
		p, err := b.launch(anyCore, nil, nil, filepath.Join(b.programs, "postern"), "serve", "--data", data, "--listen", listen,
			"--api-listen", "127.0.0.1:0", "--upstream", up.URL)
		if err != nil {
			return err
		}
		if err = p.await(ctx, "http://"+listen+"/", tokens[0]); err != nil {
			return err
		}
		took := time.Since(begun)
		time.Sleep(2 * time.Second)
		if i > 0 { // the first one's program was not in memory
			ms, memory = append(ms, float64(took.Microseconds())/1000), append(memory, p.resident())
		}
		p.stop()
	}
	q, m := quartilesOf(ms), quartilesOf(memory)
	b.judge(m.median <= 20, line{What: "the sidecar over existing data: resident memory, idle",
		Value: m.median, Unit: "MB", Detail: m.String(), Limit: "<= 20"})
	b.judge(q.median <= 50, line{What: "the sidecar over existing data: from its start to the first 200",
		Value: q.median, Unit: "ms", Detail: q.String(), Limit: "<= 50"})
	return nil
}

// moduleMemory compares Caddy's memory with and without the module, idle.
func (b *bench) moduleMemory(ctx context.Context) error {
	up := startUpstream()
	defer up.Close()
	data := filepath.Join(b.dir, "module")
	tokens, err := populateFile(ctx, data, 100)
	if err != nil {
		return err
	}
	configs := []caddyConfig{{program: "plain"}, {program: "guarded", global: "postern {\n data " + strconv.Quote(data) + "\n}", guard: "postern_auth"}}
	var added, own, plain []float64
	for range b.rounds(3, 15) {
		var memory, anonymous [2]float64
		for i, c := range configs {
			c.upstream = up.Listener.Addr().String()
			p, _, err := b.startCaddy(ctx, anyCore, c, tokens[0])
			if err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			memory[i], anonymous[i] = p.resident(), p.anonymous()
			p.stop()
		}
		added, own, plain = append(added, memory[1]-memory[0]), append(own, anonymous[1]-anonymous[0]), append(plain, memory[0])
	}
	q := quartilesOf(added)
	b.judge(q.median <= 5, line{What: "what the module adds to Caddy's resident memory, idle after one request",
		Value: q.median, Unit: "MB", Detail: q.String(), Limit: "<= 5"})
	of := quartilesOf(own)
	b.add(line{What: "of it no pages of files (heap, stacks, variables)", Value: of.median, Unit: "MB", Detail: of.String()})
	b.add(line{What: "plain Caddy's resident memory", Value: quartilesOf(plain).median, Unit: "MB"})
	return nil
}
