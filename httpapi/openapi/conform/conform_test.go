package conform_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// withSchema returns a document with one schema, as S.
func withSchema(schema string) string {
	return `{"paths":{},"components":{"schemas":{"S":` + schema + `,"T":{"type":"object","required":["t"],"properties":{"t":{"type":"integer"}}}}}}`
}

// check holds a value against a schema.
func check(t *testing.T, schema, value string) []string {
	t.Helper()
	d, err := conform.Read([]byte(withSchema(schema)))
	if err != nil {
		t.Fatalf("Read(%s): %v", schema, err)
	}
	v, err := conform.Decode([]byte(value))
	if err != nil {
		t.Fatalf("Decode(%s): %v", value, err)
	}
	return d.Check(map[string]any{"$ref": "#/components/schemas/S"}, v)
}

// TestCheck holds values against every keyword: right ones pass, wrong ones are told.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		schema      string
		right       []string
		wrong, tell string
	}{
		{`{"type":"string"}`, []string{`""`, `"x"`}, `1`, "$ is integer; want string"},
		{`{"type":"integer"}`, []string{`0`, `-7`}, `1.5`, "$ is number; want integer"},
		{`{"type":"number"}`, []string{`0`, `1.5`, `1e3`}, `"1"`, "$ is string; want number"},
		{`{"type":"boolean"}`, []string{`true`}, `null`, "$ is null; want boolean"},
		{`{"type":"array"}`, []string{`[]`}, `{}`, "$ is object; want array"},
		{`{"type":["string","null"]}`, []string{`null`, `"x"`}, `[]`, "$ is array; want [string null]"},
		{`{"const":"user"}`, []string{`"user"`}, `"org"`, "$ is org; want user"},
		{`{"const":0}`, []string{`0`}, `1`, "$ is 1; want 0"},
		{`{"enum":["a","b"]}`, []string{`"b"`}, `"c"`, "$ is c; want one of [a b]"},
		{`{"pattern":"^usr_[0-9]+$"}`, []string{`"usr_1"`, `7`}, `"xusr_1"`, `$ is "xusr_1"; want ^usr_[0-9]+$`},
		{`{"format":"date"}`, []string{`"2026-11-27"`}, `"2026-13-27"`, `$ is "2026-13-27"; want a date`},
		{`{"format":"date-time"}`, []string{`"2026-11-27T08:00:00Z"`}, `"2026-11-27"`, `$ is "2026-11-27"; want a date-time`},
		{`{"format":"uuid"}`, []string{`"0b9d63ef-1d3c-4a0f-9f44-3f6c2b6f3a51"`}, `"0b9d"`, `$ is "0b9d"; want a uuid`},
		{`{"minLength":2}`, []string{`"äö"`}, `"ä"`, "$ has 1 characters; want 2 at least"},
		{`{"maxLength":2}`, []string{`"äö"`}, `"äöü"`, "$ has 3 characters; want 2 at most"},
		{`{"minimum":1}`, []string{`1`}, `0`, "$ has 0 as its value; want 1 at least"},
		{`{"maximum":1}`, []string{`1`}, `1.5`, "$ has 1.5 as its value; want 1 at most"},
		{`{"minItems":1}`, []string{`[1]`}, `[]`, "$ has 0 entries; want 1 at least"},
		{`{"maxItems":1}`, []string{`[1]`}, `[1,2]`, "$ has 2 entries; want 1 at most"},
		{`{"minProperties":1,"additionalProperties":true}`, []string{`{"x":1}`}, `{}`, "$ has 0 members; want 1 at least"},
		{`{"items":{"type":"string"}}`, []string{`[]`, `["x"]`}, `["x",1]`, "$[1] is integer; want string"},
		{`{"required":["a"],"properties":{"a":{}}}`, []string{`{"a":1}`}, `{}`, "$.a is missing"},
		{`{"properties":{"a":{"type":"string"}}}`, []string{`{}`, `{"a":"x"}`}, `{"a":1}`, "$.a is integer; want string"},
		{`{"properties":{"a":{}}}`, []string{`{"a":{}}`}, `{"b":1}`, "$.b is not in the document"},
		{`{"properties":{"a":{"properties":{"b":{}}}}}`, []string{`{"a":{"b":1}}`}, `{"a":{"c":1}}`, "$.a.c is not in the document"},
		{`{"additionalProperties":{"type":"integer"}}`, []string{`{"x":1}`}, `{"x":"1"}`, "$.x is string; want integer"},
		{`{"additionalProperties":false}`, []string{`{}`}, `{"x":1}`, "$.x is not allowed"},
		{`{"$ref":"#/components/schemas/T"}`, []string{`{"t":1}`}, `{"t":"1"}`, "$.t is string; want integer"},
		{`{"allOf":[{"$ref":"#/components/schemas/T"},{"properties":{"u":{}}}]}`, []string{`{"t":1,"u":2}`}, `{"t":1,"v":2}`, "$.v is not in the document"},
		{`{"allOf":[{"$ref":"#/components/schemas/T"},{"required":["u"],"properties":{"u":{}}}]}`, []string{`{"t":1,"u":2}`}, `{"t":1}`, "$.u is missing"},
		{`{"oneOf":[{"$ref":"#/components/schemas/T"},{"type":"null"}]}`, []string{`{"t":1}`, `null`}, `7`, "$ fits 0 of the choices; want one"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, []string{`1.5`}, `1`, "$ fits 2 of the choices; want one"},
	} {
		for _, right := range c.right {
			if wrong := check(t, c.schema, right); wrong != nil {
				t.Errorf("%s against %s: %q; want nothing", right, c.schema, wrong)
			}
		}
		if wrong := check(t, c.schema, c.wrong); !slices.Contains(wrong, c.tell) {
			t.Errorf("%s against %s: %q; want %q", c.wrong, c.schema, wrong, c.tell)
		}
	}
}

// TestRead refuses documents that would check less than they seem to.
func TestRead(t *testing.T) {
	for document, tell := range map[string]string{
		`{`:  "unexpected EOF",
		`[]`: "no object",
		withSchema(`{"unevaluatedProperties":false}`):         `S: the keyword "unevaluatedProperties" is not known`,
		withSchema(`{"properties":{"a":{"maxItem":1}}}`):      `S.a: the keyword "maxItem" is not known`,
		withSchema(`{"items":{"nullable":true}}`):             `S.items: the keyword "nullable" is not known`,
		withSchema(`{"allOf":[{"not":{}}]}`):                  `S/0: the keyword "not" is not known`,
		withSchema(`{"oneOf":[{"if":{}}]}`):                   `S/0: the keyword "if" is not known`,
		withSchema(`{"additionalProperties":{"dates":true}}`): `S.additionalProperties: the keyword "dates" is not known`,
		withSchema(`{"type":"text"}`):                         "S: type cannot be text",
		withSchema(`{"format":"email"}`):                      "S: format cannot be email",
		withSchema(`{"pattern":"("}`):                         "S: pattern cannot be (",
		withSchema(`{"required":"a"}`):                        "S: required cannot be a",
		withSchema(`{"$ref":"#/components/schemas/U"}`):       "#/components/schemas/U leads nowhere",
		withSchema(`{"type":"string","examples":[1]}`):        "S: its example: $ is integer; want string",
		`{"paths":{"/x":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"types":"x"}}}}}}}}}`: `the keyword "types" is not known`,
		`{"paths":{"/x":{"get":{"parameters":[{"name":"q","in":"query"}]}}}}`:                                      "GET /x q: a schema is missing",
	} {
		if _, err := conform.Read([]byte(document)); err == nil || !strings.Contains(err.Error(), tell) {
			t.Errorf("Read(%s) = %v; want %q", document, err, tell)
		}
	}
}

// small is a document of a few operations.
const small = `{"paths":{
	"/users/{user}":{"parameters":[{"name":"user","in":"path","schema":{}}],"get":{"operationId":"one","responses":{
		"200":{"headers":{"X-Id":{"required":true,"schema":{"type":"integer"}},"X-More":{"schema":{"enum":["a"]}}},
			"content":{"application/json":{"schema":{"type":"object","properties":{"id":{"type":"string"}}}},"text/plain":{},"application/x-ndjson":{"schema":{"type":"integer"}}}},
		"404":{"$ref":"#/components/responses/Gone"}}}},
	"/users/me":{"get":{"operationId":"me"},"put":{"requestBody":{"content":{"application/json":{"schema":{"required":["id"],"properties":{"id":{}}}}}}},"delete":{"operationId":"deleteMe","responses":{"204":{"description":"gone"}}}}},
	"components":{"responses":{"Gone":{"content":{"application/json":{"schema":{"type":"object","required":["error"],"properties":{"error":{}}}}}}}}}`

// TestFind finds what a path means: words come before braces.
func TestFind(t *testing.T) {
	d, err := conform.Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		"GET /users/ann": "one", "HEAD /users/ann": "one", "GET /users/me": "me", "DELETE /users/me": "deleteMe",
		"DELETE /users/ann": "", "GET /users/": "", "GET /users": "", "GET /users/a/b": "",
	} {
		method, path, _ := strings.Cut(call, " ")
		got := ""
		if o := d.Find(method, path); o != nil {
			got = o.ID
		}
		if got != want {
			t.Errorf("Find(%s) = %q; want %q", call, got, want)
		}
	}
}

// TestAnswer holds answers against what their operation lists.
func TestAnswer(t *testing.T) {
	d, err := conform.Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, call  string
		status      int
		header      http.Header
		body, wrong string // wrong "" = nothing is
	}{
		{"right", "GET /users/ann", 200, header("application/json; charset=utf-8", "7"), `{"id":"x"}`, ""},
		{"another media type", "GET /users/ann", 200, header("text/plain", "7"), `anything`, ""},
		{"lines", "GET /users/ann", 200, header("application/x-ndjson", "7"), "1\n2\n", ""},
		{"wrong line", "GET /users/ann", 200, header("application/x-ndjson", "7"), "1\nnull\n", "$ is null"},
		{"head", "HEAD /users/ann", 200, header("", "7"), "", ""},
		{"refusal", "GET /users/ann", 404, header("application/json", ""), `{"error":1}`, ""},
		{"no body", "DELETE /users/me", 204, header("", ""), "", ""},
		{"status", "GET /users/ann", 500, header("application/json", "7"), `{}`, "status 500"},
		{"media type", "GET /users/ann", 200, header("text/html", "7"), `{}`, `media type "text/html"`},
		{"unexpected body", "DELETE /users/me", 204, header("application/json", ""), `{}`, `media type "application/json"`},
		{"no media type", "GET /users/ann", 200, header("", "7"), `{}`, `media type ""`},
		{"no header", "GET /users/ann", 200, header("application/json", ""), `{}`, "header X-Id is missing"},
		{"no number", "GET /users/ann", 200, header("application/json", "x"), `{}`, "header X-Id"},
		{"head without its header", "HEAD /users/ann", 200, header("", ""), "", "header X-Id is missing"},
		{"other word", "GET /users/ann", 200, http.Header{"Content-Type": {"application/json"}, "X-Id": {"7"}, "X-More": {"b"}}, `{}`, "header X-More"},
		{"unlisted header", "GET /users/ann", 200, http.Header{"Content-Type": {"application/json"}, "X-Id": {"7"}, "Etag": {"x"}}, `{}`, "header Etag is not in the document"},
		{"member", "GET /users/ann", 200, header("application/json", "7"), `{"name":"x"}`, "$.name is not in the document"},
		{"no JSON", "GET /users/ann", 200, header("application/json", "7"), `{`, "unexpected EOF"},
		{"two values", "GET /users/ann", 200, header("application/json", "7"), `{}{}`, "something follows"},
		{"refusal's body", "GET /users/ann", 404, header("application/json", ""), `{}`, "$.error is missing"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		got := strings.Join(d.Answer(d.Find(method, path), method, c.status, c.header, []byte(c.body)), "; ")
		if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: Answer = %q; want %q", c.name, got, c.wrong)
		}
	}
}

// header returns the headers of an answer.
func header(media, id string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{"Content-Type": media, "X-Id": id} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return h
}

// TestBody holds what is sent against an operation.
func TestBody(t *testing.T) {
	d, err := conform.Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ call, media, body, wrong string }{
		{"PUT /users/me", "application/json", `{"id":1}`, ""},
		{"PUT /users/me", "application/json", `{"id":1,"x":2}`, "$.x is not in the document"},
		{"PUT /users/me", "application/json", `{}`, "$.id is missing"},
		{"PUT /users/me", "application/json", `x`, "invalid character"},
		{"PUT /users/me", "text/plain", `{}`, `media type "text/plain"`},
		{"DELETE /users/me", "application/json", `{}`, `media type "application/json"`},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		got := strings.Join(d.Body(d.Find(method, path), c.media, []byte(c.body)), "; ")
		if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("Body(%s, %s, %s) = %q; want %q", c.call, c.media, c.body, got, c.wrong)
		}
	}
}

// TestMembers gathers what an object may have, and what it always has.
func TestMembers(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"string"}`: "",
		`{"required":["a"],"properties":{"a":{},"b":{}}}`:                                                           "a! b",
		`{"$ref":"#/components/schemas/T"}`:                                                                         "t!",
		`{"allOf":[{"$ref":"#/components/schemas/T"},{"required":["t","u"],"properties":{"u":{}}}]}`:                "t! u!",
		`{"oneOf":[{"$ref":"#/components/schemas/T"},{"required":["u"],"properties":{"u":{}}}]}`:                    "t u",
		`{"oneOf":[{"allOf":[{"$ref":"#/components/schemas/T"}]},{"required":["t"],"properties":{"t":{},"u":{}}}]}`: "t! u",
	} {
		d, err := conform.Read([]byte(withSchema(schema)))
		if err != nil {
			t.Fatal(err)
		}
		members, required := d.Members(d.Schema("S"))
		var got []string
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if required[name] {
				name += "!"
			}
			got = append(got, name)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("Members(%s) = %q; want %q", schema, text, want)
		}
	}
}
