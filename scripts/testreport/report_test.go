package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReport has go test run small packages for real, so that a change in what it prints shows here.
func TestReport(t *testing.T) {
	const head = "package p\n\nimport \"testing\"\n\n"
	tests := []struct {
		name, file string
		last       string   // line of the report
		says       []string // somewhere in it
		ok, inCI   bool
	}{
		{
			"all pass", head + "func TestA(t *testing.T) { t.Run(\"sub\", func(*testing.T) {}) }\nfunc FuzzB(f *testing.F) { f.Add(1); f.Fuzz(func(*testing.T, int) {}) }\n",
			"4 passed, 0 failed, 0 skipped", []string{"ok    example.test/p", "1 fuzz targets"}, true, true,
		},
		{
			"one skipped", head + "func TestA(*testing.T) {}\nfunc TestB(t *testing.T) { t.Skip(\"no server\") }\n",
			"1 passed, 0 failed, 1 skipped", []string{"*** SKIPPED example.test/p TestB: p_test.go:6: no server"}, true, false,
		},
		{
			"one fails", head + "func TestA(*testing.T) {}\nfunc TestB(t *testing.T) { t.Error(\"got 1, want 2\") }\n",
			"1 passed, 1 failed, 0 skipped", []string{"--- FAIL example.test/p TestB", "got 1, want 2", "FAIL  example.test/p"}, false, false,
		},
		{
			"one panics", head + "func TestA(*testing.T) {}\nfunc TestB(*testing.T) { panic(\"lost\") }\nfunc TestC(*testing.T) {}\n",
			"1 passed, 1 failed, 0 skipped", []string{"--- FAIL example.test/p TestB", "panic: lost"}, false, false,
		},
		{
			"one panics when another has passed", "package p\n\nimport (\n\"testing\"\n\"time\"\n)\n\nvar begun = make(chan int)\n\n" +
				"func TestA(t *testing.T) { t.Parallel(); begun <- 1; time.Sleep(time.Second); go panic(\"lost\"); select {} }\nfunc TestB(t *testing.T) { t.Parallel(); <-begun }\n",
			"1 passed, 1 failed, 0 skipped", []string{"--- FAIL example.test/p TestA (did not end)", "panic: lost"}, false, false,
		},
		{
			"one ends the process", "package p\n\nimport (\n\"os\"\n\"testing\"\n)\n\nfunc TestA(*testing.T) { os.Exit(3) }\n",
			"0 passed, 1 failed, 0 skipped", []string{"--- FAIL example.test/p TestA"}, false, false,
		},
		{
			"one ends the process while another waits",
			"package p\n\nimport (\n\"os\"\n\"testing\"\n)\n\nfunc TestA(t *testing.T) { t.Parallel() }\nfunc TestB(*testing.T) { os.Exit(3) }\n",
			"0 passed, 2 failed, 0 skipped",
			[]string{"TestA (did not get its turn)", "--- FAIL example.test/p TestB"}, false, false,
		},
		{
			"TestMain fails", "package p\n\nimport (\n\"os\"\n\"testing\"\n)\n\nfunc TestA(*testing.T) {}\nfunc TestMain(m *testing.M) { m.Run(); os.Exit(3) }\n",
			"1 passed, 1 failed, 0 skipped", []string{"FAIL  example.test/p"}, false, false,
		},
		{
			"does not build", head + "func TestA(*testing.T) { undefined() }\n",
			"0 passed, 1 failed, 0 skipped", []string{"undefined: undefined", "FAIL  example.test/p"}, false, false,
		},
		{
			"no test", "package p\n", "0 passed, 0 failed, 0 skipped", nil, false, false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			events := goTest(t, test.file)
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(events)); err != nil {
				t.Fatal(err)
			}
			if ok := r.close(false); ok != test.ok {
				t.Errorf("close(false) = %v, want %v", ok, test.ok)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != test.last {
				t.Errorf("last line = %q, want %q", last, test.last)
			}
			for _, s := range test.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("report does not say %q:\n%s", s, out.String())
				}
			}
			r.out = &strings.Builder{}
			if ok := r.close(true); ok != test.inCI {
				t.Errorf("close(true) = %v, want %v", ok, test.inCI)
			}
		})
	}
}

// TestReportCutShort holds that tests which never ended are failures.
func TestReportCutShort(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	const events = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
`
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if r.close(false) {
		t.Errorf("close(false) = true after events that break off; want false\n%s", out.String())
	}
}

// goTest returns what 'go test -json' prints for a package of this one test file.
func goTest(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.test/p\n\ngo 1.26\n", "p_test.go": file} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "-count=1", "-parallel=2", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatalf("go test -json printed nothing: %v", err)
	}
	return string(out)
}
