package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// recipe says how a program is built.
type recipe struct {
	folder, pkg string
	flags       []string
	test        bool
}

// caddyTags are those of 'make caddy'.
const caddyTags = "nobadger,nomysql,nopgx"

// recipes are the programs that are measured. All but the test programs are built as 'make build' does.
var recipes = map[string]recipe{
	"postern":      {folder: ".", pkg: "./cmd/postern"},
	"plain":        {folder: "bench/yardstick", pkg: "./plain", flags: []string{"-tags", caddyTags}},
	"withredis":    {folder: "bench/yardstick", pkg: "./withredis", flags: []string{"-tags", caddyTags}},
	"guarded":      {folder: "bench/yardstick", pkg: "./guarded", flags: []string{"-tags", caddyTags}},
	"oauth2-proxy": {folder: "bench/oauth2proxy", pkg: "github.com/oauth2-proxy/oauth2-proxy/v7"},
	"list":         {folder: ".", pkg: "./bench/list"},
	"guard.test":   {folder: ".", pkg: "./guard", test: true},
	"jose.test":    {folder: ".", pkg: "./internal/jose", test: true},
}

// build builds a program, once a run, and returns its path.
func (b *bench) build(ctx context.Context, name string) (string, error) {
	path := filepath.Join(b.programs, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	r := recipes[name]
	arguments := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path}
	if r.test {
		arguments = []string{"test", "-c", "-trimpath", "-buildvcs=false", "-o", path}
	}
	c := exec.CommandContext(ctx, "go", append(append(arguments, r.flags...), r.pkg)...)
	c.Dir = r.folder
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s cannot be built: %w: %s", name, err, lastLine(text))
	}
	return path, nil
}

// lastLine returns the last line of what a program said.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// version says what is measured.
func version() string {
	text, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "development"
	}
	return strings.TrimSpace(string(text))
}
