// Command vulndb makes a database that govulncheck reads, out of the Go vulnerability reports in a folder:
//
//	vulndb REPORTS DATABASE
//
// So that vulnerabilities can be looked for where nothing but Go modules can be had.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report is what the index says of one (OSV format, as vuln.go.dev has it).
type report struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Affected []struct {
		Package struct{ Name string }
	}
}

// entry is one report in the index of a module.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
}

// module is a line of the index.
type module struct {
	Path  string  `json:"path"`
	Vulns []entry `json:"vulns"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulndb REPORTS DATABASE")
		os.Exit(2)
	}
	if err := build(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
}

// build copies the reports, and writes the indexes.
func build(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "GO-*.json"))
	if err != nil {
		return err
	}
	for _, folder := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(to, folder), 0o755); err != nil {
			return err
		}
	}
	var newest time.Time
	of := map[string][]entry{}
	for _, file := range files {
		r, err := take(file, filepath.Join(to, "ID"))
		if err != nil {
			return err
		}
		if r.Modified.After(newest) {
			newest = r.Modified
		}
		for _, affected := range r.Affected {
			if name := affected.Package.Name; !slices.Contains(of[name], entry{r.ID, r.Modified}) {
				of[name] = append(of[name], entry{r.ID, r.Modified})
			}
		}
	}
	if len(files) < 1000 {
		return fmt.Errorf("%s has %d reports; there should be thousands", from, len(files))
	}
	var modules []module
	for path, vulns := range of {
		modules = append(modules, module{path, vulns})
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return writeIndexes(to, modules, newest)
}

// take reads a report, and puts a copy of it into a folder.
func take(file, folder string) (*report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o644)
}

// writeIndexes writes what govulncheck looks at first; db.json, by which scripts/vuln knows that a database is whole, comes last.
func writeIndexes(to string, modules []module, newest time.Time) error {
	if err := writeIndex(to, "modules.json", modules); err != nil {
		return err
	}
	return writeIndex(to, "db.json", map[string]time.Time{"modified": newest})
}

// writeIndex writes one of them.
func writeIndex(to, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "index", name), text, 0o644)
}
