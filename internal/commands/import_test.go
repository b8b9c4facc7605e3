package commands_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/commands"
)

// TestImportOfACutFile sends the beginning of a file that breaks off to a server that has not answered by then: it may have made users of that
// beginning, which has to be said, and nothing of the kind where no user was sent.
func TestImportOfACutFile(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	for text, want := range map[string]string{
		`[{"id":"a","aud":"authenticated"},{"id"`: "the import ended early, and can be repeated: supabase: it is cut off: unexpected EOF",
		`[{"id"`: "supabase: it is cut off: unexpected EOF",
	} {
		if err := importInto(t, server.URL, text, "--from supabase"); err == nil || err.Error() != want {
			t.Errorf("import of %s = %v; want %q", text, err, want)
		}
	}
}

// TestImportMeetsAnOutage imports into a server that takes a user, says why it cannot go on, and lets the rest of the file be sent for a while: that
// is said, and not what became of the sending.
func TestImportMeetsAnOutage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, 100))
		_, _ = io.WriteString(w, `{"line":1,"status":"created","id":"usr_1"}`+"\n"+`{"error":"The disk is full","code":"unavailable","object":"error"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	const want = "the import ended after 1 users, and can be repeated: The disk is full"
	if err := importInto(t, server.URL, strings.Repeat(`{"username":"kim"}`+"\n", 1<<20), ""); err == nil || err.Error() != want {
		t.Errorf("import = %v; want %q", err, want)
	}
}

// importInto has the command import a file of that text into a server.
func importInto(t *testing.T, server, text, flags string) error {
	t.Helper()
	folder := t.TempDir()
	key, file := filepath.Join(folder, "key"), filepath.Join(folder, "users")
	for path, content := range map[string]string{key: "pmk_x", file: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := commands.Import(server + "/v1")
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(strings.Fields(flags + " --key-file " + key + " " + file))
	c.SetOut(new(bytes.Buffer))
	c.SetErr(new(bytes.Buffer))
	return c.Execute()
}
