package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// samples are where the files of other systems lie.
const samples = "../../internal/userfiles/testdata/"

// TestImportFromElsewhere moves users from each system, who sign in with the passwords that they had there.
func TestImportFromElsewhere(t *testing.T) {
	r := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data"))
	facts := r.facts(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(*facts.ManagementKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call := []string{"--api", facts.APIURL, "--key-file", key}
	imported := func(want string, args ...string) {
		t.Helper()
		must(t, want, append(append([]string{"import"}, args...), call...)...)
	}
	imported("3 users would be made, 0 were there already, 0 failed.", "--dry-run", "--from", "auth0", samples+"auth0.ndjson")
	imported("a password hash of the kind md5 is not imported", "--from", "auth0", "--hashes", samples+"auth0-hashes.ndjson", samples+"auth0.ndjson")
	imported("0 users made, 3 were there already", "--from", "auth0", samples+"auth0.ndjson")
	imported("3 users made", "--from", "firebase", "--firebase-hash-config", samples+"firebase-hash-config.txt", samples+"firebase.json")
	imported("2 users made", "--from", "keycloak", samples+"keycloak.json")
	imported("4 users made", "--from", "kratos", samples+"kratos.json")
	imported("2 users made", "--from", "supabase", samples+"supabase.json")
	c := &crashed{T: t, facts: facts, http: http.DefaultClient}
	for who, password := range map[string]string{"ana.lima@example.com": "Z\u00fcrich-2024 tram", "user1@example.com": "user1password",
		"kim": "Z\u00fcrich-2024 tram", "pia": "Z\u00fcrich-2024 tram", "rui@example.com": "Z\u00fcrich-2024 tram", "rio@example.com": "correct horse 9"} {
		body, _ := json.Marshal(map[string]string{"password": password})
		if status, answer := c.manage("POST", "/users/"+who+"/authenticate", string(body)); status != 200 || answer.Token == "" {
			t.Errorf("authenticate %s with the password from elsewhere = %d; want 200", who, status)
		}
	}
	export := filepath.Join(t.TempDir(), "users.ndjson")
	must(t, "", append([]string{"export", "--password-hashes", "-o", export}, call...)...)
	text, err := os.ReadFile(export)
	if err != nil || strings.Count(string(text), "\n") < 14 || !strings.Contains(string(text), "$argon2id$") {
		t.Errorf("the export holds %d users (%v); want 14 at least, with hashes", strings.Count(string(text), "\n"), err)
	}
	imported("0 users made", export)
	call[1] = strings.TrimSuffix(facts.APIURL, "/v1")
	imported("0 users made", export)
	imported("were there already, 0 failed", "--skip", "5", export)
	bad := filepath.Join(t.TempDir(), "bad.ndjson")
	if err := os.WriteFile(bad, []byte("{\"username\":\"kim\"}\n{\"username\":\"fay\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "user 1: Username has already been taken\n1 users made, 0 were there already, 1 failed.", append([]string{"import", bad}, call...)...)
	refused(t, "a management key is needed", "import", bad)
	refused(t, "Realm not found", append([]string{"import", bad, "--realm", "nowhere"}, call...)...)
}

// TestImportFromElsewhereSays imports a file as it comes from Auth0, packed, and files that something is wrong with.
func TestImportFromElsewhereSays(t *testing.T) {
	dir := t.TempDir()
	facts := dev(t, "--json", "--data", filepath.Join(dir, "data")).facts(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	call := func(args ...string) []string {
		return append([]string{"import", "--api", facts.APIURL, "--key-file", write("key", *facts.ManagementKey)}, args...)
	}
	packed := filepath.Join(dir, "auth0.json.gz")
	pack(t, packed, samples+"auth0.ndjson")
	must(t, "3 users made, 0 were there already", call("--from", "auth0", packed)...)
	taken := write("taken.json", `[{"user_id":"auth0|9","username":"kim"},{"user_id":"auth0|10","username":"kim"}]`)
	must(t, "1 users made", call("--from", "auth0", write("kim.json", `[{"user_id":"auth0|8","username":"kim"}]`))...)
	refused(t, "user 2 (auth0:auth0|10): Username has already been taken", call("--from", "auth0", "--skip", "1", taken)...)
	refused(t, "postern: firebase: it has a user without a localId", call("--from", "firebase", samples+"keycloak.json")...)
	refused(t, "and can be repeated: supabase: it is cut off: unexpected EOF", call("--from", "supabase",
		write("cut.json", "["+strings.Repeat(`{"id":"a","aud":"authenticated"},`, 2000)+`{"id"`))...)
}

// pack writes what a file holds to another, with gzip.
func pack(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(text) // a buffer takes it
	if err := errors.Join(w.Close(), os.WriteFile(to, packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestExportEverything takes a realm to another by command, and compares what both then export.
func TestExportEverything(t *testing.T) {
	r := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data"))
	facts := r.facts(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(*facts.ManagementKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &crashed{T: t, facts: facts, http: http.DefaultClient}
	for _, call := range [][2]string{
		{"/realms", `{"realm":{"name":"copy","password_min_length":40}}`},
		{"/users", `{"user":{"user_type":"human","username":"ann","email":"ann@example.com","org":{"name":"Acme"},"permissions":["read"]}}`},
		{"/users", `{"user":{"user_type":"api","username":"robot","api_key":"generate"}}`},
	} {
		if status, answer := c.manage("POST", call[0], call[1]); status != http.StatusCreated {
			t.Fatalf("POST %s = %d, %+v; want 201", call[0], status, answer)
		}
	}
	call := []string{"--api", facts.APIURL, "--key-file", key}
	export := func(name string, args ...string) string {
		file := filepath.Join(t.TempDir(), name)
		must(t, "", append(append([]string{"export", "--everything", "-o", file}, args...), call...)...)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	file := filepath.Join(t.TempDir(), "realm.ndjson")
	whole := export("realm")
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	users := strings.Count(whole, "\n") - 2
	must(t, fmt.Sprintf("The realm's settings would be set. %d users and 1 orgs would be made", users), append([]string{"import", "--dry-run", "--realm", "copy", file}, call...)...)
	must(t, fmt.Sprintf("The realm's settings were set. %d users and 1 orgs made, 0 were there already, 0 failed.", users), append([]string{"import", "--realm", "copy", file}, call...)...)
	must(t, fmt.Sprintf("0 users made, %d were there already, 0 failed.", users+1), append([]string{"import", "--realm", "copy", file}, call...)...)
	for _, part := range []string{`{"object":"realm","realm":{`, `"object":"org"`, `"memberships":[{`, `"digest":"`} {
		if !strings.Contains(whole, part) {
			t.Errorf("the export has no %s: %s", part, whole)
		}
	}
	_, people, _ := strings.Cut(whole, "\n")
	if settings, copied, _ := strings.Cut(export("copy", "--realm", "copy"), "\n"); copied != people || strings.Contains(settings, `"password_min_length":40`) {
		t.Errorf("the copy exports\n%s\n%s\nwant\n%s, and not its own settings", settings, copied, people)
	}
}
