package commands_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/internal/commands"
)

// TestExportCutShort exports from a server that breaks off: what is written ends with a whole line, and whoever goes on is told after whom.
func TestExportCutShort(t *testing.T) {
	const org, user, part = `{"object":"org","id":"org_1"}` + "\n", `{"id":"usr_1","username":"ann"}` + "\n", `{"id":"usr_2","user`
	for sent, want := range map[string]struct{ file, says string }{
		org + user + part: {org + user, "the export was cut short; --after usr_1 goes on: unexpected EOF"},
		org + user:        {org + user, "the export was cut short; --after usr_1 goes on: unexpected EOF"},
		org + part:        {org, "the export was cut short before its first user: unexpected EOF"},
		part:              {"", "the export was cut short before its first user: unexpected EOF"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, sent)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		to := filepath.Join(t.TempDir(), "users")
		t.Setenv("POSTERN_MANAGEMENT_KEY", "pmk_x")
		c := commands.Export(server.URL)
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs([]string{"-o", to})
		c.SetErr(new(bytes.Buffer))
		err := c.Execute()
		server.Close()
		if text, _ := os.ReadFile(to); err == nil || err.Error() != want.says || string(text) != want.file {
			t.Errorf("export of %q = %v, and the file holds %q; want %q and %q", sent, err, text, want.says, want.file)
		}
	}
}
