package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "github.com/postern-auth/postern"
	jwx      = "github.com/lestrrat-go/jwx"
	zap      = "go.uber.org/zap"
	goRedis  = "github.com/redis/go-redis"
	bbolt    = "go.etcd.io/bbolt"
	caddy    = "github.com/caddyserver"
	redisPkg = module + "/redisstore"
	boltPkg  = module + "/boltstore"
)

// pkg is what 'go list -json' says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	Deps         []string // what it links, at any depth
	TestImports  []string
	XTestImports []string
}

// arrow is one rule. Packages are named by the path below the module; a name holds for what lies below it too.
type arrow struct {
	why    string
	from   []string // the packages that it binds; none = all
	except []string // but these
	never  []string // import paths, and what lies below them
	deep   bool     // at any depth, not only directly
	tests  bool     // tests too
}

var arrows = []arrow{
	{
		why:  "core knows no HTTP, Redis, bolt, Caddy or zap, and leaves tokens to internal/jose",
		from: []string{"core"}, never: []string{"net/http", goRedis, bbolt, zap, caddy, jwx},
	},
	{
		why:  "only internal/jose imports jwx",
		from: nil, except: []string{"internal/jose"}, never: []string{jwx}, tests: true,
	},
	{
		why:  "guard, httpapi and pages know no store",
		from: []string{"guard", "httpapi", "pages"}, never: []string{redisPkg, boltPkg, goRedis, bbolt}, deep: true,
	},
	{
		why: "only the hosts, cmd, bench and e2e choose a store",
		except: []string{
			"sidecar", "caddymodule", "cmd", "bench", "e2e", "redisstore", "boltstore",
			"internal/hosttest", "internal/redistest", "internal/teststore",
		},
		never: []string{redisPkg, boltPkg, goRedis, bbolt},
	},
	{
		why:  "a store knows no HTTP and no other store",
		from: []string{"redisstore", "boltstore"}, never: []string{"net/http", redisPkg, boltPkg},
	},
	{
		why:  "storetest knows no particular store",
		from: []string{"storetest"}, never: []string{redisPkg, boltPkg, goRedis, bbolt}, deep: true,
	},
	{
		why:    "only caddymodule, and the Caddy built with it, import Caddy",
		except: []string{"caddymodule", "cmd/caddy"}, never: []string{caddy}, tests: true,
	},
	{
		why:  "the sidecar does not link Caddy",
		from: []string{"sidecar", "cmd/postern"}, never: []string{caddy}, deep: true,
	},
	{
		why:  "client imports neither core nor a store",
		from: []string{"client"}, never: []string{module + "/core", redisPkg, boltPkg}, deep: true,
	},
	{
		why:  "what ships holds no test package",
		from: []string{"cmd", "sidecar", "caddymodule"}, deep: true,
		never: []string{"testing", module + "/storetest", module + "/internal/hosttest", module + "/internal/proctest", module + "/internal/redistest", module + "/internal/fakeclock", module + "/internal/draws"},
	},
}

// TestArrows holds design's arrows over the packages there are.
func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		for _, complaint := range complaints(p) {
			t.Error(complaint)
		}
	}
}

// TestCoreImportsNothingOfOurs holds the middle of the house apart: of ours, core imports internal/jose, and internal/fastjson,
// which nothing but the standard library is below.
func TestCoreImportsNothingOfOurs(t *testing.T) {
	for _, p := range list(t) {
		if !below(p.ImportPath, module+"/core") {
			continue
		}
		for _, i := range p.Imports {
			if below(i, module) && !below(i, module+"/core") && i != module+"/internal/jose" && i != module+"/internal/fastjson" {
				t.Errorf("%s imports %s; of ours, core imports only internal/jose and internal/fastjson", p.ImportPath, i)
			}
		}
	}
}

// TestComplaints makes sure that an arrow that points up is seen.
func TestComplaints(t *testing.T) {
	tests := []struct {
		p    pkg
		want int
	}{
		{pkg{ImportPath: module + "/core", Imports: []string{"crypto/rand", module + "/internal/jose"}}, 0},
		{pkg{ImportPath: module + "/core", Imports: []string{"net/http"}}, 1},
		{pkg{ImportPath: module + "/core", Deps: []string{"net/http"}}, 0}, // jwx drags it in
		{pkg{ImportPath: module + "/corelike", Imports: []string{"net/http"}}, 0},
		{pkg{ImportPath: module + "/httpapi/wire", Deps: []string{boltPkg}}, 1},
		{pkg{ImportPath: module + "/httpapi", XTestImports: []string{boltPkg}}, 0},
		{pkg{ImportPath: module + "/internal/assembly", Imports: []string{redisPkg}}, 1},
		{pkg{ImportPath: module + "/sidecar", Imports: []string{redisPkg, boltPkg}}, 0},
		{pkg{ImportPath: module + "/sidecar", Deps: []string{caddy + "/caddy/v2"}}, 1},
		{pkg{ImportPath: module + "/guard", XTestImports: []string{jwx + "/v2/jwt"}}, 1},
		{pkg{ImportPath: module + "/redisstore", Imports: []string{goRedis + "/v9", boltPkg}}, 1},
	}
	for _, test := range tests {
		if got := complaints(test.p); len(got) != test.want {
			t.Errorf("complaints(%+v) = %q; want %d", test.p, got, test.want)
		}
	}
}

// TestModule holds that go.mod asks nothing of whoever imports Postern or builds Caddy with it.
func TestModule(t *testing.T) {
	var mod struct{ Tool, Replace, Exclude []json.RawMessage }
	if err := json.Unmarshal(run(t, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Tool) > 0 {
		t.Errorf("go.mod has tool directives %s; they belong in tools/go.mod", mod.Tool)
	}
	if len(mod.Replace)+len(mod.Exclude) > 0 {
		t.Errorf("go.mod replaces %s and excludes %s; neither holds for whoever imports it", mod.Replace, mod.Exclude)
	}
}

// complaints returns a sentence for each arrow that p breaks.
func complaints(p pkg) []string {
	var all []string
	for _, a := range arrows {
		if len(a.from) > 0 && !names(a.from, p.ImportPath) || names(a.except, p.ImportPath) {
			continue
		}
		for _, i := range a.looksAt(p) {
			own := below(p.ImportPath, i)
			if slices.ContainsFunc(a.never, func(never string) bool { return !own && below(i, never) }) {
				all = append(all, p.ImportPath+" imports "+i+": "+a.why)
			}
		}
	}
	return all
}

// looksAt returns the imports of p that the arrow is about.
func (a arrow) looksAt(p pkg) []string {
	imports := slices.Clone(p.Imports)
	if a.deep {
		imports = append(imports, p.Deps...)
	}
	if a.tests {
		imports = append(append(imports, p.TestImports...), p.XTestImports...)
	}
	slices.Sort(imports)
	return slices.Compact(imports)
}

// names reports whether one of the names, below the module, is path or lies above it.
func names(list []string, path string) bool {
	return slices.ContainsFunc(list, func(name string) bool { return below(path, module+"/"+name) })
}

// below reports whether path is root or lies below it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// list returns all packages of the module, also those that do not build yet.
func list(t *testing.T) []pkg {
	t.Helper()
	out := json.NewDecoder(bytes.NewReader(run(t, "go", "list", "-e", "-json=ImportPath,Imports,Deps,TestImports,XTestImports", module+"/...")))
	var all []pkg
	for {
		var p pkg
		if err := out.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// run returns what a command prints.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, exit.Stderr)
		}
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}
