package house_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// read returns the text of a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files returns the files that git tracks, or would after 'git add', by what ends their names.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files %s: %v", pattern, err)
	}
	return strings.Fields(string(out))
}

// TestDocsLeadOn follows every link from one page of the repository to another, to the heading that it names, and holds that the index
// leads to every page of docs.
func TestDocsLeadOn(t *testing.T) {
	link, code := regexp.MustCompile(`\]\(([^)\s:]*)\)`), regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	for _, page := range append(files(t, ":(glob)*.md"), files(t, "docs/*.md")...) {
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, page), ""), -1) {
			file, heading, _ := strings.Cut(found[1], "#")
			to := page
			if file != "" {
				to = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, to)
			} else if heading != "" && !headings(read(t, to))[heading] {
				t.Errorf("%s leads to %s, which has no heading #%s", page, to, heading)
			}
		}
	}
	index := read(t, "docs/README.md")
	for _, page := range files(t, "docs/*.md") {
		if name := path.Base(page); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
}

// headings returns the anchors of a page's headings, as GitHub makes them.
func headings(page string) map[string]bool {
	all := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return all
}

// TestDocsNameWhatIsThere holds that docs/production.md names every metric and none that is not there, and that what docs/troubleshooting.md
// quotes in its first columns is said somewhere in the code.
func TestDocsNameWhatIsThere(t *testing.T) {
	var code strings.Builder
	for _, name := range files(t, "*.go") {
		if !strings.HasSuffix(name, "_test.go") {
			code.WriteString(read(t, name))
		}
	}
	production, metric := read(t, "docs/production.md"), regexp.MustCompile(`\bpostern_(?:guard|api|store|background|issuer|start)_\w+`)
	for _, name := range metric.FindAllString(read(t, "internal/assembly/meters.go"), -1) {
		if !strings.Contains(production, name) {
			t.Errorf("docs/production.md does not name %s", name)
		}
	}
	for _, name := range metric.FindAllString(production, -1) {
		if !strings.Contains(code.String(), `"`+name+`"`) {
			t.Errorf("docs/production.md names %s, which is no metric", name)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| (?:[0-9]{3} )?(`[^|]*) \\|").FindAllStringSubmatch(read(t, "docs/troubleshooting.md"), -1)
	if len(rows) < 20 {
		t.Fatalf("docs/troubleshooting.md quotes %d messages; want more", len(rows))
	}
	for _, row := range rows {
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if !strings.Contains(code.String(), quoted[1]) {
				t.Errorf("docs/troubleshooting.md quotes %q, which nothing says", quoted[1])
			}
		}
	}
}

// TestDocsNameEveryEventAndCode holds that docs/events.md names every type of event, and docs/api.md every code of an error that /v1 answers with, and
// neither one that is not there.
func TestDocsNameEveryEventAndCode(t *testing.T) {
	for page, tt := range map[string]struct{ there, told map[string]bool }{
		"docs/events.md": {eventTypes(t), namesBetween(t, "docs/events.md", "## What events there are", "\n## ")},
		"docs/api.md":    {errorCodes(t), namesBetween(t, "docs/api.md", "| status | codes of problems |", "\n\n")},
	} {
		if len(tt.there) < 30 {
			t.Fatalf("%s: only %d names were found in the code", page, len(tt.there))
		}
		for name := range tt.there {
			if !tt.told[name] {
				t.Errorf("%s does not name %s", page, name)
			}
		}
		for name := range tt.told {
			if !tt.there[name] && name != "..._not_found" {
				t.Errorf("%s names %s, which is not there", page, name)
			}
		}
	}
}

// eventTypes returns the types of events that core writes, and the one that only a hook hears of.
func eventTypes(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{"ping": true}
	for _, found := range regexp.MustCompile(`(?m)^\tevent\w+ += "([a-z_.]+)"`).FindAllStringSubmatch(read(t, "core/event.go"), -1) {
		all[found[1]] = true
	}
	return all
}

// errorCodes returns the codes of errors that /v1 answers with; of those that end in _not_found, what is before that.
func errorCodes(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, file := range append(files(t, "core/*.go"), files(t, "httpapi/*.go")...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, code := range regexp.MustCompile(`Code: +"([a-z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			all[strings.TrimSuffix(code[1], "_not_found")] = true
		}
	}
	for _, guards := range []string{"issuer_unavailable", "unknown_key", "api_key_address", "invalid_api_key"} { // docs/guard.md has these
		delete(all, guards)
	}
	return all
}

// TestDocsNameEveryRefusal holds that docs/guard.md names every code that the guard itself refuses with, and docs/sidecar.md those of the sidecar. Others
// come from core.
func TestDocsNameEveryRefusal(t *testing.T) {
	_, told, _ := strings.Cut(read(t, "docs/guard.md"), "\n## Refusals\n")
	there := 0
	for _, file := range files(t, "guard/*.go") {
		for _, code := range regexp.MustCompile(`Reason: +"([a-z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			if there++; !strings.Contains(told, "`"+code[1]+"`") && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("docs/guard.md does not name %s among the refusals", code[1])
			}
		}
	}
	if there < 20 {
		t.Fatalf("only %d codes were found in the code", there)
	}
	for _, file := range files(t, "sidecar/*.go") { // the sidecar's own
		for _, code := range regexp.MustCompile(`fail\(w, r, http\.Status\w+, "([a-z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(read(t, "docs/sidecar.md"), "`"+code[1]+"`") {
				t.Errorf("docs/sidecar.md does not name the code %s", code[1])
			}
		}
	}
}

// TestDocsNameEveryPackage holds that CONTRIBUTING.md says what every package is for; those below bench, e2e and scripts as one.
func TestDocsNameEveryPackage(t *testing.T) {
	_, told, _ := strings.Cut(read(t, "CONTRIBUTING.md"), "\n## The house\n")
	packages := map[string]bool{}
	for _, file := range files(t, "*.go") {
		name := strings.Split(path.Dir(file), "/")
		packages[path.Join(name[:min(len(name), 2)]...)] = name[0] != "e2e" && name[0] != "bench" && name[0] != "scripts"
	}
	for name, ours := range packages {
		if ours && !strings.Contains(told, "`"+name+"`") {
			t.Errorf("CONTRIBUTING.md does not say what %s is for", name)
		}
	}
}

// namesBetween returns what stands in backquotes between two texts of a page.
func namesBetween(t *testing.T, page, from, to string) map[string]bool {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, page), from)
	table, _, found := strings.Cut(rest, to)
	if !found {
		t.Fatalf("%s has nothing between %q and %q", page, from, to)
	}
	all := map[string]bool{}
	for _, name := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(table, -1) {
		all[name[1]] = true
	}
	return all
}
