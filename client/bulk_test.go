package client_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/client"
)

// lineOf returns a user to import.
func lineOf(name string) *client.UserLine {
	return &client.UserLine{UserType: "human", Username: name, Email: name + "@example.com"}
}

// TestBulk imports many users, exports them, and imports them elsewhere.
func TestBulk(t *testing.T) {
	each(t, func(w *world) {
		many := func(yield func(*client.UserLine) bool) {
			for i := range 300 {
				if !yield(lineOf(fmt.Sprintf("user%03d", i))) {
					return
				}
			}
			yield(&client.UserLine{UserType: "human", Username: "zoe", Email: "no address"})
		}
		dry, err := w.c.Users.Import(w.ctx, client.UserLines(many), client.ImportOptions{DryRun: true})
		w.must(err)
		if dry.Created != 300 || dry.Failed != 1 || !dry.DryRun {
			w.Errorf("Import to try = %+v; want 300, and 1 that failed", dry)
		}
		var failed []client.ImportLine
		sum, err := w.c.Users.Import(w.ctx, client.UserLines(many), client.ImportOptions{Each: func(l client.ImportLine) {
			if l.Status == "failed" {
				failed = append(failed, l)
			}
		}})
		w.must(err)
		if sum.Lines != 301 || sum.Created != 300 || len(failed) != 1 || failed[0].Line != 301 || len(failed[0].Errors) == 0 {
			w.Errorf("Import = %+v, %+v; want 300, and line 301 failed", sum, failed)
		}

		other, err := w.c.Realms.Create(w.ctx, client.RealmChange{Name: new("other")})
		w.must(err)
		body, err := w.c.Users.ExportNDJSON(w.ctx, client.ExportOptions{PasswordHashes: true})
		w.must(err)
		sum, err = w.c.InRealm(other.ID).Users.Import(w.ctx, body, client.ImportOptions{})
		w.must(err)
		if sum.Created+sum.Exists != 300 {
			w.Errorf("Import of an export = %+v; want 300", sum)
		}
		var ids []string
		for line, err := range w.c.Users.Export(w.ctx, client.ExportOptions{}) {
			w.must(err)
			if ids = append(ids, line.ID); len(ids) == 250 {
				break
			}
		}
		for line, err := range w.c.Users.Export(w.ctx, client.ExportOptions{After: ids[249]}) {
			w.must(err)
			ids = append(ids, line.ID)
		}
		if len(ids) != 300 || !slices.IsSorted(ids) {
			w.Errorf("Export in two parts = %d users; want 300 in the order of their ids", len(ids))
		}
		if _, err := w.client(client.Options{}).Users.Import(w.ctx, strings.NewReader("{}"), client.ImportOptions{}); !errors.Is(err, client.ErrForbidden) {
			w.Errorf("Import without a key = %v; want ErrForbidden", err)
		}
	})
}

// TestBulkOfEverything takes a realm's settings and somebody's recovery codes to another realm.
func TestBulkOfEverything(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.c.Users.Import(w.ctx, client.UserLines(slices.Values([]*client.UserLine{lineOf("ann")})), client.ImportOptions{})
		w.must(err)
		ann, err := w.c.Users.Get(w.ctx, "ann")
		w.must(err)
		_, err = w.c.Credentials.Create(w.ctx, client.CredentialCreate{UserID: ann.ID, CredentialType: "recovery_codes"})
		w.must(err)
		other, err := w.c.Realms.Create(w.ctx, client.RealmChange{Name: new("other"), PasswordMinLength: new(33)})
		w.must(err)
		all := client.ExportOptions{PasswordHashes: true, Memberships: true, APIKeys: true, Authenticators: true, RecoveryCodes: true, Settings: true}
		var got []*client.UserLine
		for line, err := range w.c.Users.Export(w.ctx, all) {
			w.must(err)
			got = append(got, line)
		}
		if len(got) != 2 || got[0].Realm == nil || got[0].Realm.Name != "default" || len(got[0].AuthProviders) != 1 || got[1].RecoveryCodes == nil {
			w.Fatalf("Export of everything = %+v; want the settings, and ann with her codes", got)
		}
		for _, want := range []client.ImportSummary{{Lines: 2, Created: 1, Updated: 1, Object: "import"}, {Lines: 2, Exists: 2, Object: "import"}} {
			sum, err := w.c.InRealm(other.ID).Users.Import(w.ctx, client.UserLines(slices.Values(got)), client.ImportOptions{})
			w.must(err)
			if *sum != want {
				w.Errorf("Import = %+v; want %+v", *sum, want)
			}
		}
		set, err := w.c.Realms.Get(w.ctx, other.ID)
		w.must(err)
		if set.Name != "other" || set.PasswordMinLength != got[0].Realm.PasswordMinLength {
			w.Errorf("the realm after the import = %+v; want its own name, and the other settings", set)
		}
	})
}

// TestBulkCutShort says so of answers that do not come to their end.
func TestBulkCutShort(t *testing.T) {
	c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"id":"usr_1","line":1,"status":"created"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	var seen []string
	var last error
	for u, err := range c.Users.Export(t.Context(), client.ExportOptions{}) {
		if last = err; err == nil {
			seen = append(seen, u.ID)
		}
	}
	if len(seen) != 1 || !errors.Is(last, client.ErrUnavailable) || !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("Export = %v, %v; want one and that it was cut short", seen, last)
	}
	var closed atomic.Bool
	users := client.UserLines(noting(&closed))
	if sum, err := c.Users.Import(t.Context(), users, client.ImportOptions{}); !errors.Is(err, client.ErrUnavailable) || sum != nil {
		t.Errorf("Import = %v, %v; want that it was cut short", sum, err)
	}
	if !closed.Load() {
		t.Error("Import did not end the users")
	}

	for body, want := range map[string]error{`{"line":1,"status":"created"}`: client.ErrUnavailable, `{"error":"Full","object":"error"}`: client.ErrUnavailable, "<html>": client.ErrInternal, strings.Repeat("x", 2<<20): client.ErrUnavailable} {
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) })
		if sum, err := c.Users.Import(t.Context(), strings.NewReader(""), client.ImportOptions{}); !errors.Is(err, want) || sum != nil {
			t.Errorf("Import answered with %.20q = %v, %v; want %v", body, sum, err, want)
		}
	}
}

// noting returns one user, and notes that it ended.
func noting(ended *atomic.Bool) iter.Seq[*client.UserLine] {
	return func(yield func(*client.UserLine) bool) {
		defer ended.Store(true)
		yield(lineOf("ann"))
	}
}

// TestExportIsTriedAgain begins an export anew where nothing of it was answered.
func TestExportIsTriedAgain(t *testing.T) {
	var log requests
	c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if log.note(r) < 3 {
			refuse(503, `{"code":"busy","detail":"d"}`)(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"id":"usr_1"}`+"\n")
	})
	n := 0
	for _, err := range c.Users.Export(t.Context(), client.ExportOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("Export = %d users; want 1", n)
	}
}

// TestImportNamed sends an import twice under one name, and other users under it.
func TestImportNamed(t *testing.T) {
	each(t, func(w *world) {
		users := `{"user_type":"api","name":"Robot"}` + "\n"
		for range 2 {
			sum, err := w.c.Users.Import(w.ctx, strings.NewReader(users), client.ImportOptions{Name: "monday"})
			if want := (client.ImportSummary{Lines: 1, Created: 1, Object: "import"}); err != nil || *sum != want {
				w.Fatalf("Import = %+v, %v; want %+v each time", sum, err, want)
			}
		}
		_, err := w.c.Users.Import(w.ctx, strings.NewReader(users+users), client.ImportOptions{Name: "monday"})
		if !errors.Is(err, &client.Error{Kind: client.KindInvalid, Code: "idempotency_key_reused"}) {
			w.Errorf("Import of others = %v; want idempotency_key_reused", err)
		}
		if _, err := w.c.Users.Import(w.ctx, strings.NewReader(users), client.ImportOptions{Name: "a\nb"}); !errors.Is(err, client.ErrMalformed) {
			w.Errorf("Import under a name of two lines = %v; want ErrMalformed", err)
		}
	})
}
