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
	folder := t.TempDir()
	for text, want := range map[string]string{
		`[{"id":"a","aud":"authenticated"},{"id"`: "the import ended early, and can be repeated: supabase: it is cut off: unexpected EOF",
		`[{"id"`: "supabase: it is cut off: unexpected EOF",
	} {
		key, file := filepath.Join(folder, "key"), filepath.Join(folder, "cut.json")
		for path, content := range map[string]string{key: "pmk_x", file: text} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := commands.Import(server.URL + "/v1")
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs(strings.Fields("--from supabase --key-file " + key + " " + file))
		c.SetOut(new(bytes.Buffer))
		c.SetErr(new(bytes.Buffer))
		if err := c.Execute(); err == nil || err.Error() != want {
			t.Errorf("import of %s = %v; want %q", text, err, want)
		}
	}
}
