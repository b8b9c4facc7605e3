package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode: what is accepted is read as encoding/json reads it and as its own re-encoding reads; what is refused
// gives nothing.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"user":{"username":"ann","custom":{"a":[1,null,true]}}}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00"}`,
		`{"\ud800":1}`, `{"\\ud800":1}`, `{"a":1}{}`, `null`, `[]`, `"\u`, "{\"\xff\":1}", strings.Repeat("[", 17), `{"a":1e999}`, ` {"K":0} `} {
		f.Add([]byte(seed))
	}
	var many strings.Builder // names that no list holds any more
	for i := range manyNames + 4 {
		fmt.Fprintf(&many, `"n%d":0,`, i)
	}
	for _, last := range []string{`"other"`, `"n0"`, `"n15"`, `"n16"`, `"n19"`, `"\u006e0"`, `"\u006e19"`} {
		f.Add([]byte(`{` + many.String() + last + `:1}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := parseObject(text)
		if json.Valid(text) && utf8.Valid(text) && !hasHalfCharacter(text) {
			if good := unambiguous(json.NewDecoder(bytes.NewReader(text)), 0) && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")); good != (err == nil) {
				t.Errorf("parseObject(%q) = %v; encoding/json sees an object without repeats and not too deep: %v", text, err, good)
			}
		}
		if err != nil {
			if object != nil {
				t.Fatalf("parseObject(%q) = %v with %v; a refusal returns nothing", text, object, err)
			}
			return
		}
		named := map[string]json.RawMessage{}
		for _, one := range object {
			named[string(one.name)] = one.value
		}
		again, err := json.Marshal(named)
		if err != nil {
			t.Fatalf("parseObject(%q) does not encode: %v", text, err)
		}
		if got, want := read(t, again), read(t, text); !reflect.DeepEqual(got, want) {
			t.Errorf("parseObject(%q) reads as %v; want %v", text, got, want)
		}
		if strings.Contains(string(text), `\ud`) && strings.Contains(string(again), "\ufffd") && !strings.Contains(string(text), "\ufffd") {
			t.Errorf("parseObject(%q) lost half a character: %s", text, again)
		}
	})
}

// unambiguous reports whether one value has no name twice and is not too deep, as encoding/json reads it.
func unambiguous(d *json.Decoder, depth int) bool {
	d.UseNumber()
	token, err := d.Token()
	delim, nested := token.(json.Delim)
	if err != nil || !nested {
		return err == nil
	}
	names := map[json.Token]bool{}
	for depth++; d.More(); {
		if delim == '{' {
			name, err := d.Token()
			if err != nil || names[name] {
				return false
			}
			names[name] = true
		}
		if !unambiguous(d, depth) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil && depth <= maxDepth
}

// read reads JSON as encoding/json does, numbers as they stand.
func read(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("Decode(%q) = %v", text, err)
	}
	return v
}

// FuzzMatch: a segment that a pattern takes up is a whole one.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"/v1/users/ann", "/v1/users/a%2Fb", "/v1/users/", "/v1//users", "/v1/users/%zz", "/v1/users/a/b"} {
		f.Add(seed)
	}
	pattern := strings.Split("/v1/users/{user}", "/")
	f.Fuzz(func(t *testing.T, path string) {
		sent := strings.Split(path, "/")
		if !match(pattern, sent) {
			return
		}
		if name, there := (segments{pattern, sent}).named("user"); !there || name == "" || path != "/v1/users/"+name {
			t.Errorf("match(%q) matches, and the user is %q, %t", path, name, there)
		}
	})
}

// TestEventsSince holds from when on events are listed: by default as core has it, with an empty time from the first, and else as it says.
func TestEventsSince(t *testing.T) {
	for query, want := range map[string]time.Time{
		"": {}, "event_type=user": {}, "created_at_after=": time.Unix(0, 0), "created_at_after": time.Unix(0, 0), "created_at_after=0": time.Unix(0, 0),
		"created_at_after=1764201600.5": time.UnixMilli(1764201600500),
	} {
		in, _, err := eventQuery(query)
		if err != nil || !in.CreatedAfter.Equal(want) {
			t.Errorf("eventQuery(%q) = from %v, %v; want %v", query, in.CreatedAfter, err, want)
		}
	}
}
