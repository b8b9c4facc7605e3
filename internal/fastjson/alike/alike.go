// Package alike holds package fastjson against encoding/json, for the tests of those who use it.
package alike

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/fastjson"
)

// Check fails where a value of the type that v points to is not written and read as encoding/json does it: the zero value, and
// many that are filled at random.
func Check(t *testing.T, v any) {
	t.Helper()
	of := reflect.TypeOf(v).Elem()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		filled := reflect.New(of)
		if n > 0 {
			fill(filled.Elem(), random, 4)
		}
		text := Written(t, filled.Interface())
		Read(t, text, reflect.New(of).Interface(), reflect.New(of).Interface())
	}
}

// Written returns v as both write it.
func Written(t *testing.T, v any) []byte {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := fastjson.Marshal(v)
	if string(got) != string(want) || (err == nil) != (wantErr == nil) {
		t.Fatalf("Marshal(%+v)\n= %s, %v;\nencoding/json gives\n%s, %v", v, got, err, want, wantErr)
	}
	return want
}

// Read fails unless a text means to both the same, which are two empty values of one type.
func Read(t *testing.T, text []byte, one, other any) {
	t.Helper()
	wantErr := json.Unmarshal(text, other)
	err := fastjson.Unmarshal(text, one)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(one, other) {
		t.Fatalf("Unmarshal(%s)\n= %+v, %v;\nencoding/json gives\n%+v, %v", text, one, err, other, wantErr)
	}
}

// texts are some that are written and read in different ways.
var texts = []string{"", "ann", "Zoë", "日本", "a\"b\\c", "<b>&</b>", "\u2028", "\u2029x", "a\x00b\n", "\xff", "\x7f", "🂡"}

// fill sets v, and what is in it down to some depth.
func fill(v reflect.Value, random *rand.Rand, depth int) {
	if random.IntN(4) == 0 || depth == 0 {
		return
	}
	if value := ofItsKind(v.Interface(), random); value != nil {
		v.Set(reflect.ValueOf(value))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(random.Int64()>>(64-v.Type().Bits()+random.IntN(v.Type().Bits())) - int64(random.IntN(2)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(random.Uint64() >> (64 - v.Type().Bits() + random.IntN(v.Type().Bits())))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), random, depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			fill(v.Index(i), random, depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), random, depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range random.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, random, depth)
			fill(value, random, depth-1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(v.Field(i), random, depth)
			}
		}
	}
}

// ofItsKind returns a value of a type that writes and reads itself; nil = the type of zero is not one of them.
func ofItsKind(zero any, random *rand.Rand) any {
	switch zero.(type) {
	case time.Time:
		return time.UnixMilli(random.Int64N(1 << 42)).UTC()
	case netip.Prefix:
		return netip.MustParsePrefix("192.0.2.0/24")
	case json.RawMessage:
		return json.RawMessage(`{"a":[1,"<"],"b":null}`)
	}
	return nil
}
