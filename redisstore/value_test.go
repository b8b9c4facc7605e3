package redisstore

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

func TestValueRoundTrip(t *testing.T) {
	for _, put := range []core.Put{
		{},
		{Value: []byte(`{"id":"usr_1"}`), Schema: 1},
		{Value: []byte("  \x00 "), Schema: 999, Expires: time.Date(2026, 3, 14, 12, 0, 0, 123_000_000, time.UTC)},
		{Value: []byte("x"), Expires: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Value: []byte("x"), Expires: time.UnixMilli(0)},
	} {
		r, err := decode("17 " + string(encode(&put)))
		if err != nil || r.Version != 17 || r.Schema != put.Schema || !r.Expires.Equal(put.Expires) || !bytes.Equal(r.Value, put.Value) {
			t.Errorf("decode(encode(%+v)) = %+v, %v; want the same back", put, r, err)
		}
		room := place{}.within(new(room), 0, 8)
		if before, kept, after := room.text([]byte("a")), room.kept(&put), room.text([]byte("z")); before != "a" || kept != string(encode(&put)) || after != "z" {
			t.Errorf("in a room, %+v is kept as %q between %q and %q; want %q", put, kept, before, after, encode(&put))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, kept := range []string{
		"", "17", "17 1", "17 1 ", "0 1  x", "-1 1  x", "017 1  x", "+17 1  x", "17 1000  x", "17 -1  x", "17 01  x",
		"17 1 ! x", "17 1 0z x", "17 1 Z x", "99999999999999999999 1  x", "x 1  x", " 1  x", "17  1 x", `{"id":"x"}`,
	} {
		if r, err := decode(kept); err == nil || r.Version != 0 || r.Value != nil {
			t.Errorf("decode(%q) = %+v, %v; want it refused, with nothing", kept, r, err)
		}
	}
}

// FuzzDecode checks that what decode accepts is what encode and apply.lua write, to the byte.
func FuzzDecode(f *testing.F) {
	f.Add("17 1  {}")
	f.Add("1735689600000 999 k3tz5q0w \x00 x")
	f.Add("17 1 -1 x")
	f.Add("17 1000  x")
	f.Fuzz(func(t *testing.T, kept string) {
		r, err := decode(kept)
		if err != nil {
			if r.Version != 0 || r.Value != nil {
				t.Errorf("decode(%q) = %+v, %v; a refusal returns nothing", kept, r, err)
			}
			return
		}
		again := strconv.FormatUint(r.Version, 10) + " " + string(encode(&core.Put{Value: r.Value, Schema: r.Schema, Expires: r.Expires}))
		if again != kept {
			t.Errorf("decode(%q) = %+v, which is written %q", kept, r, again)
		}
	})
}
