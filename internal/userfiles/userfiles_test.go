package userfiles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/userfiles"
)

var update = flag.Bool("update", false, "write the golden files")

// samples are files in the form of each system's documentation.
var samples = map[string]string{
	"auth0": "auth0.ndjson", "firebase": "firebase.json", "keycloak": "keycloak.json", "kratos": "kratos.json", "supabase": "supabase.json",
}

// open opens a file of testdata.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// options are what the samples take.
func options(t *testing.T) userfiles.Options {
	t.Helper()
	config, err := os.ReadFile("testdata/firebase-hash-config.txt")
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := userfiles.ParseFirebaseHashes(string(config))
	if err != nil {
		t.Fatal(err)
	}
	return userfiles.Options{Hashes: open(t, "auth0-hashes.ndjson"), Firebase: hashes}
}

// TestSamples compares what each sample becomes with a golden file.
func TestSamples(t *testing.T) {
	for _, format := range userfiles.Formats() {
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		err := userfiles.Read(format, open(t, samples[format]), options(t), func(user wire.UserLine, note string) error {
			return e.Encode(struct {
				wire.UserLine
				Note string `json:"note,omitempty"`
			}{user, note})
		})
		if err != nil {
			t.Errorf("Read(%s) = %v", format, err)
		}
		golden := filepath.Join("testdata", format+".golden")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("Read(%s) gives\n%s\nwant (%v)\n%s", format, got.Bytes(), err, want)
		}
	}
}

// TestOtherFiles refuses what is not what a system writes.
func TestOtherFiles(t *testing.T) {
	ignore := func(wire.UserLine, string) error { return nil }
	for _, tt := range []struct{ format, file, says string }{
		{"auth0", "", "it is empty"},
		{"auth0", "user_id,email", "it holds no JSON objects"},
		{"auth0", `[{"user_id":1}]`, `a user whose "user_id" is a JSON number; is it a file of another system?`},
		{"keycloak", `{"realm":"acme"}`, `it holds no "users"`},
		{"keycloak", `{"users":{}}`, `its "users" is not an array`},
		{"firebase", `{"users":[{"localId":"a","passwordHash":"x"}]}`, "need the project's hash_config"},
		{"kratos", `[{"id":`, "it is cut off"},
		{"kratos", `[{"id":"a","traits":{}}`, "it is cut off"},
		{"keycloak", `{"users":[{"id":"a","username":"ann"}]`, "it is cut off"},
		{"keycloak", `{"users":[]} 1`, "behind its users stands a JSON value that holds none: 1"},
		{"auth0", `[{"user_id":"auth0|a"}]{"user_id":"auth0|b"}`, "behind its users stands a JSON value that holds none: {"},
		{"auth0", `{"users":[{"localId":"a"}]}`, "a user without a user_id; is it a file of another system?"},
		{"firebase", `{"users":[{"id":"a","username":"ann"}]}`, "a user without a localId"},
		{"keycloak", `{"users":[{"localId":"a","email":"ann@example.com"}]}`, "a user without an id and a username"},
		{"kratos", `[{"id":"a","email":"ann@example.com"}]`, "a user without an id and traits"},
		{"supabase", `{"id":"acme","realm":"acme","users":[]}`, "a user without an id and an aud"},
		{"okta", `[]`, "there is no format"},
	} {
		err := userfiles.Read(tt.format, strings.NewReader(tt.file), userfiles.Options{}, ignore)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Read(%s, %q) = %v; want %q", tt.format, tt.file, err, tt.says)
		}
	}
	stop := errors.New("stop")
	err := userfiles.Read("supabase", strings.NewReader("\ufeff "+`[{"id":"a","aud":"authenticated"}]`), userfiles.Options{}, func(wire.UserLine, string) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("Read with an emit that fails = %v; want that failure", err)
	}
	if _, err := userfiles.ParseFirebaseHashes("hash_config { algorithm: BCRYPT }"); err == nil {
		t.Error("ParseFirebaseHashes of another algorithm = nil error")
	}
}

// TestSamplesOfOthers reads the users of each system, and of an export of ours, as those of every other: nobody is taken for
// one, by an address alone for instance. The users stand in an array, so that it is they who are told apart.
func TestSamplesOfOthers(t *testing.T) {
	files := map[string]string{"ours": `[{"id":"usr_0N8KYbVfZlJ4rNwOZ0qLJ2","user_type":"human","email":"ann@example.com"}]`}
	for format, sample := range samples {
		text, err := os.ReadFile(filepath.Join("testdata", sample))
		if err != nil {
			t.Fatal(err)
		}
		files[format] = string(array(t, text))
	}
	for of, file := range files {
		for _, format := range userfiles.Formats() {
			if format == of {
				continue
			}
			err := userfiles.Read(format, strings.NewReader(file), options(t), func(user wire.UserLine, _ string) error {
				t.Errorf("Read(%s) of users of %s takes %s", format, of, user.Source)
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), "is it a file of another system?") {
				t.Errorf("Read(%s) of users of %s = %v; want a refusal that asks for the system", format, of, err)
			}
		}
	}
}

// array returns the users in a sample as an array: the sample itself, what it has as "users" or "identities", or its lines.
func array(t *testing.T, sample []byte) []byte {
	t.Helper()
	if sample[0] == '[' {
		return sample
	}
	var object struct{ Users, Identities json.RawMessage }
	if json.Unmarshal(sample, &object) == nil && (object.Users != nil || object.Identities != nil) {
		return append(object.Users, object.Identities...)
	}
	lines := bytes.Split(bytes.TrimSpace(sample), []byte("\n"))
	return slices.Concat([]byte("["), bytes.Join(lines, []byte(",")), []byte("]"))
}

// TestParts reads an export that came in several files as one: nobody in the later ones is passed over.
func TestParts(t *testing.T) {
	for _, tt := range []struct{ format, file string }{
		{"keycloak", `{"realm":"a","users":[{"id":"1","username":"ann"}],"roles":{"x":[1]}} {"users":[{"id":"2","username":"bob"}]}`},
		{"kratos", `[{"id":"1","traits":{}}]` + "\n" + `[{"id":"2","traits":{}}]`},
		{"auth0", `[{"user_id":"1"}][{"user_id":"2"}]`},
		{"auth0", `{"user_id":"1"}{"user_id":"2"}`},
	} {
		var sources []string
		err := userfiles.Read(tt.format, strings.NewReader(tt.file), userfiles.Options{},
			func(user wire.UserLine, _ string) error { sources = append(sources, user.Source); return nil })
		if want := tt.format + ":1 " + tt.format + ":2"; err != nil || strings.Join(sources, " ") != want {
			t.Errorf("Read(%s, %s) = %q, %v; want %q", tt.format, tt.file, sources, err, want)
		}
	}
}

// TestOperatorsWordCounts imports users who wrote about themselves what an operator wrote too: a role that users could give themselves
// would be one that an app then trusts.
func TestOperatorsWordCounts(t *testing.T) {
	for format, user := range map[string]string{
		"auth0":    `{"user_id":"1","user_metadata":{"role":"admin"},"app_metadata":{"role":"guest"}}`,
		"supabase": `{"id":"1","aud":"authenticated","raw_user_meta_data":{"role":"admin"},"raw_app_meta_data":{"role":"guest"}}`,
		"kratos":   `[{"id":"1","traits":{"role":"admin"},"metadata_public":{"role":"member"},"metadata_admin":{"role":"guest"}}]`,
		"keycloak": `{"users":[{"id":"1","username":"x","attributes":{"groups":["admin"]},"groups":["guest"]}]}`,
	} {
		attribute := map[bool]string{true: "groups", false: "role"}[format == "keycloak"]
		err := userfiles.Read(format, strings.NewReader(user), userfiles.Options{}, func(user wire.UserLine, _ string) error {
			if got := strings.Trim(string(user.Custom[attribute]), "[]"); got != `"guest"` {
				t.Errorf("%s: %s = %s; want what the operator wrote", format, attribute, got)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Read(%s) = %v", format, err)
		}
	}
}

// TestAuth0WithoutIDs tells users apart who have no id, as files may have them that Auth0 imports.
func TestAuth0WithoutIDs(t *testing.T) {
	var sources []string
	err := userfiles.Read("auth0", strings.NewReader(`[{"email":"ann@example.com"},{"email":"bob@example.com"}]`), userfiles.Options{},
		func(user wire.UserLine, _ string) error { sources = append(sources, user.Source); return nil })
	if want := "auth0:ann@example.com auth0:bob@example.com"; err != nil || strings.Join(sources, " ") != want {
		t.Errorf("Read = %q, %v; want %q", sources, err, want)
	}
}

// TestAuth0NamesNobody by their address or number, which Auth0 puts in the place of a name that nobody gave.
func TestAuth0NamesNobody(t *testing.T) {
	for user, want := range map[string]string{
		`"email":"ann@example.com","name":"ann@example.com"`: "",
		`"phone_number":"+15551234","name":"+15551234"`:      "",
		`"phone_number":"+15551234","name":"Ann Lee"`:        "Ann Lee",
	} {
		err := userfiles.Read("auth0", strings.NewReader(`{"user_id":"sms|1",`+user+`}`), userfiles.Options{}, func(user wire.UserLine, _ string) error {
			if got := strings.TrimSpace(user.FirstName + " " + user.LastName); got != want {
				t.Errorf("the name of %s = %q; want %q", user.Source, got, want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Read(%s) = %v", user, err)
		}
	}
}

// FuzzRead holds every reader to what imports rest on: no user without the name that they have in their system, and
// custom attributes that are flat.
func FuzzRead(f *testing.F) {
	for format, sample := range samples {
		text, err := os.ReadFile(filepath.Join("testdata", sample))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(format, text)
	}
	f.Fuzz(func(t *testing.T, format string, file []byte) {
		_ = userfiles.Read(format, bytes.NewReader(file), userfiles.Options{}, func(user wire.UserLine, _ string) error {
			if !strings.HasPrefix(user.Source, format+":") || user.Source == format+":" {
				t.Errorf("source = %q; want %s:...", user.Source, format)
			}
			for name, value := range user.Custom {
				if len(name) > 64 || !json.Valid(value) || value[0] == '{' {
					t.Errorf("custom attribute %q = %s", name, value)
				}
			}
			return nil
		})
	})
}
