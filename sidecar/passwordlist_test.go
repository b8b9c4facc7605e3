package sidecar

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestPasswordList holds that nobody may choose what a password_list has: here the one that docs/passwords.md shows.
func TestPasswordList(t *testing.T) {
	page, err := os.ReadFile("../docs/passwords.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "## A list of your own")
	_, after, _ = strings.Cut(after, "```text\n")
	list, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("docs/passwords.md shows no list")
	}
	file := filepath.Join(t.TempDir(), "refused.txt")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.PasswordList = file })
	create := func(name, password string) error {
		kind, email := core.UserHuman, name+"@example.com"
		_, err := v.parts.Core.Users.Create(v.Context(), v.realm.ID, core.UserChange{Type: &kind, Username: &name, Email: &email, Password: &password}, core.Request{})
		return err
	}
	if err := create("ann", "Harb0ur Tunnel 2026"); err == nil || !strings.Contains(err.Error(), "on the list") {
		t.Errorf("a user with a listed password: %v; want a refusal", err)
	}
	v.must(create("bob", password))
}
