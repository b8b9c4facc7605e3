package httpapi

import (
	"encoding/json"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// mediaForm is the media type of a body of name=value pairs.
const mediaForm = "application/x-www-form-urlencoded"

// isForm reports whether a body is url-encoded, whatever its parameters.
func isForm(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == mediaForm
}

// formObject turns url-encoded pairs with brackets into the JSON object that they stand for: user[username]=dave is
// {"user":{"username":"dave"}}, user[org_ids][]=a an array. All values are texts. Whatever could be read in two ways is
// refused as malformed: a name twice, a name that is both a text and an object, brackets that do not match.
func formObject(text string) ([]byte, error) {
	root := map[string]any{}
	for pair := range strings.SplitSeq(text, "&") {
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
