package jose_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
	"pgregory.net/rapid"
)

// claimsOf returns claims that have passed the gate.
func claimsOf(tb testing.TB, text string) jose.Claims {
	tb.Helper()
	token, err := jose.Parse(crafted(plainHeader, text, "sig"))
	if err != nil {
		tb.Fatalf("Parse of claims %s: %v", text, err)
	}
	return token.Unverified()
}

// TestClaimsString reads strings, and nothing that only looks like one.
func TestClaimsString(t *testing.T) {
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"é\u00e9\ud83d\ude00"`: "éé😀", `"\"\\\/\b\f\n\r\t\u0000"`: "\"\\/\b\f\n\r\t\x00", ` "a" `: "a",
	} {
		if got, ok := claimsOf(t, `{"x":`+raw+`}`).String("x"); got != want || !ok {
			t.Errorf("String of %s = %q, %t; want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`null`, `1`, `true`, `["a"]`, `{"x":"a"}`} {
		if got, ok := claimsOf(t, `{"x":`+raw+`}`).String("x"); got != "" || ok {
			t.Errorf("String of %s = %q, %t; want refused", raw, got, ok)
		}
	}
}

// TestClaimsInt reads whole numbers in the one form that all readers agree about.
func TestClaimsInt(t *testing.T) {
	for raw, want := range map[string]int64{
		`0`: 0, `1795000000`: 1795000000, `-5`: -5, `9223372036854775807`: 1<<63 - 1, `-9223372036854775808`: -1 << 63,
	} {
		if got, ok := claimsOf(t, `{"exp":`+raw+`}`).Int("exp"); got != want || !ok {
			t.Errorf("Int of %s = %d, %t; want %d", raw, got, ok, want)
		}
	}
	for _, raw := range []string{
		`"1795000000"`, `1795000000.0`, `1795000000.5`, `1.795e9`, `1E3`, `9223372036854775808`, `-9223372036854775809`, `1e400`,
		`"2026-11-23T00:00:00Z"`, `null`, `true`, `[1]`, `{}`, `""`,
	} {
		if got, ok := claimsOf(t, `{"exp":`+raw+`}`).Int("exp"); got != 0 || ok {
			t.Errorf("Int of %s = %d, %t; want refused", raw, got, ok)
		}
	}
}

// TestClaimsStrings reads the two forms of aud.
func TestClaimsStrings(t *testing.T) {
	for raw, want := range map[string][]string{
		`"a"`: {"a"}, `["a"]`: {"a"}, `[ "a" , "b\u0020c" ]`: {"a", "b c"}, `[]`: {}, `""`: {""},
	} {
		if got, ok := claimsOf(t, `{"aud":`+raw+`}`).Strings("aud"); !slices.Equal(got, want) || !ok {
			t.Errorf("Strings of %s = %q, %t; want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`null`, `1`, `{}`, `["a",null]`, `[1]`, `[["a"]]`, `{"a":"b"}`} {
		if got, ok := claimsOf(t, `{"aud":`+raw+`}`).Strings("aud"); got != nil || ok {
			t.Errorf("Strings of %s = %q, %t; want refused", raw, got, ok)
		}
	}
}

// TestClaimsObject reads nested claims, and raw ones as they were sent.
func TestClaimsObject(t *testing.T) {
	claims := claimsOf(t, `{"iss":"WorkAPI","user": { "environment_guid" : "e1", "tags": [1, {"a": 2}] } ,"User":1,"n\u0061me":"x"}`)
	user, ok := claims.Object("user")
	if guid, _ := user.String("environment_guid"); guid != "e1" || !ok {
		t.Errorf("user.environment_guid = %q, %t; want e1", guid, ok)
	}
	if raw, ok := user.Raw("tags"); string(raw) != `[1, {"a": 2}]` || !ok {
		t.Errorf("user.tags = %s, %t", raw, ok)
	}
	if name, _ := claims.String("name"); name != "x" {
		t.Errorf("a claim whose name has an escape = %q; want x", name)
	}
	for _, name := range []string{"iss", "User", "USER", "nothing", ""} {
		if got, ok := claims.Object(name); ok {
			t.Errorf("Object(%q) = %v; want none", name, got)
		}
	}
	if raw, ok := claims.Raw("nothing"); raw != nil || ok {
		t.Errorf("Raw of nothing = %s, %t; want none", raw, ok)
	}
}

// TestRawIsACopy keeps what was verified out of the caller's reach.
func TestRawIsACopy(t *testing.T) {
	claims := claimsOf(t, `{"sub":"a"}`)
	raw, _ := claims.Raw("sub")
	raw[1] = 'b'
	if sub, _ := claims.String("sub"); sub != "a" {
		t.Errorf("sub = %q after its copy was changed; want a", sub)
	}
}

// TestClaimsRoundTrip signs whatever encoding/json can write, and reads it again as it was.
func TestClaimsRoundTrip(t *testing.T) {
	key := fixed()[jose.HS256]
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(rapid.String(), rapid.String(), 0, 40).Draw(t, "claims")
		number := rapid.Int64().Draw(t, "number")
		nested := map[string]any{"claims": want, "number": number}
		text, err := json.Marshal(nested)
		if err != nil {
			t.Fatal(err)
		}
		token, err := key.Sign("session", text)
		if err != nil {
			t.Fatalf("Sign(%s): %v", text, err)
		}
		parsed, err := jose.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := parsed.Verify(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := claims.Int("number"); got != number || !ok {
			t.Fatalf("number = %d, %t; want %d", got, ok, number)
		}
		object, _ := claims.Object("claims")
		for name, value := range want {
			if got, ok := object.String(name); got != value || !ok {
				t.Fatalf("claim %q = %q, %t; want %q", name, got, ok, value)
			}
		}
	})
}

// TestDuplicateNames refuses a name that repeats wherever it stands, among few names and among many.
func TestDuplicateNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "names")
		again := rapid.IntRange(0, n-1).Draw(t, "again")
		at := rapid.IntRange(0, n).Draw(t, "at")
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"n%d":{"v":%d}`, i, i))
		}
		object := func() string {
			text := "{"
			for i, m := range members {
				if i > 0 {
					text += ","
				}
				text += m
			}
			return text + "}"
		}
		if _, err := jose.Parse(crafted(plainHeader, object(), "sig")); err != nil {
			t.Fatalf("%d names: %v", n, err)
		}
		members = slices.Insert(members, at, members[again])
		for _, text := range []string{object(), `{"a":[` + object() + `]}`} {
			if _, err := jose.Parse(crafted(plainHeader, text, "sig")); err == nil {
				t.Fatalf("accepted %s", text)
			}
		}
	})
}
