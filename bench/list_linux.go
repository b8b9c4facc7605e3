package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// listRatios is the last line that bench/list prints.
var listRatios = regexp.MustCompile(`least ([0-9.]+)\s+median ([0-9.]+)\s+most ([0-9.]+)`)

// measureList is goal P8.
func measureList(ctx context.Context, b *bench) error {
	program, err := b.build(ctx, "list")
	if err != nil {
		return err
	}
	large := b.rounds(100_000, 1_000_000)
	sizes := []string{"-small", "1000", "-large", strconv.Itoa(large), "-repeat", "200"}
	if err := b.list(ctx, "the embedded store", large, program, sizes...); err != nil {
		return err
	}
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	defer redis.Kill()
	return b.list(ctx, "Redis", large, program, append(sizes, "-redis", redis.url())...)
}

// list compares over one store, and then 1,001 users with 1,000 over the same, which is the noise floor of the worst of
// 60 ratios.
func (b *bench) list(ctx context.Context, store string, large int, program string, arguments ...string) error {
	v, detail, err := listWorst(ctx, program, arguments)
	if err != nil {
		return fmt.Errorf("bench/list over %s: %w", store, err)
	}
	b.judge(v <= 1.3, line{What: fmt.Sprintf("%s: a page of %d users / of 1,000, the worst of 60 filters, orders and pages", store, large),
		Value: v, Detail: detail, Limit: "<= 1.3"})
	if v, detail, err = listWorst(ctx, program, append(slices.Clone(arguments), "-small", "1001", "-large", "1002")); err != nil {
		return fmt.Errorf("bench/list over %s: %w", store, err)
	}
	b.add(line{What: store + ": a page of 1,002 users / of 1,001, the worst of 60 (noise floor)", Value: v, Detail: detail})
	return nil
}

// listWorst returns the worst of the ratios that bench/list prints, and what it was of.
func listWorst(ctx context.Context, program string, arguments []string) (worst float64, detail string, err error) {
	text, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
	m := listRatios.FindSubmatch(text)
	if err != nil || m == nil {
		return 0, "", fmt.Errorf("%w: %s", err, lastLine(text))
	}
	if worst, err = strconv.ParseFloat(string(m[3]), 64); err != nil {
		return 0, "", err
	}
	row := ""
	for text := range strings.Lines(string(text)) {
		if fields := strings.Fields(text); len(fields) >= 6 && fields[len(fields)-1] == string(m[3]) && fields[0] != "ratio" {
			row = strings.Join(fields[:len(fields)-1], " ")
		}
	}
	return worst, fmt.Sprintf("median %s, least %s; worst: %s", m[2], m[1], row), nil
}
