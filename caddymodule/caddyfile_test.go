package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var update = flag.Bool("update", false, "write what the Caddyfiles in testdata/adapt adapt to")

// separator stands between a Caddyfile and what comes of it, as in Caddy's own tests.
const separator = "----------\n"

// TestAdapt adapts each Caddyfile in testdata/adapt: to the JSON that follows it, or to the error.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in testdata/adapt, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(text), separator)
			got := adapted(input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("adapts to\n%s\nwant\n%s", got, want)
			}
			if wrong := strings.HasPrefix(filepath.Base(file), "wrong_"); wrong == strings.HasPrefix(got, "{") {
				t.Errorf("adapts to\n%s\nwhile it is wrong: %t", got, wrong)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("shows a secret: %s", got)
			}
		})
	}
}

// adapted returns the JSON of a Caddyfile, indented, or the error that it is refused with.
func adapted(input string) string {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), nil)
	if err != nil {
		return err.Error() + "\n"
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, config, "", "\t"); err != nil {
		return err.Error() + "\n"
	}
	return indented.String() + "\n"
}

// unmarshaler is what a block of the Caddyfile is read into.
type unmarshaler interface {
	caddy.Module
	caddyfile.Unmarshaler
}

// fuzzUnmarshal reads any text as a block. What is accepted must survive the way through JSON, and a refusal names a
// line and shows no secret.
func fuzzUnmarshal(f *testing.F, name string) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(text), separator)
		if _, block, ok := strings.Cut(input, name); ok {
			f.Add(block)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(name+" "+text), "Caddyfile")
		if err != nil {
			return
		}
		id := map[string]caddy.ModuleID{"postern": "postern"}[name]
		if id == "" {
			id = caddy.ModuleID("http.handlers." + name)
		}
		info, err := caddy.GetModule(string(id))
		if err != nil {
			t.Fatal(err)
		}
		read, again := info.New().(unmarshaler), info.New()
		if err := read.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			if !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("refused without a line: %v", err)
			}
			return
		}
		config, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.StrictUnmarshalJSON(config, again); err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		if !reflect.DeepEqual(read, again) {
			t.Errorf("%+v came back from %s as %+v", read, config, again)
		}
	})
}

func FuzzUnmarshalApp(f *testing.F)   { fuzzUnmarshal(f, "postern") }
func FuzzUnmarshalAuth(f *testing.F)  { fuzzUnmarshal(f, "postern_auth") }
func FuzzUnmarshalAPI(f *testing.F)   { fuzzUnmarshal(f, "postern_api") }
func FuzzUnmarshalPages(f *testing.F) { fuzzUnmarshal(f, "postern_pages") }

// TestIsURLSafe holds what counts as a secret in a URL.
func TestIsURLSafe(t *testing.T) {
	for url, want := range map[string]bool{
		"{env.POSTERN_REDIS_URL}":                                               true,
		"redis://localhost":                                                     true,
		"redis://user@localhost:6379/0":                                         true,
		"redis://user:{env.PASSWORD}@localhost":                                 true,
		"redis://:{file./run/secrets/pw}@localhost":                             true,
		"unix:///run/redis.sock?db=1":                                           true,
		"redis://user:hunter2@localhost":                                        false,
		"redis://:hunter2@localhost":                                            false,
		"redis://user:hun{env.TER2}@localhost":                                  false,
		"redis://user:hunter@2@localhost":                                       false,
		"redis+sentinel://{env.U}@a,b/main?sentinel_password={env.P}":           true,
		"redis+sentinel://a,b/main?sentinel_password=hunter2":                   false,
		"redis+sentinel://a,b/main?sentinel%5Fpassword=hunter2":                 false,
		"redis+sentinel://a/main?sentinel_password={env.P}&sentinel_username=u": true,
	} {
		if got := isURLSafe(url); got != want {
			t.Errorf("isURLSafe(%q) = %t, want %t", url, got, want)
		}
	}
}
