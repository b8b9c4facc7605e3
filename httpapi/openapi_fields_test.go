package httpapi_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/openapi"
	"github.com/postern-auth/postern/httpapi/openapi/conform"
	"github.com/postern-auth/postern/httpapi/wire"
)

// documented are the types of package wire, by the schemas that say what they are.
var documented = map[string]any{
	"User": wire.User{}, "ListedUser": wire.ListedUser{}, "TokenUser": wire.TokenUser{}, "UserToken": wire.UserToken{}, "UserList": wire.List[wire.ListedUser]{},
	"UserDocument": wire.Document{}, "Request": wire.Request{}, "CredentialRef": wire.CredentialRef{}, "Credential": wire.Credential{},
	"Session": wire.Session{}, "ListedOrg": wire.Org{}, "Membership": wire.Membership{}, "Realm": wire.Realm{}, "Usage": wire.Usage{},
	"JWTKey": wire.JWTKey{}, "AuthProvider": wire.AuthProvider{}, "LoginPolicy": wire.LoginPolicy{}, "APTKey": wire.APTKey{},
	"ManagementKey": wire.ManagementKey{}, "Event": wire.Event{}, "Notification": wire.Notification{}, "Attempt": wire.Attempt{},
	"AppHook": wire.AppHook{}, "Preview": wire.Preview{}, "ImportLine": wire.ImportLine{}, "ImportSummary": wire.ImportSummary{}, "ImportEnded": wire.ImportEnded{},
	"PasswordLine": wire.PasswordLine{}, "UserLine": wire.UserLine{},
}

// TestDocumentedFields holds the schemas against the types that answers are made of: the same members, and always there alike.
// What the document has and no answer ever had would go unnoticed otherwise.
func TestDocumentedFields(t *testing.T) {
	for name, value := range documented {
		members, always := document().Members(document().Schema(name))
		written := jsonMembers(reflect.TypeOf(value))
		if got, want := slices.Sorted(maps.Keys(members)), slices.Sorted(maps.Keys(written)); !slices.Equal(got, want) {
			t.Errorf("the schema %s has\n%q; the type has\n%q", name, got, want)
		}
		for member, there := range written {
			if always[member] != there {
				t.Errorf("%s.%s is always there: %v; the document says %v", name, member, there, always[member])
			}
		}
	}
}

// jsonMembers returns the members that a type is written with, and whether each is always there.
func jsonMembers(t reflect.Type) map[string]bool {
	all := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Pointer: // it may be nil
			for name := range jsonMembers(f.Type.Elem()) {
				all[name] = false
			}
		case f.Anonymous:
			maps.Copy(all, jsonMembers(f.Type))
		case name != "" && name != "-":
			all[name] = options == ""
		}
	}
	return all
}

// TestDocumentedEventTypes holds the types of events against those that are made.
func TestDocumentedEventTypes(t *testing.T) {
	var listed []string
	for _, kind := range document().Schema("EventType").(map[string]any)["enum"].([]any) {
		listed = append(listed, kind.(string))
	}
	if got, want := slices.Sorted(slices.Values(listed)), slices.Sorted(slices.Values(core.EventTypes())); !slices.Equal(got, want) {
		t.Errorf("the document has the types of events\n%q; want\n%q", got, want)
	}
}

// TestDocumentedCodes looks for every code of an error that the API can answer with, as core and httpapi write them.
func TestDocumentedCodes(t *testing.T) {
	code := regexp.MustCompile(`Code:\s+"([a-z_]+)"`)
	seen := map[string]bool{}
	for _, folder := range []string{".", "../core"} {
		sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(text), -1) {
				seen[m[1]] = true
			}
		}
	}
	if len(seen) < 50 {
		t.Fatalf("%d codes were found; want those of the whole API", len(seen))
	}
	for _, elsewhere := range []string{"api_key_address", "invalid_api_key"} { // guards say so; to the API such a key is nobody's
		delete(seen, elsewhere)
	}
	for name := range seen {
		if !strings.Contains(string(openapi.JSON().Plain), "`"+name+"`") {
			t.Errorf("the code %q is not in the document", name)
		}
	}
}

// placeholders are what golden files have in the place of what differs from run to run, with something of its kind.
var placeholders = strings.NewReplacer("_ID\"", "_0000000000000000000000\"", "GUID", "00000000-0000-4000-8000-000000000000",
	`"expires_at": 1392447538.275`, `"expires_at": 1392447538`)

// TestDocumentedGoldenFiles holds what clients are promised to the byte against the document.
func TestDocumentedGoldenFiles(t *testing.T) {
	var answers map[string]json.RawMessage
	readGolden(t, "answers.json", &answers)
	schemas := map[string]string{"user": "User", "session": "Session", "realm": "Realm"}
	for name, body := range answers {
		var is struct {
			Object     string
			Data       json.RawMessage
			Collection []json.RawMessage
		}
		if err := json.Unmarshal(body, &is); err != nil {
			t.Fatal(err)
		}
		switch {
		case is.Data != nil:
			holdGolden(t, name, "UserDocument", body)
		case is.Collection != nil:
			for _, entry := range is.Collection {
				holdGolden(t, name, "Session", entry)
			}
		default:
			holdGolden(t, name, schemas[is.Object], body)
		}
	}
	for form, schema := range map[string]string{"v1": "Errors", "jsonapi": "JSONAPIErrors", "problem": "Problem"} {
		var refusals map[string]struct{ Body json.RawMessage }
		readGolden(t, "refusals."+form+".json", &refusals)
		for name, r := range refusals {
			holdGolden(t, form+" "+name, schema, r.Body)
		}
	}
}

// readGolden reads a golden file.
func readGolden(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal([]byte(placeholders.Replace(string(text))), to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// holdGolden holds a part of a golden file against a schema.
func holdGolden(t *testing.T, name, schema string, text json.RawMessage) {
	t.Helper()
	value, err := conform.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range document().Check(document().Schema(schema), value) {
		t.Errorf("%s: %s", name, wrong)
	}
}
