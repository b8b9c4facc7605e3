package jose_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// header and claims are fit for the gate.
const (
	plainHeader = `{"alg":"EdDSA","kid":"k1","typ":"session"}`
	plainClaims = `{"sub":"usr_1","exp":1795000000}`
)

// TestParse holds what the gate lets through.
func TestParse(t *testing.T) {
	for _, test := range []struct{ header, alg, kid, typ string }{
		{plainHeader, "EdDSA", "k1", "session"},
		{`{"alg":"RS256"}`, "RS256", "", ""}, // as account providers' SDKs sign
		{"{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", "HS256", "", "JWT"},
		{`{"alg":"PS256","kid":"` + strings.Repeat("k", 128) + `"}`, "PS256", strings.Repeat("k", 128), ""},
		{`{"alg":"ES\u003256","kid":"a\/b"}`, "ES256", "a/b", ""}, // as PHP writes a slash
	} {
		got, err := jose.Parse(crafted(test.header, plainClaims, "sig"))
		if err != nil || got.Alg() != jose.Alg(test.alg) || got.KeyID() != test.kid || got.Type() != test.typ {
			t.Errorf("Parse of header %s = alg %q kid %q typ %q, %v; want %q %q %q", test.header,
				got.Alg(), got.KeyID(), got.Type(), err, test.alg, test.kid, test.typ)
		}
		if sub, _ := got.Unverified().String("sub"); sub != "usr_1" {
			t.Errorf("Parse of header %s: sub = %q; want usr_1", test.header, sub)
		}
	}
}

// TestParseRefusesHeader is the part of the gate before which algorithms are confused (RFC 8725 §2).
func TestParseRefusesHeader(t *testing.T) {
	for _, header := range []string{
		``, `null`, `[]`, `"EdDSA"`, `{}`, `{"alg":null}`, `{"alg":["EdDSA"]}`, `{"alg":{}}`, `{"alg":1}`, `{"alg":""}`,
		`{"alg":"none"}`, `{"alg":"None"}`, `{"alg":"NONE"}`, `{"alg":"nOnE"}`, `{"alg":"none "}`, `{"alg":"\u006eone"}`,
		`{"alg":"eddsa"}`, `{"alg":"RS512"}`, `{"alg":"RS1"}`, `{"alg":"ES256K"}`, `{"alg":"HS384"}`, `{"alg":"dir"}`,
		`{"Alg":"EdDSA"}`, `{"kid":"k1"}`,
		`{"alg":"EdDSA","alg":"EdDSA"}`, `{"alg":"EdDSA","alg":"none"}`, `{"alg":"EdDSA","\u0061lg":"none"}`,
		`{"alg":"EdDSA","kid":"a","kid":"b"}`, `{"alg":"EdDSA","typ":"a","typ":"b"}`,
		`{"alg":"EdDSA","kid":""}`, `{"alg":"EdDSA","kid":1}`, `{"alg":"EdDSA","kid":null}`, `{"alg":"EdDSA","kid":"a b"}`,
		`{"alg":"EdDSA","kid":"a\nb"}`, `{"alg":"EdDSA","kid":"é"}`, `{"alg":"EdDSA","kid":"a\u0000"}`,
		`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 129) + `"}`,
		`{"alg":"EdDSA","typ":"` + strings.Repeat("t", 129) + `"}`,
		`{"alg":"EdDSA","typ":""}`, `{"alg":"EdDSA","typ":["session"]}`,
		`{"alg":"EdDSA","crit":["exp"]}`, `{"alg":"EdDSA","crit":[]}`, `{"alg":"EdDSA","b64":false,"crit":["b64"]}`,
		`{"alg":"EdDSA","b64":true}`, `{"alg":"EdDSA","jwk":{"kty":"OKP"}}`, `{"alg":"EdDSA","jku":"https://evil.example"}`,
		`{"alg":"EdDSA","x5u":"https://evil.example"}`, `{"alg":"EdDSA","x5c":["MII"]}`, `{"alg":"EdDSA","x5t":"aa"}`,
		`{"alg":"EdDSA","cty":"JWT"}`, `{"alg":"EdDSA","zip":"DEF"}`, `{"alg":"EdDSA","enc":"A256GCM"}`,
		`{"alg":"EdDSA","":""}`,
		`{"alg":"EdDSA"}x`, `{"alg":"EdDSA"}{"alg":"none"}`, `{"alg":"EdDSA",}`, "\ufeff" + `{"alg":"EdDSA"}`,
		"{\"alg\":\"EdDSA\"}\x00",
	} {
		refused(t, "header "+header, crafted(header, plainClaims, "sig"))
	}
}

// TestParseRefusesClaims is the part of the gate before which readers of the claims disagree.
func TestParseRefusesClaims(t *testing.T) {
	for _, claims := range []string{
		``, ` `, `null`, `true`, `1`, `"sub"`, `[]`, `[{"sub":"a"}]`, `{`, `}`, `{}{}`, `{} x`, `{},`, `{,}`, `{"a"}`,
		`{"a":}`, `{a:1}`, `{'a':1}`,
		`{"a":1,}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":{]}`, `{"a":[}`, `{"a":1/*x*/}`,
		`{"a":1}//`,
		`{"a":01}`, `{"a":+1}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":NaN}`,
		`{"a":Infinity}`, `{"a":1_0}`,
		`{"a":tru}`, `{"a":True}`, `{"a":nul}`, `{"a":nullx}`, `{"a":truefalse}`, `{"a":undefined}`,
		`{"sub":"a","sub":"b"}`, `{"sub":"a","sub":"a"}`, `{"sub":"a","\u0073ub":"b"}`, `{"":1,"":2}`,
		`{"user":{"id":1,"id":2}}`, `{"a":[{"b":[{"c":1,"c":1}]}]}`, `{"é":1,"\u00e9":1}`, `{"😀":1,"\ud83d\ude00":2}`,
		`{"a":"` + "\xff" + `"}`, `{"a":"` + "\xed\xa0\x80" + `"}`, `{"a":"` + "\xc0\xaf" + `"}`, "{\"\xff\":1}",
		`{"a":"\ud800"}`, `{"a":"\udc00"}`, `{"a":"\ud800\ud800"}`, `{"a":"\ud800x"}`, `{"a":"\ud800\n"}`, `{"\ud800":1}`,
		`{"a":"\x41"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\u+123"}`, `{"a":"\"}`, `{"a":"\`, `{"a":"\u`,
		`{"a":"b`, `{"a":'b'}`,
		"{\"a\":\"b\nc\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\t\"}", "{\"a\"\x0b:1}", "{\"a\"\u00a0:1}", "\ufeff{}", "{}\x00",
		strings.Repeat(`{"a":`, 17) + `1` + strings.Repeat(`}`, 17), `{"a":` + strings.Repeat(`[`, 16) + strings.Repeat(`]`, 16) + `}`,
		`{"a":` + strings.Repeat(`[`, 5000),
	} {
		refused(t, "claims "+claims, crafted(plainHeader, claims, "sig"))
	}
	for _, claims := range []string{
		`{}`, " {\t\"a\" : [ 1 , 2 ] \r\n} ", `{"a":-0.5e+10,"b":0,"c":-0,"d":1E2}`, `{"a":"\ud83d\ude00\u0000\/\b"}`,
		`{"a":{},"b":[]}`,
		`{"a":{"id":1},"b":{"id":1},"id":1}`, `{"A":1,"a":2}`, `{"a":[{"b":1},{"b":1}]}`, `{"\ufffd":"` + "\ufffd" + `"}`,
		strings.Repeat(`{"a":`, 16) + `1` + strings.Repeat(`}`, 16), `{"a":` + strings.Repeat(`[`, 15) + strings.Repeat(`]`, 15) + `}`,
	} {
		if _, err := jose.Parse(crafted(plainHeader, claims, "sig")); err != nil {
			t.Errorf("Parse of claims %s: %v; want them accepted", claims, err)
		}
	}
}

// TestParseRefusesForm is the part of the gate before which one token has many spellings.
func TestParseRefusesForm(t *testing.T) {
	good := crafted(plainHeader, plainClaims, "four") // whose signature in base64url, Zm91cg, has two characters over
	parts := strings.Split(good, ".")
	if _, err := jose.Parse(good); err != nil {
		t.Fatal(err)
	}
	standard := base64.StdEncoding.EncodeToString([]byte("\xfb\xff\xfe"))
	for name, token := range map[string]string{
		"empty":                   "",
		"two parts":               parts[0] + "." + parts[1],
		"two parts and a dot":     parts[0] + "." + parts[1] + ".",
		"four parts":              good + ".x",
		"trailing dot":            good + ".",
		"leading dot":             "." + good,
		"JWE":                     good + "." + parts[1] + "." + parts[2],
		"no header":               "." + parts[1] + "." + parts[2],
		"no claims":               parts[0] + ".." + parts[2],
		"dots":                    "..",
		"a million dots":          strings.Repeat(".", 1e6),
		"leading space":           " " + good,
		"trailing space":          good + " ",
		"trailing newline":        good + "\n",
		"newline in signature":    good[:len(good)-2] + "\n" + good[len(good)-2:],
		"return in claims":        parts[0] + "." + parts[1][:4] + "\r" + parts[1][4:] + "." + parts[2],
		"padded":                  good + "==",
		"padded header":           base64.URLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"} `)) + "." + parts[1] + "." + parts[2],
		"standard alphabet":       parts[0] + "." + parts[1] + "." + standard,
		"trailing bits":           good[:len(good)-1] + "h",
		"trailing bits in claims": parts[0] + "." + spareBits(t, parts[1]) + "." + parts[2],
		"a character over":        parts[0] + "." + parts[1] + ".Zm91c",
		"percent":                 parts[0] + "." + parts[1] + ".Zm9%31",
		"not ASCII":               parts[0] + "." + parts[1] + ".Zm9é",
		"zero byte":               good + "\x00",
		"flattened JSON":          `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"general JSON":            `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"plain claims":            plainClaims,
		"bearer":                  "Bearer " + good,
		"9 KiB":                   crafted(plainHeader, `{"a":"`+strings.Repeat("x", 9<<10)+`"}`, "sig"),
		"2 MiB":                   strings.Repeat("a", 2<<20),
	} {
		refused(t, name, token)
	}
}

// spareBits returns part with a bit set in its last character that decodes to nothing.
func spareBits(t *testing.T, part string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(part)%4 < 2 {
		t.Fatalf("%q has no spare bits", part)
	}
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + alphabet[last|1:last|1+1]
}

// TestParseLimit holds the limit to the byte.
func TestParseLimit(t *testing.T) {
	text := crafted(plainHeader, plainClaims, "sig")
	signature := strings.Repeat("AAAA", 1+(jose.MaxTokenLength-len(text))/4)
	longest := text + signature[:(jose.MaxTokenLength-len(text))/4*4]
	if _, err := jose.Parse(longest); err != nil {
		t.Errorf("Parse of %d bytes: %v; want it accepted", len(longest), err)
	}
	refused(t, "one too long", text+signature)
}

// refused checks that the gate refuses token, without a word from it.
func refused(t *testing.T, name, token string) {
	t.Helper()
	got, err := jose.Parse(token)
	if !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("%.200s: Parse(%.300q) = %v; want %v", name, token, err, jose.ErrMalformed)
		return
	}
	if got.Alg() != "" || got.KeyID() != "" || got.Type() != "" {
		t.Errorf("%.200s: the refusal returns a token", name)
	}
	if len(err.Error()) > 100 || strings.Contains(err.Error(), "evil") {
		t.Errorf("%.200s: the refusal says too much: %v", name, err)
	}
}
