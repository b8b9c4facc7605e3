package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi"
	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// TestDocument reads the document as a client would.
func TestDocument(t *testing.T) {
	d, err := conform.Read(openapi.JSON().Plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Operations()) == 0 {
		t.Error("the document has no operation")
	}
}

// TestDocumentForOthers holds the document to what other people's tools complain about: components that nothing refers to, and
// arrays of which it does not say what is in them.
func TestDocumentForOthers(t *testing.T) {
	text := openapi.JSON().Plain
	var document struct {
		Components map[string]map[string]any
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for kind, components := range document.Components {
		for name := range components {
			if ref := `"#/components/` + kind + `/` + name + `"`; kind != "securitySchemes" && !strings.Contains(string(text), ref) {
				t.Errorf("nothing refers to %s", ref)
			}
		}
	}
	var all any
	_ = json.Unmarshal(text, &all) // as above
	arrays(t, all, "")
}

// arrays complains about schemas of arrays without items.
func arrays(t *testing.T, v any, at string) {
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			arrays(t, inner, at)
		}
	case map[string]any:
		kind, _ := json.Marshal(v["type"]) // which it was read from
		if _, said := v["items"]; !said && strings.Contains(string(kind), `"array"`) {
			t.Errorf("%s has an array without items", at)
		}
		for name, inner := range v {
			arrays(t, inner, at+"/"+name)
		}
	}
}
