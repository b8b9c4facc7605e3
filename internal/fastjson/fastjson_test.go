package fastjson_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"

	"github.com/postern-auth/postern/internal/fastjson"
	"github.com/postern-auth/postern/internal/fastjson/alike"
)

// stamp has a say in its JSON, and appends it.
type stamp int64

func (s stamp) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

func (s stamp) AppendJSON(b []byte) []byte { return append(b, "[true,"+string(rune('0'+s&7))+"]"...) }

func (s *stamp) UnmarshalJSON(b []byte) error {
	*s = stamp(len(b))
	return nil
}

func (s stamp) IsZero() bool { return s == 7 }

// aside is embedded, and shows nothing.
type aside struct {
	Note string `json:"-"`
}

// shown is embedded, and shows its field.
type shown struct {
	Shown string `json:"shown"`
}

// inner is a struct in another.
type inner struct {
	Name string   `json:"name,omitempty"`
	Many []string `json:"many"`
	Self *inner   `json:"self,omitempty"`
}

// everything has a field of each kind that there is a plan for, and of some that there is none for.
type everything struct {
	aside
	Text    string                     `json:"text"`
	Empty   string                     `json:"empty,omitempty"`
	On      bool                       `json:"on"`
	Small   int8                       `json:"small"`
	Count   int                        `json:"count,omitempty"`
	Big     uint64                     `json:"big"`
	Own     stamp                      `json:"own"`
	Inner   inner                      `json:"inner,omitzero"`
	Pointer *inner                     `json:"pointer"`
	Maybe   *string                    `json:"maybe,omitempty"`
	List    []inner                    `json:"list,omitempty"`
	Bytes   []byte                     `json:"bytes"`
	Float   float64                    `json:"float"`
	Map     map[string]json.RawMessage `json:"map"`
	Raw     json.RawMessage            `json:"raw,omitempty"`
	Any     any                        `json:"any,omitempty"`
	Prefix  netip.Prefix               `json:"prefix"`
	Grid    [2]int                     `json:"grid,omitempty"`
	Same    string                     `json:",omitempty"`
	hidden  string
}

// Structs that only encoding/json knows how to show.
type (
	embeds struct {
		shown
		Text string `json:"text"`
	}
	untagged struct{ Text string }
	quoted   struct {
		Count int `json:"count,string"`
	}
	odd struct {
		A string `json:"a<b"`
		B stamp  `json:"b,omitzero"`
	}
)

// TestAlike holds all kinds of fields against encoding/json.
func TestAlike(t *testing.T) {
	for _, v := range []any{new(everything), new(inner), new(embeds), new(untagged), new(quoted), new(odd), new([]inner), new(string),
		new(*inner), new(any), new(json.Number)} {
		alike.Check(t, v)
	}
	text := func(name string) reflect.StructField {
		return reflect.StructField{Name: name, Type: reflect.TypeFor[string](), Tag: `json:"x"`}
	}
	alike.Check(t, reflect.New(reflect.StructOf([]reflect.StructField{text("A"), text("B")})).Interface()) // one name twice
	for _, v := range []any{nil, everything{Text: "by value"}, (*inner)(nil), 1.5, map[string]any{"b": 1, "a": []string{"<"}}, everything{Raw: json.RawMessage("{")}} {
		alike.Written(t, v)
	}
	if err := fastjson.Unmarshal([]byte("{}"), inner{}); err == nil {
		t.Error("Unmarshal into a value = nil; want encoding/json's refusal")
	}
}

// TestReadInOneGo holds that what is written is not left to encoding/json, as nothing but time would tell: fields that no
// Unmarshaler has a say in are read without a reader of encoding/json, which would take more than the three texts and the list.
func TestReadInOneGo(t *testing.T) {
	text := []byte(`{"name":"ann","many":["a","b"],"self":{"many":null}}`)
	if got := testing.AllocsPerRun(100, func() {
		var v inner
		if err := fastjson.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
	}); got > 8 {
		t.Errorf("Unmarshal allocates %v times; want at most 8", got)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{`{}`, ` {}`, `null`, `{"text":"a","on":true,"small":-1,"count":0,"big":18446744073709551615,"own":12}`,
		`{"on":true,"text":"a"}`, `{"text":"a","text":"b"}`, `{"TEXT":"a"}`, `{"text":"\u0061"}`, "{\"text\":\"\xff\"}", `{"small":128}`, `{"small":01}`, `{"small":-}`,
		`{"inner":{"name":"x","many":["a",null],"self":{"many":[]}},"pointer":null,"list":[{"many":null},{}]}`, `{"list":[{"name":"a"},{"many":5}]}`,
		`{"bytes":"YQ==","float":1.50,"map":{"a":{"b":[1,2]}},"raw":[1, 2],"any":{"x":null},"prefix":"192.0.2.0/24","grid":[1,2],"Same":"s"}`,
		`{"own":1.5}`, `{"own":null}`, `{"map":{"a":1}`, `{"raw":[}]}`, `{"text":"a"}}`, `{"text":"a",}`, `{"count":1e3}`, `{"on":null,"text":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { alike.Read(t, text, new(everything), new(everything)) })
}

func FuzzMarshal(f *testing.F) {
	f.Add("ann", []byte("{}"), int64(1))
	f.Add("\u2028<\xff", []byte(` {"a" : 1}`), int64(-1))
	f.Fuzz(func(t *testing.T, text string, raw []byte, n int64) {
		v := &everything{Text: text, Empty: text, Count: int(n), Big: uint64(n), Own: stamp(n), Inner: inner{Name: text, Many: []string{text}}, Raw: raw, hidden: text}
		alike.Written(t, v)
	})
}
