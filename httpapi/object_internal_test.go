package httpapi

import (
	"slices"
	"testing"
)

func TestObject(t *testing.T) {
	o := members([]byte(` {"b" : 1, "a":"x", "\u0063":{"a":2}, "d":null}`))
	if got, want := o.names(), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Fatalf("names() = %q; want %q", got, want)
	}
	if !o.has("d") || string(o.value("d")) != "null" || o.has("x") || o.value("x") != nil {
		t.Errorf("d is %s, x is %s; want null, and no x", o.value("d"), o.value("x"))
	}
	for _, c := range []struct{ name, want string }{{"b", "1"}, {"b", ""}, {"x", ""}, {"d", "null"}, {"c", `{"a":2}`}, {"a", `"x"`}, {"a", ""}} {
		if got, there := o.take(c.name); string(got) != c.want || there != (c.want != "") {
			t.Errorf("take(%q) = %s, %v; want %q", c.name, got, there, c.want)
		}
	}
	if len(o) != 0 {
		t.Errorf("%q are left; want nothing", o.names())
	}
	for text, want := range map[string]bool{`{}`: true, `[]`: false, `null`: false, `"{}"`: false} {
		if got := members([]byte(text)) != nil; got != want {
			t.Errorf("members(%s) is an object: %v; want %v", text, got, want)
		}
	}
}
