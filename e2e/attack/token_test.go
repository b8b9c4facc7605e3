package attack

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

var b64 = base64.RawURLEncoding

// parts are a token that was taken apart.
type parts struct {
	header, claims map[string]any
	text           []string
}

func (h *host) takeApart(token string) parts {
	h.Helper()
	p := parts{text: strings.Split(token, ".")}
	if len(p.text) != 3 {
		h.Fatalf("token %q has %d parts", token, len(p.text))
	}
	for i, to := range []*map[string]any{&p.header, &p.claims} {
		raw, err := b64.DecodeString(p.text[i])
		h.must(err)
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		h.must(d.Decode(to))
	}
	return p
}

// with returns a map with some members changed: pairs of a name and a value, where nil removes it.
func with(m map[string]any, pairs ...any) map[string]any {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		if pairs[i+1] == nil {
			delete(m, name)
		} else {
			m[name] = pairs[i+1]
		}
	}
	return m
}

// encode returns JSON in base64.
func encode(v any) string {
	text, _ := json.Marshal(v)
	return b64.EncodeToString(text)
}

// signer signs what a token says.
type signer func(text string) []byte

func (s signer) token(header, claims any) string {
	text := encode(header) + "." + encode(claims)
	return text + "." + b64.EncodeToString(s(text))
}

func hs256(secret []byte) signer {
	return func(text string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

func unsigned(string) []byte { return nil }

// keys are a stranger's own.
type keys struct {
	ed    ed25519.PrivateKey
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	edPEM string
}

func newKeys(h *host) keys {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	h.must(err)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	h.must(err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	der, err := x509.MarshalPKIXPublicKey(ed.Public())
	h.must(err)
	return keys{ed, r, ec, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

func (k keys) eddsa(text string) []byte { return ed25519.Sign(k.ed, []byte(text)) }

func (k keys) rs256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	sig, _ := rsa.SignPKCS1v15(rand.Reader, k.rsa, 5, sum[:]) // 5 = crypto.SHA256
	return sig
}

func (k keys) es256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	r, s, _ := ecdsa.Sign(rand.Reader, k.ec, sum[:])
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return sig
}

func (k keys) jwk() map[string]any {
	return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64.EncodeToString(k.ed.Public().(ed25519.PublicKey)), "alg": "EdDSA", "use": "sig", "kid": "mine"}
}

// published returns the realm's public keys, as anybody may read them.
func (h *host) published() []map[string]any {
	h.Helper()
	status, _, text := h.send("GET", "http://"+h.api+"/v1/realms/"+h.realm+"/.well-known/jwks.json", nil, nil)
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &set); err != nil || status != 200 || len(set.Keys) == 0 {
		h.Fatalf("key set = %d %s", status, text)
	}
	return set.Keys
}

// forgeries returns tokens that prove nothing, by what they try.
func (h *host) forgeries() map[string]string {
	h.Helper()
	victim := h.newUser("victim"+stamp(), nil)
	p, mine := h.takeApart(victim.token), newKeys(h)
	all := map[string]string{}
	none := signer(unsigned)
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", " none", "none ", "ｎone", nil, 0, false, []any{"none"}} {
		all[fmt.Sprintf("alg %v", alg)] = none.token(with(p.header, "alg", alg), p.claims)
		all[fmt.Sprintf("alg %v with the signature", alg)] = encode(with(p.header, "alg", alg)) + "." + p.text[1] + "." + p.text[2]
	}
	for i, key := range h.published() {
		x, _ := key["x"].(string)
		raw, _ := b64.DecodeString(x)
		der, _ := x509.MarshalPKIXPublicKey(ed25519.PublicKey(raw))
		text, _ := json.Marshal(key)
		for what, secret := range map[string][]byte{"raw": raw, "base64": []byte(x), "DER": der, "JWK": text, "kid": []byte(key["kid"].(string)), "nothing": {},
			"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
			for _, alg := range []string{"HS256", "hs256", "EdDSA"} {
				all[fmt.Sprintf("%s keyed with key %d as %s", alg, i, what)] = hs256(secret).token(with(p.header, "alg", alg, "kid", key["kid"]), p.claims)
			}
		}
		all[fmt.Sprintf("kid of key %d", i)] = signer(mine.eddsa).token(with(p.header, "kid", key["kid"]), p.claims)
	}
	jwk := mine.jwk()
	for what, extra := range map[string][]any{
		"jwk": {"jwk", jwk}, "jwk and its kid": {"jwk", jwk, "kid", "mine"}, "jwk without kid": {"jwk", jwk, "kid", nil}, "jku": {"jku", "http://" + h.witness.address() + "/jwks.json", "kid", "mine"},
		"x5u": {"x5u", "http://" + h.witness.address() + "/cert.pem"}, "x5c": {"x5c", []string{base64.StdEncoding.EncodeToString(mine.ed.Public().(ed25519.PublicKey))}}, "x5t": {"x5t", "AAAA"},
		"crit": {"crit", []string{"exp"}}, "empty crit": {"crit", []string{}}, "b64": {"b64", false, "crit", []string{"b64"}}, "zip": {"zip", "DEF"}, "cty": {"cty", "JWT"},
	} {
		all[what] = signer(mine.eddsa).token(with(p.header, extra...), p.claims)
		all[what+" with the victim's signature"] = encode(with(p.header, extra...)) + "." + p.text[1] + "." + p.text[2]
	}
	for _, kid := range []any{"../../../../dev/null", "/dev/null", "*", "?", "[a-z]*", "' OR 1=1 --", "\x00", "{_}", "", nil, 1, []string{"a"}, "http://" + h.witness.address() + "/k", strings.Repeat("k", 4000)} {
		all[fmt.Sprintf("kid %.20v", kid)] = signer(mine.eddsa).token(with(p.header, "kid", kid), p.claims)
		all[fmt.Sprintf("kid %.20v, HMAC of nothing", kid)] = hs256(nil).token(with(p.header, "kid", kid, "alg", "HS256"), p.claims)
	}
	for alg, sign := range map[string]signer{"RS256": mine.rs256, "PS256": mine.rs256, "ES256": mine.es256, "EdDSA": mine.eddsa, "RS512": mine.rs256} {
		all["signed as "+alg] = sign.token(with(p.header, "alg", alg), p.claims)
	}
	for what, pairs := range map[string][]any{"another user": {"sub", h.users["ann"].id, "uid", h.users["ann"].id}, "longer": {"exp", time.Now().Add(9000 * time.Hour).Unix()}, "another generation": {"gen", 99}} {
		all["claims of "+what] = p.text[0] + "." + encode(with(p.claims, pairs...)) + "." + p.text[2]
	}
	h.forms(all, p)
	h.strangers(all, p, mine)
	return all
}

// forms adds other forms of a good token, which are not the token.
func (h *host) forms(all map[string]string, p parts) {
	a, b, c := p.text[0], p.text[1], p.text[2]
	token := a + "." + b + "." + c
	flat := map[string]any{"protected": a, "payload": b, "signature": c}
	flatText, _ := json.Marshal(flat)
	general, _ := json.Marshal(map[string]any{"payload": b, "signatures": []any{map[string]any{"protected": a, "signature": c}}})
	mixed, _ := json.Marshal(map[string]any{"payload": b, "signatures": []any{map[string]any{"protected": a, "signature": "AAAA"}, map[string]any{"protected": a, "signature": c}}})
	unprotected, _ := json.Marshal(with(flat, "header", map[string]any{"alg": "none"}))
	raw, _ := b64.DecodeString(a)
	claims, _ := b64.DecodeString(b)
	sig, _ := b64.DecodeString(c)
	twice := append([]byte(`{"alg":"none",`), raw[1:]...)
	more := append([]byte(`{"sub":"x",`), claims[1:]...)
	for what, text := range map[string]string{
		"flattened JSON": string(flatText), "general JSON": string(general), "general JSON, one bad": string(mixed), "flattened JSON with header": string(unprotected),
		"signature without protected": `{"payload":"` + b + `","signature":"` + c + `"}`,
		"padded signature":            token + "==", "padded header": a + "=." + b + "." + c, "standard alphabet": a + "." + b + "." + base64.RawStdEncoding.EncodeToString(sig) + "+",
		"odd trailing bits": token[:len(token)-1] + oddBits(token[len(token)-1]), "one character more": token + "A", "one character less": token[:len(token)-1],
		"a dot at the end": token + ".", "a dot in front": "." + token, "two tokens": token + "." + token, "two tokens and a comma": token + "," + token, "in quotes": `"` + token + `"`,
		"no signature": a + "." + b + ".", "no dot": a + b + c, "nothing but dots": "..", "one dot": a + "." + b, "in base64": b64.EncodeToString([]byte(token)), "escaped": strings.ReplaceAll(token, ".", "%2e"),
		"alg twice": b64.EncodeToString(twice) + "." + b + "." + c, "sub twice": a + "." + b64.EncodeToString(more) + "." + c,
		"bytes after the header": b64.EncodeToString(append(bytes.Clone(raw), 'x')) + "." + b + "." + c, "bytes after the claims": a + "." + b64.EncodeToString(append(bytes.Clone(claims), "{}"...)) + "." + c,
		"blanks after the claims": a + "." + b64.EncodeToString(append(bytes.Clone(claims), ' ')) + "." + c, "a longer signature": a + "." + b + "." + b64.EncodeToString(append(bytes.Clone(sig), 0)),
		"JWE": a + "." + b + "." + c + "." + b + "." + c, "JWE of its own": encode(map[string]any{"alg": "dir", "enc": "A256GCM"}) + "..AAAA.AAAA.AAAA",
		"JWE with PBES2": encode(map[string]any{"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 1000000000, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA",
		"a million dots": strings.Repeat(".", 20000), "deep header": b64.EncodeToString([]byte(strings.Repeat(`{"a":`, 700)+"1"+strings.Repeat("}", 700))) + "." + b + "." + c,
		"long": token + strings.Repeat("A", 20000), "in the claims of nothing": "e30.e30.", "null header": "bnVsbA.bnVsbA.AAAA", "array header": "W10.W10.AAAA", "not UTF-8": "eyJhbGciOiL_In0." + b + "." + c,
	} {
		all[what] = text
	}
}

// oddBits returns a character that differs from c in the bits that base64 drops.
func oddBits(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

// strangers adds tokens that are good for something else.
func (h *host) strangers(all map[string]string, p parts, mine keys) {
	h.Helper()
	status, key := h.call("POST", "/v1/apt_keys", map[string]any{"apt_key": map[string]any{"name": "stranger " + stamp(), "public_key": mine.edPEM}})
	if status != 201 {
		h.Fatalf("an APT key = %d %v", status, key)
	}
	defer h.call("DELETE", "/v1/apt_keys/"+key["id"].(string), nil)
	now := time.Now().Unix()
	apt := map[string]any{"iat": now, "exp": now + 60, "user": map[string]any{"environment_guid": h.guid, "arbitrary_id": "a"}}
	all["an APT"] = signer(mine.eddsa).token(map[string]any{"alg": "EdDSA", "kid": key["kid"], "typ": "JWT"}, apt)
	for _, typ := range []any{"session+jwt", "SESSION+JWT", "application/session+jwt", "JWT", nil} {
		all[fmt.Sprintf("a session by an APT key, typ %v", typ)] = signer(mine.eddsa).token(with(p.header, "kid", key["kid"], "typ", typ), p.claims)
		all[fmt.Sprintf("a session by an APT key and what an APT says, typ %v", typ)] = signer(mine.eddsa).token(with(p.header, "kid", key["kid"], "typ", typ), with(p.claims, "user", apt["user"]))
	}
	name := "elsewhere-" + stamp()
	status, realm := h.call("POST", "/v1/realms", map[string]any{"realm": map[string]any{"name": name}})
	if status != 201 {
		h.Fatalf("a realm = %d %v", status, realm)
	}
	other, secret := realm["id"].(string), realm["jwt_key"].(string)
	status, body := h.call("POST", "/v1/users?realm_id="+other, map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}})
	if status != 201 {
		h.Fatalf("a user elsewhere = %d %v", status, body)
	}
	status, body = h.call("POST", "/v1/users/ann/authenticate?realm_id="+other, map[string]any{"password": password})
	if status != 200 {
		h.Fatalf("sign in elsewhere = %d %v", status, body)
	}
	foreign := body["token"].(string)
	f := h.takeApart(foreign)
	all["another realm's token"] = foreign
	all["another realm's key"] = hs256([]byte(secret)).token(f.header, p.claims)
	all["another realm's key, our kid"] = hs256([]byte(secret)).token(with(f.header, "kid", p.header["kid"]), p.claims)
	all["another realm's key, their issuer"] = hs256([]byte(secret)).token(f.header, with(p.claims, "iss", f.claims["iss"]))
	all["another realm's key, both audiences"] = hs256([]byte(secret)).token(f.header, with(p.claims, "aud", []string{other, h.realm}))
	all["another realm's key, their session for ours"] = hs256([]byte(secret)).token(f.header, with(f.claims, "aud", h.realm))
	a := h.get("/x", bearer(h.users["ann"].token))
	if a.saw == nil {
		h.Fatalf("the valid token = %d", a.status)
	}
	assertion := a.saw.get("X-Postern-Assertion")[0]
	all["an assertion"] = assertion
	q := h.takeApart(assertion)
	all["an assertion that is called a session"] = encode(with(q.header, "typ", "session+jwt")) + "." + q.text[1] + "." + q.text[2]
	all["the management key"] = h.key
	all["the id of the user"] = h.users["ann"].id
	all["the id of the session"], _ = p.claims["sid"].(string)
	status, body = h.call("POST", "/v1/users/"+h.users["ann"].id+"/generate_password_token", nil)
	if status == 200 {
		all["a password token"] = body["token"].(string)
	}
}

// stamp returns a text that is not there twice.
func stamp() string { return strings.ToLower(rand.Text()[:10]) }

// TestForgedTokens shows tokens that prove nothing, in every place that a token may be in.
func TestForgedTokens(t *testing.T) {
	each(t, func(h *host) {
		for what, token := range h.forgeries() {
			if strings.ContainsAny(token, "\r\n\x00") {
				continue
			}
			for place, line := range map[string]string{"bearer": bearer(token), "cookie": "Cookie: __Host-postern=" + token, "API key": "X-Api-Key: " + token, "Authorization: ApiKey": "Authorization: ApiKey " + token} {
				a := h.get("/admin/page", line)
				if a.saw != nil || a.status != 401 && a.status != 400 && a.status != 431 {
					h.Errorf("%s as %s at the guard = %d, %.200q; want 401", what, place, a.status, a.body)
				}
			}
			a := h.get("/open/page", bearer(token)) // anybody may come here, as nobody
			if a.saw == nil && a.status != 431 || a.saw != nil && len(a.saw.get("X-Postern-User-Id")) > 0 {
				h.Errorf("%s on a public path = %d, %+v; want nobody", what, a.status, a.saw)
			}
			if a.saw != nil && strings.Contains(strings.Join(a.saw.get("Authorization"), ""), token) {
				h.Errorf("%s reaches the app: %q", what, a.saw.get("Authorization"))
			}
			for _, call := range []string{"GET /v1/users/me", "DELETE /v1/users/me", "POST /v1/users/reauth"} {
				if what == "an APT" || what == "the management key" || what == "another realm's token" {
					continue // good here
				}
				method, path, _ := strings.Cut(call, " ")
				a := h.raw(h.api, call+" HTTP/1.1\r\nHost: "+h.api+"\r\nConnection: close\r\n"+bearer(token)+"\r\n\r\n")
				if a.status != 401 && a.status != 400 && a.status != 431 {
					h.Errorf("%s at %s %s = %d %.200s; want 401", what, method, path, a.status, a.body)
				}
			}
		}
		if h.witness.heard("jwks.json") || h.witness.heard("cert.pem") || h.witness.heard("/k") {
			h.Error("a verifier fetched a key that a token named")
		}
		if a := h.get("/x", bearer(h.users["ann"].token)); a.saw == nil {
			h.Errorf("after all forgeries the good token = %d; want 200", a.status)
		}
	})
}
