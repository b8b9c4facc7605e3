package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

var records = chapter{"Records", []test{
	{"answers in the order of the keys", answersInOrder},
	{"nothing asked, nothing answered", asksForNothing},
	{"a put replaces the whole record", replacesWhole},
	{"versions grow and are never used again", versionsGrow},
	{"one transaction, one version", oneVersion},
	{"what is missing may be deleted", deletesMissing},
	{"values are any bytes", keepsAnyBytes},
	{"names are any printable characters", keepsAnyNames},
	{"values belong to the caller", givesValuesAway},
	{"expiry is kept as it was given", keepsExpiry},
}}

func answersInOrder(s *scene) {
	system, second := s.in(core.Partition{}), s.in(core.Partition{Realm: realm, Number: 1})
	s.put("a", "first")
	system.put("a", "system")
	second.put("a", "second")
	s.put("b", "other")

	keys := []core.Key{second.key("a"), s.key("missing"), s.key("b"), system.key("a"), s.key("a"), s.key("b"), second.key("b")}
	want := []string{"second", "", "other", "system", "first", "other", ""}
	for i, r := range s.getAll(keys...) {
		if string(r.Value) != want[i] || (r.Version == 0) != (want[i] == "") {
			s.Errorf("Get(%v)[%d] = %q at version %d; want %q", keys, i, r.Value, r.Version, want[i])
		}
	}
	if missing := s.get("missing"); missing.Value != nil || missing.Schema != 0 || !missing.Expires.IsZero() {
		s.Errorf("Get(missing) = %+v; want the zero Record", missing)
	}
}

func asksForNothing(s *scene) {
	if records := s.getAll(); len(records) != 0 {
		s.Errorf("Get() = %v; want nothing", records)
	}
	if feeds := s.tailAll(0); len(feeds) != 0 {
		s.Errorf("Tail() = %v; want nothing", feeds)
	}
	s.apply(core.Transaction{})
}

func replacesWhole(s *scene) {
	expires := noon.Add(time.Hour)
	s.apply(core.Transaction{Put: []core.Put{{Name: "a", Value: []byte("long before"), Schema: 999, Expires: expires}}})
	if r := s.get("a"); r.Schema != 999 || !r.Expires.Equal(expires) || string(r.Value) != "long before" {
		s.Errorf("Get(a) = %+v; want schema 999 and expiry %v", r, expires)
	}
	s.apply(core.Transaction{Put: []core.Put{{Name: "a", Value: []byte("new")}}})
	if r := s.get("a"); r.Schema != 0 || !r.Expires.IsZero() || string(r.Value) != "new" {
		s.Errorf("Get(a) after another put = %+v; want schema 0 and no expiry", r)
	}
}

func versionsGrow(s *scene) {
	last := uint64(0)
	for i := range 4 {
		v := s.put("a", "x")
		if v <= last || s.get("a").Version != v {
			s.Fatalf("put %d: version = %d, read as %d; want more than %d", i, v, s.get("a").Version, last)
		}
		last = v
		if i%2 == 1 {
			s.apply(core.Transaction{Delete: []string{"a"}})
			s.holds("a", "")
		}
	}
	s.refuse(core.Transaction{Require: []core.Precondition{{Name: "a", Version: last}}}, "a")
}

func oneVersion(s *scene) {
	s.put("b", "grown")
	s.put("b", "older")
	out := s.apply(core.Transaction{Put: []core.Put{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}, {Name: "c", Value: []byte("3")}}})
	for _, r := range s.getAll(s.key("a"), s.key("b"), s.key("c")) {
		if r.Version != out.Version {
			s.Errorf("Get = version %d; want that of the outcome, %d", r.Version, out.Version)
		}
	}
}

func deletesMissing(s *scene) {
	s.put("b", "there")
	s.apply(core.Transaction{Delete: []string{"never", "b", "nor-this"}})
	s.holds("b", "")
	s.apply(core.Transaction{Delete: []string{"b"}})
}

// allBytes has every byte once.
func allBytes() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func keepsAnyBytes(s *scene) {
	for name, value := range map[string][]byte{
		"all": allBytes(), "zeros": make([]byte, 9), "high": bytes.Repeat([]byte{0xff}, 9), "lines": []byte("\r\n$5\r\n*1\r\n"),
		"not-utf8": {0xc3, 0x28}, "number": []byte("12345678901234567890"), "float": []byte("1e3"), "full": bytes.Repeat([]byte{0, 0xff}, core.MaxValueSize/2),
	} {
		s.put(name, string(value))
		if r := s.get(name); !bytes.Equal(r.Value, value) {
			s.Errorf("Get(%s) = %.60q (%d bytes); want what was put, %d bytes", name, r.Value, len(r.Value), len(value))
		}
	}
	for _, empty := range [][]byte{nil, {}} {
		s.apply(core.Transaction{Put: []core.Put{{Name: "empty", Value: empty}}})
		if r := s.get("empty"); len(r.Value) != 0 || r.Version == 0 {
			s.Errorf("Get(empty) = %+v; want an empty record that is there", r)
		}
	}
}

func keepsAnyNames(s *scene) {
	var printable []byte
	for c := byte('!'); c <= '~'; c++ {
		if c != '{' && c != '}' {
			printable = append(printable, c)
		}
	}
	names := []string{string(printable), strings.Repeat("n", core.MaxKeyLength), "a", "a:", ":a", "a:b", "a*", "*", "[a]", "?", "_", "%s", "0"}
	for _, name := range names {
		s.put(name, name)
	}
	for _, name := range names {
		s.holds(name, name)
	}
}

func givesValuesAway(s *scene) {
	mine := []byte("mine")
	data := []byte("mine")
	s.apply(core.Transaction{
		Put:    []core.Put{{Name: "a", Value: mine}},
		Append: []core.Append{{Log: "l", Data: data, Keep: 10}},
	})
	mine[0], data[0] = 'X', 'X'
	s.holds("a", "mine")
	s.reads("l", "mine")

	given := s.getAll(s.key("a"), s.key("a"))
	given[0].Value[0] = 'X'
	_ = append(given[0].Value, "more"...)
	if string(given[1].Value) != "mine" {
		s.Errorf("one record changed with another: %q", given[1].Value)
	}
	s.tail("l", core.Position{}).Entries[0].Data[0] = 'X'
	s.holds("a", "mine")
	s.reads("l", "mine")
}

// keepsExpiry moves the caller's clock far from the store's: what is asked for is how long to keep a record, not until when.
func keepsExpiry(s *scene) {
	year := 365 * 24 * time.Hour
	for name, now := range map[string]time.Time{
		"today":          time.Now(),
		"1960":           time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		"epoch":          time.UnixMilli(0),
		"2001":           time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC),
		"2100":           time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		"another-zone":   noon.In(time.FixedZone("east", 5*3600)),
		"odd-nanosecond": noon.Add(123456789),
	} {
		for _, left := range []time.Duration{time.Millisecond, time.Second, time.Hour, 50 * year, -time.Second, 0} {
			expires := now.Add(left).Truncate(time.Millisecond)
			s.apply(core.Transaction{Now: now, Put: []core.Put{{Name: name, Value: []byte("kept"), Expires: expires}}})
			if r := s.get(name); !r.Expires.Equal(expires) || r.Expires.Location() != time.UTC || string(r.Value) != "kept" {
				s.Errorf("at %v, expires %v: Get = %q, expires %v; want it kept", now, expires, r.Value, r.Expires)
			}
		}
	}
}
