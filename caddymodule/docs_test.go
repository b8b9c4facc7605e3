package caddymodule

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/demo"
)

// TestDocs adapts every Caddyfile in the documentation.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/caddy.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := strings.Split(string(text), "```caddyfile\n")[1:]
	if len(snippets) < 5 {
		t.Fatalf("docs/caddy.md has %d Caddyfiles; want more", len(snippets))
	}
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		if got := adapted(s); !strings.HasPrefix(got, "{") {
			t.Errorf("%s\nis refused: %s", s, got)
		}
		if formatted := string(caddyfile.Format([]byte(s))); formatted != s {
			t.Errorf("%s\nshould be formatted as\n%s", s, formatted)
		}
	}
}

// TestDocsAreWhole holds that every subdirective and field stands in the documentation.
func TestDocsAreWhole(t *testing.T) {
	text, err := os.ReadFile("../docs/caddy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []string{"postern {\n\t\tnone\n", "postern {\n\t\tredis {\n\t\t\tnone\n\t\t}\n", ""} {
		refusal := adapted("{\n\t" + block + "\t}\n}\n")
		if block == "" {
			refusal = adapted(":80\npostern_auth {\n\tnone\n}\n")
		}
		_, names, ok := strings.Cut(refusal, "there are ")
		names, _, _ = strings.Cut(names, ", at ")
		if !ok {
			t.Fatalf("refusal = %s", refusal)
		}
		for name := range strings.SplitSeq(names, ", ") {
			if !strings.Contains(string(text), "`"+name) && !strings.Contains(string(text), "\t"+name+" ") {
				t.Errorf("docs/caddy.md does not speak of %s", name)
			}
		}
	}
}

// TestDocsNameEverything holds that every event of ours, every route of the admin API and every command stands in the documentation.
func TestDocsNameEverything(t *testing.T) {
	text, err := os.ReadFile("../docs/caddy.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range []string{assembly.NoticeStoreAway, assembly.NoticeStoreBack, assembly.NoticeStoreUnfit, assembly.NoticeWorkFailing, assembly.NoticeWorkRecovered} {
		names = append(names, "`"+eventPrefix+n+"`")
	}
	for _, r := range new(Admin).Routes() {
		names = append(names, " "+r.Pattern+"`")
	}
	root := new(cobra.Command)
	addCommands(root)
	for _, c := range root.Commands() {
		if len(c.Commands()) == 0 {
			names = append(names, "caddy postern "+c.Name()+" ")
		}
		for _, sub := range c.Commands() {
			names = append(names, "caddy postern "+c.Name()+" "+sub.Name()+" ")
		}
	}
	if len(names) < 15 {
		t.Fatalf("there are only %q", names)
	}
	for _, name := range names {
		if !strings.Contains(string(text), name) {
			t.Errorf("docs/caddy.md does not speak of %s", name)
		}
	}
}

// TestExample runs Caddyfile.example as it stands, but for the addresses.
func TestExample(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	app := httptest.NewServer(demo.App())
	t.Cleanup(app.Close)
	t.Setenv("SITE", "http://"+w.site)
	t.Setenv("APP", app.Listener.Addr().String())
	text, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if string(caddyfile.Format(text)) != string(text) {
		t.Error("Caddyfile.example is not formatted")
	}
	w.load(strings.Replace(string(text), "{\n", "{\n\tadmin off\n\tpersist_config off\n\tlog {\n\t\toutput file "+w.log+"\n\t}\n", 1))
	got := w.get("/", "")
	if got.status != 401 || got.body != `{"error":"Unauthorized","reason":"no_credential"}` || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("without token = %+v", got)
	}
	token := w.createUser(p, "order-17")
	if got := w.get("/", token); got.status != 200 || !strings.HasPrefix(got.body, "Hello, order-17.") {
		t.Errorf("with the token of a new user = %+v; want the demo app's greeting", got)
	}
	if got := w.get("/admin/x", token, "Accept", "application/json"); !strings.Contains(got.body, "X-Postern-Session") || !strings.Contains(got.body, "X-Postern-User-Id") {
		t.Errorf("/admin/x = %+v; want the headers of both guards", got)
	}
}
