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

// listRatios are the two last lines that bench/list prints: of the list alone, and of pages over the API.
var listRatios = regexp.MustCompile(`(?m)^ *list alone +least ([0-9.]+) +median ([0-9.]+) +most ([0-9.]+) *\n *ratio +least ([0-9.]+) +median ([0-9.]+) +most ([0-9.]+) *$`)

// measureList is goal P8.
func measureList(ctx context.Context, b *bench) error {
	program, err := b.build(ctx, "list")
	if err != nil {
		return err
	}
	large := b.rounds(100_000, 1_000_000)
	sizes := []string{"-small", "1000", "-large", strconv.Itoa(large), "-repeat", "600"}
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
	api, alone, err := listWorst(ctx, program, arguments)
	if err != nil {
		return fmt.Errorf("bench/list over %s: %w", store, err)
	}
	b.judge(api.most <= 1.3, line{What: fmt.Sprintf("%s: GET /v1/users, a page of %d users / of 1,000, the worst of 60 filters, orders and pages", store, large),
		Value: api.most, Detail: api.detail, Limit: "<= 1.3"})
	b.add(line{What: store + ": the list alone, without reading the request and writing the answer", Value: alone.most, Detail: alone.detail})
	if api, _, err = listWorst(ctx, program, append(slices.Clone(arguments), "-small", "1001", "-large", "1002")); err != nil {
		return fmt.Errorf("bench/list over %s: %w", store, err)
	}
	b.add(line{What: store + ": a page of 1,002 users / of 1,001, the worst of 60 (noise floor)", Value: api.most, Detail: api.detail})
	return nil
}

// pageRatio is the worst of the ratios that bench/list prints, and what it was of.
type pageRatio struct {
	most   float64
	detail string
}

// listWorst returns the worst of the ratios of pages over the API, and of those of the list alone.
func listWorst(ctx context.Context, program string, arguments []string) (api, alone pageRatio, err error) {
	text, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
	m := listRatios.FindSubmatch(text)
	if err != nil || m == nil {
		return api, alone, fmt.Errorf("%w: %s", err, lastLine(text))
	}
	alone.most, err = strconv.ParseFloat(string(m[3]), 64)
	if err != nil {
		return api, alone, err
	}
	if api.most, err = strconv.ParseFloat(string(m[6]), 64); err != nil {
		return api, alone, err
	}
	alone.detail = fmt.Sprintf("median %s, least %s", m[2], m[1])
	api.detail = fmt.Sprintf("median %s, least %s; worst: %s", m[5], m[4], pageOf(string(text), string(m[6])))
	return api, alone, nil
}

// pageOf returns the line of the page whose ratio over the API is ratio, without it: filter, order, page, small, large, quickest,
// work and the list alone.
func pageOf(text, ratio string) (row string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 6 && fields[len(fields)-1] == ratio && fields[0] != "ratio" && fields[0] != "list" {
			row = strings.Join(fields[:len(fields)-1], " ")
		}
	}
	return row
}
