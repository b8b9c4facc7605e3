package httpapi

import (
	"encoding/json"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// mediaForm is the media type of a body of name=value pairs.
const mediaForm = "application/x-www-form-urlencoded"

// isForm reports whether a body is url-encoded, whatever its parameters.
func isForm(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == mediaForm
}

// formObject turns url-encoded pairs with brackets into the JSON object that they stand for: user[username]=dave is
// {"user":{"username":"dave"}}, user[org_ids][]=a an array. All values are texts: see formValue. Whatever could be read in two
// ways is refused as malformed: a name twice, a name that is both a text and an object, brackets that do not match.
func formObject(text string) ([]byte, error) {
	if strings.HasPrefix(text, "{") {
		return nil, errFormOfJSON
	}
	root := map[string]any{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" { // as after a last &
			continue
		}
		escapedName, escapedValue, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(escapedName)
		value, badValue := url.QueryUnescape(escapedValue)
		if badName != nil || badValue != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, errBadRequestWith("it is not url-encoded UTF-8")
		}
		path, ok := formPath(name)
		if !ok || len(path) > maxDepth || !place(root, path, value) {
			return nil, errBadRequestWith("a name cannot be read, or is there twice")
		}
	}
	return json.Marshal(root)
}

// errFormOfJSON says what is wrong where a program names no media type, and a form is what its HTTP client takes a body for.
var errFormOfJSON = &core.Error{Kind: errMediaType.Kind, Code: errMediaType.Code,
	Detail: "the body looks like JSON, but its Content-Type says that it is a form: send Content-Type: application/json"}

// formValue returns what a value of a form stands for where to is no text: a number or a truth as its text says it, null where there
// is nothing, and an array for name[0]=a&name[1]=b, as PHP has it.
func formValue(raw json.RawMessage, to any) []byte {
	if raw[0] != '"' {
		return formArray(raw)
	}
	text, _ := unquote(raw) // which we wrote
	_, truth := to.(*bool)
	switch {
	case text == "":
		return []byte("null")
	case truth && (text == "1" || text == "0"): // a ticked box, to most libraries
		return strconv.AppendBool(nil, text == "1")
	}
	return []byte(text)
}

// formArray returns the array of an object's members that are named 0, 1 and so on. What is no such object stays as it is.
func formArray(raw json.RawMessage) json.RawMessage {
	indexed := members(raw)
	list := make([]json.RawMessage, len(indexed))
	for _, one := range indexed {
		at, err := strconv.Atoi(string(one.name))
		if err != nil || at < 0 || at >= len(list) || strconv.Itoa(at) != string(one.name) {
			return raw
		}
		list[at] = one.value // no two have one name
	}
	if len(list) == 0 {
		return raw
	}
	array, _ := json.Marshal(list) // which are valid, each
	return array
}

// formPath splits a[b][] into a, b and "".
func formPath(name string) ([]string, bool) {
	first, rest, nested := strings.Cut(name, "[")
	if first == "" || strings.Contains(first, "]") {
		return nil, false
	}
	path := []string{first}
	if !nested {
		return path, true
	}
	inner, closed := strings.CutSuffix(rest, "]")
	if !closed {
		return nil, false
	}
	for part := range strings.SplitSeq(inner, "][") {
		if strings.ContainsAny(part, "[]") {
			return nil, false
		}
		path = append(path, part)
	}
	return path, true
}

// place puts a value where path says, and reports whether there was room for it. "" appends to an array, and stands last.
func place(object map[string]any, path []string, value string) bool {
	name, rest := path[0], path[1:]
	there, taken := object[name]
	switch {
	case name == "":
		return false
	case len(rest) == 0:
		object[name] = value
		return !taken
	case len(rest) == 1 && rest[0] == "":
		list, ok := there.([]string)
		object[name] = append(list, value)
		return ok || !taken
	case !taken:
		there = map[string]any{}
		object[name] = there
	}
	inner, ok := there.(map[string]any)
	return ok && place(inner, rest, value)
}
