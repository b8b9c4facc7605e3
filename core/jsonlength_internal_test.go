package core

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzPlainLength holds that the length is the same however the characters of HTML are written, and the value's own where none is escaped.
func FuzzPlainLength(f *testing.F) {
	for _, value := range []string{`"<b>&amp;</b>"`, `"\u003C\\u003c\\\u003e"`, `["\u2028",7,null]`, `"\u00e4\n"`, `"` + "\u2028" + `"`, `{}`} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			plainLength(value) // which must not panic
			return
		}
		var escaped bytes.Buffer
		json.HTMLEscape(&escaped, value)
		if a, b := plainLength(value), plainLength(escaped.Bytes()); a != b {
			t.Errorf("plainLength(%q) = %d, and of the same escaped %d", value, a, b)
		}
		if n := plainLength(value); n > len(value) || !bytes.Contains(value, []byte(`\u`)) && n != len(value) {
			t.Errorf("plainLength(%q) = %d; it has %d bytes", value, n, len(value))
		}
	})
}
