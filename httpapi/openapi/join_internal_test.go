package openapi

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// joinTexts joins parts that are written here, and returns JSON.
func joinTexts(texts ...string) (string, error) {
	names := []string{}
	byName := map[string]string{}
	for i, text := range texts {
		name := string(rune('a' + i))
		names, byName[name] = append(names, name), text
	}
	root, err := join(names, func(name string) ([]byte, error) {
		if byName[name] == "gone" {
			return nil, errors.New("there is no such file")
		}
		return []byte(byName[name]), nil
	})
	if err != nil {
		return "", err
	}
	return string(asJSON(root)), nil
}

// TestJoin joins small parts: what is common is filled in, and what an operation says itself stands.
func TestJoin(t *testing.T) {
	const shared = `
x-postern-common:
  every: {responses: {'500': {$ref: E}}}
  managed: {security: [{key: []}], responses: {'403': {$ref: F}}}
  realm: {parameters: [{$ref: R}]}
  body: {responses: {'400': {$ref: B}}}
  method: {put: {responses: {'412': {$ref: P}}}}
  thing: {get: {responses: {'304': {$ref: N}, '200': {headers: {ETag: {$ref: T}}}}}, post: {responses: {'201': {headers: {ETag: {$ref: T}}}}}}
  repeatable: {operation: {responses: {'409': {$ref: C}}}, answer: {headers: {Replayed: {$ref: Y}}}}
  each: {headers: {Id: {$ref: I}}}
`
	for name, c := range map[string]struct{ operation, want string }{
		"open": {"/a: {get: {x-postern-permission: none, responses: {'200': {description: a}}}}",
			`"/a":{"get":{"x-postern-permission":"none","responses":{"200":{"description":"a","headers":{"Id":{"$ref":"I"}}},"500":{"$ref":"E"}}}}`},
		"managed": {"/a: {get: {x-postern-permission: read, parameters: [{name: q}], responses: {'200': {$ref: A}}}}",
			`"/a":{"get":{"x-postern-permission":"read","parameters":[{"name":"q"},{"$ref":"R"}],"responses":{"200":{"$ref":"A"},"403":{"$ref":"F"},"500":{"$ref":"E"}},"security":[{"key":[]}]}}`},
		"security of its own": {"/a: {get: {x-postern-permission: read, x-postern-reach: all, security: [{other: []}], responses: {'403': {$ref: Own}}}}",
			`"/a":{"get":{"x-postern-permission":"read","x-postern-reach":"all","security":[{"other":[]}],"responses":{"403":{"$ref":"Own"},"500":{"$ref":"E"}}}}`},
		"change": {"/a: {put: {requestBody: {}, responses: {'200': {}}}}",
			`"/a":{"put":{"requestBody":{},"responses":{"200":{"headers":{"Id":{"$ref":"I"}}},"400":{"$ref":"B"},"412":{"$ref":"P"},"500":{"$ref":"E"}}}}`},
		"thing": {"/a/{b}: {get: {responses: {'200': {}}}}",
			`"/a/{b}":{"get":{"responses":{"200":{"headers":{"ETag":{"$ref":"T"},"Id":{"$ref":"I"}}},"304":{"$ref":"N"},"500":{"$ref":"E"}}}}`},
		"made": {"/a: {post: {responses: {'201': {}}}}\n  /a/{b}: {get: {responses: {'200': {$ref: '#/answers/A'}}}}",
			`"/a":{"post":{"responses":{"201":{"headers":{"ETag":{"$ref":"T"},"Replayed":{"$ref":"Y"},"Id":{"$ref":"I"}}},"409":{"$ref":"C"},"500":{"$ref":"E"}}}},"/a/{b}":{"get":{"responses":{"200":{"description":"a","headers":{"ETag":{"$ref":"T"},"Id":{"$ref":"I"}}},"304":{"$ref":"N"},"500":{"$ref":"E"}}}}`},
		"repeatable": {"/a: {post: {x-postern-permission: read, x-postern-reach: all, responses: {'200': {$ref: '#/answers/A'}, '404': {$ref: G}}}}",
			`"/a":{"post":{"x-postern-permission":"read","x-postern-reach":"all","responses":{"200":{"description":"a","headers":{"Replayed":{"$ref":"Y"},"Id":{"$ref":"I"}}},"403":{"$ref":"F"},"404":{"$ref":"G"},"409":{"$ref":"C"},"500":{"$ref":"E"}},"security":[{"key":[]}]}}`},
		"alias": {"/a: {get: &x {responses: {'200': {$ref: A}}}, put: *x}",
			`"/a":{"get":{"responses":{"200":{"$ref":"A"},"500":{"$ref":"E"}}},"put":{"responses":{"200":{"$ref":"A"},"412":{"$ref":"P"},"500":{"$ref":"E"}}}}`},
		"repeatable without a key": {"/a: {post: {x-postern-permission: none, responses: {'200': {$ref: '#/answers/A'}}}}",
			`"/a":{"post":{"x-postern-permission":"none","responses":{"200":{"description":"a","headers":{"Replayed":{"$ref":"Y"},"Id":{"$ref":"I"}}},"409":{"$ref":"C"},"500":{"$ref":"E"}}}}`},
	} {
		got, err := joinTexts(shared, "paths:\n  "+c.operation, "answers: {A: {description: a}}")
		if want := `{"paths":{` + c.want + `},"answers":{"A":{"description":"a"}}}`; err != nil || got != want {
			t.Errorf("%s: join = %s, %v; want %s", name, got, err, want)
		}
	}
}

// TestJoinRefuses refuses parts that do not go together.
func TestJoinRefuses(t *testing.T) {
	for tell, parts := range map[string][]string{
		"is missing":                    {"paths: {}"},
		"info is there twice":           {"x-postern-common: {}\ninfo: a", "info: b"},
		"paths: /a: get is there twice": {"x-postern-common: {}\npaths: {/a: {get: x}}", "paths: {/a: {get: y}}"},
		"yaml:":                         {"a: [", "b: 1"},
		"no such file":                  {"gone"},
	} {
		if got, err := joinTexts(parts...); err == nil || !strings.Contains(err.Error(), tell) {
			t.Errorf("join(%q) = %s, %v; want %q", parts, got, err, tell)
		}
	}
}

// TestYAML reads the document as YAML back: it is the same.
func TestYAML(t *testing.T) {
	var back yaml.Node
	if err := yaml.Unmarshal(YAML().Plain, &back); err != nil {
		t.Fatal(err)
	}
	if string(asJSON(back.Content[0])) != string(JSON().Plain) {
		t.Error("the document as YAML is another than that as JSON")
	}
}
