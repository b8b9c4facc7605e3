package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/redistest"
)

// imported is what an import with an Idempotency-Key was answered.
type imported struct {
	status   int
	replayed bool
	lines    []wire.ImportLine
	sum      wire.ImportSummary
	whole    bool // the summary is there
	text     string
}

// openImport sends an import with an Idempotency-Key, and returns its answer as soon as that begins.
func (w *world) openImport(name, query string, body io.Reader) *http.Response {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Minute)
	w.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "POST", w.server.URL+"/v1/bulk/users"+query, body)
	w.must(err)
	r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(w.realm.ID)}, "Content-Type": {"application/x-ndjson"},
		"Idempotency-Key": {name}}
	a, err := http.DefaultClient.Do(r)
	w.must(err)
	return a
}

// importOnce sends an import with an Idempotency-Key, and waits until an earlier one has let go of it.
func (w *world) importOnce(name, query, body string) imported {
	w.Helper()
	var got imported
	redistest.Eventually(w.T, "the import to be free", func() bool {
		a := w.openImport(name, query, strings.NewReader(body))
		defer a.Body.Close()
		text, _ := io.ReadAll(a.Body) // one that is cut short has what came before
		got = imported{status: a.StatusCode, replayed: a.Header.Get("Idempotency-Replayed") == "true", text: string(text)}
		return a.StatusCode != http.StatusConflict
	})
	if got.status != 200 {
		return got
	}
	for line := range strings.Lines(got.text) {
		if strings.Contains(line, `"object":"import"`) {
			w.must(json.Unmarshal([]byte(line), &got.sum))
			got.whole = true
			continue
		}
		var l wire.ImportLine
		w.must(json.Unmarshal([]byte(line), &l))
		got.lines = append(got.lines, l)
	}
	return got
}

// answer returns the same as that of another call.
func (i imported) answer() *answer {
	h := http.Header{}
	if i.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	return &answer{Response: &http.Response{StatusCode: i.status, Header: h}, text: i.text}
}

// robots returns lines of users without ids, of whom nothing but the import could tell that they were made before; one has no name
// either, and one is no user at all.
func robots(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"user_type":"api","username":"robot-%d","name":"%s"}`+"\n", i, strings.Repeat("r", i%50))
	}
	return b.String() + `{"user_type":"api"}` + "\n\n" + `{"user_type":"nobody"}` + "\n"
}

// robotsThere returns how many users there are.
func (w *world) robotsThere() int {
	w.Helper()
	_, lines := w.bulk("GET", "", w.realm.ID, nil)
	if len(lines) == 1 && lines[0] == "" {
		return 0
	}
	return len(lines)
}

// TestImportOnce sends an import twice: the second does nothing, and says how the first ended and which lines had failed.
func TestImportOnce(t *testing.T) {
	each(t, func(w *world) {
		body := robots(100)
		want := wire.ImportSummary{Lines: 102, Created: 101, Failed: 1, Object: "import"}
		first := w.importOnce("one", "", body)
		if first.sum != want || len(first.lines) != 102 || first.replayed {
			t.Fatalf("import = %d %+v with %d lines; want %+v with 102", first.status, first.sum, len(first.lines), want)
		}
		for range 2 {
			again := w.importOnce("one", "", body)
			if again.sum != want || len(again.lines) != 1 || again.lines[0].Line != 103 || len(again.lines[0].Errors) != 1 || !again.replayed {
				t.Errorf("the import again = %d %s, replayed: %t; want %+v and line 103, which failed", again.status, again.text, again.replayed, want)
			}
		}
		for what, other := range map[string]string{"longer": body + `{"user_type":"api"}`, "shorter": body[:len(body)-2], "empty": "",
			"another": strings.Replace(body, "robot-7", "robot-8", 1), "a blank line more": body + "\n"} {
			if a := w.importOnce("one", "", other); a.status != 422 || !strings.Contains(a.text, "used for another call") {
				t.Errorf("import of another body (%s) = %d %s; want 422", what, a.status, a.text)
			}
		}
		if a := w.importOnce("one", "?dry_run=true", body); a.status != 422 {
			t.Errorf("a dry run under the same name = %d %s; want 422", a.status, a.text)
		}
		w.want(w.again("one", "POST /v1/orgs", `{"org":{"name":"Acme"}}`), 422, "used for another call")
		if n := w.robotsThere(); n != 101 {
			t.Errorf("after all of these there are %d users; want 101", n)
		}
	})
}

// TestImportTakenUp breaks an import off after some lines, and sends it again: it goes on where it was.
func TestImportTakenUp(t *testing.T) {
	each(t, func(w *world) {
		lines := strings.SplitAfter(robots(100), "\n")
		r, sent := io.Pipe()
		went := make(chan error, 1)
		go func() {
			_, err := io.WriteString(sent, strings.Join(lines[:40], ""))
			went <- err
		}()
		a := w.openImport("one", "", r)
		answer := bufio.NewReader(a.Body)
		for i := range 40 {
			if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, `"created"`) {
				t.Fatalf("answer %d = %s, %v; want it made", i+1, line, err)
			}
		}
		w.must(<-went)
		w.must(sent.CloseWithError(errors.New("the network is gone")))
		w.must(a.Body.Close())

		other := w.importOnce("one", "", strings.Replace(strings.Join(lines, ""), "robot-3", "robot-x", 1))
		if other.status != 422 || w.robotsThere() != 40 {
			t.Errorf("with another beginning = %d %s, and %d users; want 422, and 40", other.status, other.text, w.robotsThere())
		}
		got := w.importOnce("one", "", strings.Join(lines, ""))
		want := wire.ImportSummary{Lines: 102, Created: 101, Failed: 1, Object: "import"}
		if got.sum != want || got.replayed || len(got.lines) != 62 || got.lines[0].Line != 41 || w.robotsThere() != 101 {
			t.Errorf("taken up = %+v, replayed: %t, %d lines from %v on, %d users; want %+v, and 62 lines from 41 on", got.sum, got.replayed, len(got.lines), got.lines, w.robotsThere(), want)
		}
	})
}

// TestImportAfterCrash has the store fail in the middle of an import, at each Apply in turn, before it or after it: sent again, it makes
// everybody, and nobody twice.
func TestImportAfterCrash(t *testing.T) {
	each(t, func(w *world) {
		there := 0
		for step := 1; step <= 8; step++ {
			for _, after := range []bool{false, true} {
				name := fmt.Sprintf("crash-%d-%t", step, after)
				body := strings.ReplaceAll(robots(5), "robot-", name)
				w.store.crash(step, after)
				first := w.importOnce(name, "", body)
				if crashed := w.store.restart(); crashed == first.whole {
					t.Errorf("%s: import = %d %s; want a summary unless the store was gone: %t", name, first.status, first.text, crashed)
				}
				w.clock.Advance(31 * time.Second)
				got := w.importOnce(name, "", body)
				if there += 6; !got.whole || got.sum.Lines != 7 || got.sum.Created+got.sum.Exists != 6 || got.sum.Failed != 1 || w.robotsThere() != there {
					t.Errorf("%s: sent again = %d %s, %d users; want 6 made, and %d users", name, got.status, got.text, w.robotsThere(), there)
				}
				if again := w.importOnce(name, "", body); again.sum != got.sum || !again.replayed {
					t.Errorf("%s: and once more = %d %s; want %+v again", name, again.status, again.text, got.sum)
				}
			}
		}
	})
}

// TestImportIsOne sends an import while the same is under way: it waits its turn, and takes it over once the first is not heard of.
func TestImportIsOne(t *testing.T) {
	each(t, func(w *world) {
		r, sent := io.Pipe()
		go func() { _, _ = io.WriteString(sent, `{"user_type":"api","username":"a"}`+"\n") }()
		a := w.openImport("one", "", r)
		defer a.Body.Close()
		answer := bufio.NewReader(a.Body)
		if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, `"created"`) {
			t.Fatalf("the first line = %s, %v; want it made", line, err)
		}
		body := `{"user_type":"api","username":"a"}` + "\n" + `{"user_type":"api"}` + "\n"
		second := w.openImport("one", "", strings.NewReader(body))
		w.must(second.Body.Close())
		if second.StatusCode != 409 {
			t.Errorf("the same, while the first is under way = %d; want 409", second.StatusCode)
		}
		w.clock.Advance(31 * time.Second)
		want := wire.ImportSummary{Lines: 2, Created: 2, Object: "import"}
		if got := w.importOnce("one", "", body); got.sum != want {
			t.Errorf("taken over = %d %s; want %+v", got.status, got.text, want)
		}
		go func() { _, _ = io.WriteString(sent, `{"user_type":"api"}`+"\n"); _ = sent.Close() }()
		if rest, err := io.ReadAll(answer); err == nil && strings.Contains(string(rest), `"object":"import"`) {
			t.Errorf("the first, which was overtaken = %s; want it cut short", rest)
		}
		if n := w.robotsThere(); n != 2 {
			t.Errorf("there are %d users; want 2", n)
		}
	})
}

// TestImportIsHeardOf takes up an import of which much was done before: while that is read, it is said to be under way.
func TestImportIsHeardOf(t *testing.T) {
	w := newWorld(t)
	line := `{"user_type":"api"}` + "\n"
	done := line + strings.Repeat("\n", 20_000) + line
	r, sent := io.Pipe()
	go func() { _, _ = io.WriteString(sent, done) }()
	a := w.openImport("one", "", r)
	answer := bufio.NewReader(a.Body)
	for range 2 {
		if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, `"created"`) {
			t.Fatalf("the answer begins with %s, %v; want two lines done", line, err)
		}
	}
	w.must(sent.CloseWithError(errors.New("the network is gone")))
	w.must(a.Body.Close())
	w.importOnce("one", "", "another\n") // until the first has let go, which is refused

	heard := false
	w.before(3, func() error { // after the claim and a first word, and before the last line
		heard = w.robotsThere() == 2
		return nil
	})
	if got := w.importOnce("one", "", done+line); got.sum.Created != 3 || !heard {
		t.Errorf("taken up = %d %s, heard of meanwhile: %t; want three made", got.status, got.text, heard)
	}
}

// TestImportKeepsSome keeps what was wrong with a hundred lines, and a dry run as a whole.
func TestImportKeepsSome(t *testing.T) {
	w := newWorld(t)
	body := strings.Repeat(`{"user_type":"nobody"}`+"\n", 150)
	want := wire.ImportSummary{Lines: 150, Failed: 150, Object: "import"}
	for _, lines := range []int{150, 100} {
		if got := w.importOnce("one", "", body); got.sum != want || len(got.lines) != lines {
			t.Errorf("import = %+v with %d lines; want %+v with %d", got.sum, len(got.lines), want, lines)
		}
	}
	want = wire.ImportSummary{Lines: 7, Created: 6, Failed: 1, DryRun: true, Object: "import"}
	for _, lines := range []int{7, 1} {
		if got := w.importOnce("dry", "?dry_run=true", robots(5)); got.sum != want || len(got.lines) != lines || w.robotsThere() != 0 {
			t.Errorf("dry run = %+v with %d lines and %d users; want %+v with %d and none", got.sum, len(got.lines), w.robotsThere(), want, lines)
		}
	}
	for _, bad := range []string{"", "a b"} {
		if got := w.importOnce(bad, "", robots(5)); got.status != 400 || w.robotsThere() != 0 {
			t.Errorf("import under the name %q = %d %s; want 400, and nobody made", bad, got.status, got.text)
		}
	}
}
