package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/assembly"
)

// TestPasswordList holds that nobody may choose what a password_list has, as it is when the configuration is loaded.
func TestPasswordList(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "refused.txt")
	config := strings.ReplaceAll(w.config("postern {\n\t\tpassword_list FILE\n\t}", guarded), "FILE", file)
	load := func(list string) {
		if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		w.load(config)
		w.eventually("the store is set up", func() bool { return len(w.logged("the first management key lies")) > 0 })
	}
	load("harbour tunnel vision")
	key, err := os.ReadFile(assembly.FirstKeyLeft(w.folder))
	if err != nil {
		t.Fatal(err)
	}
	create := func(name, password string, want int) {
		t.Helper()
		got := w.do("POST", "/v1/users", strings.TrimSpace(string(key)), `{"user":{"user_type":"human","username":"`+name+`","email":"`+name+`@example.com","password":"`+password+`"}}`,
			"Content-Type", "application/json", "X-Authrocket-Realm", "default")
		if got.status != want || want != http.StatusCreated && !strings.Contains(got.body, "on the list") {
			t.Errorf("POST %s with the password %q = %+v; want %d", name, password, got, want)
		}
	}
	create("ann", "harbour tunnel vision", http.StatusUnprocessableEntity)
	load("another tunnel vision\n")
	create("bob", "another tunnel vision", http.StatusUnprocessableEntity)
	create("cat", "harbour tunnel vision", http.StatusCreated)
}
