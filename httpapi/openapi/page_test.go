package openapi

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// TestExamples holds the examples that the page shows against the document.
func TestExamples(t *testing.T) {
	d, err := conform.Read(JSON().Plain)
	if err != nil {
		t.Fatal(err)
	}
	sent, answered := 0, 0
	for _, g := range (tree{joined()}).view().Groups {
		for _, o := range g.Operations {
			documented := d.Find(o.Method, o.Path)
			if o.Sent != "" {
				sent++
				for _, wrong := range d.Body(documented, o.Bodies[0].Media, []byte(o.Sent)) {
					t.Errorf("%s: the body %s: %s", o.ID, o.Sent, wrong)
				}
			}
			if o.Example != "" {
				answered++
				status, _ := strconv.Atoi(o.Answers[0].Status)
				header := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"X"}}
				for _, wrong := range d.Answer(documented, o.Method, status, header, []byte(o.Example)) {
					t.Errorf("%s: the answer %s: %s", o.ID, o.Example, wrong)
				}
			}
			if strings.Contains(o.Request, "...") || strings.ContainsAny(o.target(), "{}") {
				t.Errorf("%s: its example lacks something: %s", o.ID, o.Request)
			}
		}
	}
	if sent < 30 || answered < 50 {
		t.Errorf("%d bodies and %d answers have examples; want those of most operations", sent, answered)
	}
}

// TestPage walks the page: every operation and schema has a place, every link leads somewhere, and nothing is loaded or run.
func TestPage(t *testing.T) {
	page, shown := string(Page().Plain), tree{joined()}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("the id %q is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if id, local := strings.CutPrefix(m[1], "#"); local && !ids[id] || !local && !strings.HasPrefix(m[1], "openapi.") {
			t.Errorf("the link %q leads nowhere", m[1])
		}
	}
	for path, item := range pairs(get(shown.root, "paths")) {
		for method, node := range pairs(item) {
			if id := text(get(node, "operationId")); method != "parameters" && !ids[id] {
				t.Errorf("%s %s: %q has no place on the page", method, path, id)
			}
		}
	}
	for name, schema := range pairs(get(shown.root, "components", "schemas")) {
		if shown.isBig(schema) && !ids["schema-"+name] {
			t.Errorf("the schema %s has no place on the page", name)
		}
	}
	for _, never := range []string{"<script", "<link", "<img", "<iframe", " style=", " onclick", "@import", "url(", "<nil>"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// TestWordsOfArrays finds on the page which words an array may have.
func TestWordsOfArrays(t *testing.T) {
	page := string(Page().Plain)
	for _, want := range []string{
		"each one of <code>read</code> <code>write</code> <code>manage</code>",
		"each one of <code>lower</code> <code>upper</code> <code>digit</code> <code>special</code>",
		"each one of <code>custom</code> <code>memberships</code> <code>orgs</code>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

// TestPolicy holds the page's policy against its style sheet.
func TestPolicy(t *testing.T) {
	page := string(Page().Plain)
	_, rest, _ := strings.Cut(page, "<style>")
	sheet, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(sheet))
	want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if policy := Page().Policy; !strings.Contains(policy, want) || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("the policy is %q; want nothing but %s", policy, want)
	}
}

// TestProse writes words for people, and nothing but words.
func TestProse(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"plain":            "<p>plain</p>",
		"one\n\ntwo":       "<p>one</p><p>two</p>",
		"a `b` c":          "<p>a <code>b</code> c</p>",
		"**Keys.** a":      "<p><strong>Keys.</strong> a</p>",
		"`**`":             "<p><code>**</code></p>",
		"<b> & `<script>`": "<p>&lt;b&gt; &amp; <code>&lt;script&gt;</code></p>",
		`"quoted" **<i>**`: "<p>&#34;quoted&#34; <strong>&lt;i&gt;</strong></p>",
	} {
		var b strings.Builder
		if err := prose(text).Render(&b); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != want {
			t.Errorf("prose(%q) = %s; want %s", text, got, want)
		}
	}
}
