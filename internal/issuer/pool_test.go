package issuer_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

// TestTake finds keys by the discovery document, and by their address.
func TestTake(t *testing.T) {
	e := newElsewhere(t, newKey(t, jose.EdDSA), newKey(t, jose.ES256))
	var p issuer.Pool
	if keys := take(t, &p, e.config()).Keys(); keys == nil || keys.Len() != 2 {
		t.Errorf("by discovery: keys are %v, want 2", keys)
	}
	byAddress := issuer.Config{Issuer: "urn:elsewhere", JWKSURL: e.URL + setPath, Allow: "127.0.0.0/8"}
	if keys := take(t, &p, byAddress).Keys(); keys == nil || keys.Len() != 2 {
		t.Errorf("by address: keys are %v, want 2", keys)
	}
	if n := e.documents.Load(); n != 1 {
		t.Errorf("the document was fetched %d times, want once", n)
	}
	if states := p.States(); len(states) != 2 || states[0].Keys != 2 || states[0].At.IsZero() {
		t.Errorf("States() = %+v, want two with 2 keys each", states)
	}
}

// TestTakeFromKubernetes, whose API server answers 406 to whoever does not ask for keys by their own media type (RFC 7517 §8.5.2).
func TestTakeFromKubernetes(t *testing.T) {
	e := newElsewhere(t, newKey(t, jose.EdDSA))
	kubernetes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gives := "application/json"
		if r.URL.Path == setPath {
			gives = "application/jwk-set+json"
		}
		if !slices.Contains(strings.Split(r.Header.Get("Accept"), ", "), gives) {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", gives)
		e.ServeHTTP(w, r)
	}))
	defer kubernetes.Close()
	e.says(discovery(kubernetes.URL, kubernetes.URL+setPath), nil)
	if u := take(t, &issuer.Pool{}, issuer.Config{Issuer: kubernetes.URL, Allow: "127.0.0.1"}); u.Keys() == nil {
		t.Errorf("there are no keys; the log says %v", u.log.All())
	}
}

// TestTakeRefuses what could lead to keys that are not the issuer's, or to places inside. Each is a first fetch, which leaves no keys.
func TestTakeRefuses(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an address inside was reached") }))
	defer inside.Close()
	big := strings.Repeat(" ", 256<<10) + `{"keys":[]}`
	good := newKey(t, jose.EdDSA)
	for _, test := range []struct {
		name          string
		document, set func(http.ResponseWriter)
		want          string
	}{
		{name: "another issuer", document: discovery("https://evil.example", inside.URL), want: "wrong_issuer"},
		{name: "many issuers", document: discovery("https://login.example.com/{tenantid}/v2.0", "URL"+setPath), want: "wrong_issuer"},
		{name: "an issuer with a slash more", document: discovery("URL/", "URL"+setPath), want: "wrong_issuer"},
		{name: "keys over plain http", document: discovery("URL", "http://login.example.com/keys"), want: "bad_document"},
		{name: "keys of the metadata service", document: discovery("URL", "https://169.254.169.254/latest"), want: "address_refused"},
		{name: "keys at a private address", document: discovery("URL", "https://10.0.0.1/keys"), want: "address_refused"},
		{name: "keys in a file", document: discovery("URL", "file:///etc/passwd"), want: "bad_document"},
		{name: "keys with a user", document: discovery("URL", "https://a:b@login.example.com/keys"), want: "bad_document"},
		{name: "no address of keys", document: discovery("URL", ""), want: "bad_document"},
		{name: "an address of keys that fills the log", document: discovery("URL", "URL/"+strings.Repeat("a", 2048)), want: "bad_document"},
		{name: "a document that is none", document: body("<html>"), want: "bad_document"},
		{name: "a huge document", document: body(big), want: "bad_document"},
		{name: "a document elsewhere", document: redirect("http://169.254.169.254/latest"), want: "bad_status"},
		{name: "keys elsewhere", set: redirect(inside.URL), want: "bad_status"},
		{name: "keys that are not there", set: status(http.StatusNotFound), want: "bad_status"},
		{name: "a broken server", set: status(http.StatusBadGateway), want: "bad_status"},
		{name: "garbage for keys", set: body("<html>"), want: "bad_keys"},
		{name: "no keys", set: body(`{"keys":[]}`), want: "bad_keys"},
		{name: "secrets for keys", set: body(`{"keys":[{"kty":"oct","alg":"HS256","k":"` + strings.Repeat("A", 43) + `"}]}`), want: "bad_keys"},
		{name: "too many keys", set: body(`{"keys":[` + strings.Repeat(`{},`, 64) + `{}]}`), want: "bad_keys"},
		{name: "a huge set", set: body(big), want: "bad_document"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newElsewhere(t, good)
			document := test.document
			if document != nil {
				document = func(w http.ResponseWriter) { test.document(replacer{w, e.URL}) }
			}
			e.says(document, test.set)
			results := make(chan error, 10)
			p := issuer.Pool{Fetched: func(_ string, err error) { results <- err }}
			u := take(t, &p, e.config())
			err := <-results
			if got := issuer.CodeOf(err); got != test.want || u.Keys() != nil {
				t.Errorf("the first fetch: %s (%v), keys %v; want %s and none", got, err, u.Keys(), test.want)
			}
			for says, want := range map[string]bool{"redirects are not followed": strings.HasSuffix(test.name, "elsewhere"), "name each tenant's own": test.name == "many issuers"} {
				if strings.Contains(err.Error(), says) != want {
					t.Errorf("the first fetch: %v; want it to say %q: %t", err, says, want)
				}
			}
			if u.log.FilterMessageSnippet("cannot be fetched").Len() != 1 {
				t.Errorf("the log says %v, want that keys cannot be fetched", u.log.All())
			}
		})
	}
}

// replacer writes an address in the place of URL.
type replacer struct {
	http.ResponseWriter
	url string
}

func (r replacer) Write(b []byte) (int, error) {
	_, err := r.ResponseWriter.Write([]byte(strings.ReplaceAll(string(b), "URL", r.url)))
	return len(b), err
}

// status answers with a status alone.
func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

// redirect answers that something is elsewhere.
func redirect(to string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// TestTakeOverTLS goes by the certificates that are named.
func TestTakeOverTLS(t *testing.T) {
	set := keySet(t, newKey(t, jose.ES256))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { set(w) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var p issuer.Pool
	c := issuer.Config{Issuer: "elsewhere", JWKSURL: server.URL, Allow: "127.0.0.1", CAFile: file}
	if u := take(t, &p, c); u.Keys() == nil {
		t.Errorf("under the server's certificate there are no keys; the log says %v", u.log.All())
	}
	if err := os.WriteFile(file, certificateOfNobody(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if u := take(t, &p, c); u.Keys() != nil {
		t.Error("there are keys from a server for which the file no longer vouches, as somebody took them before")
	}
	c.CAFile = ""
	if u := take(t, &p, c); u.Keys() != nil {
		t.Error("there are keys from a server whose certificate nobody vouches for")
	}
	c.CAFile = filepath.Join(t.TempDir(), "none.pem")
	if _, err := p.Take(c, zap.NewNop(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Take with certificates that are not there: %v, want %v", err, os.ErrNotExist)
	}
}

// certificateOfNobody returns a certificate, in PEM, that vouches for no server.
func certificateOfNobody(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestPoolShares one goroutine among all who use the same keys, which ends with the last of them.
func TestPoolShares(t *testing.T) {
	e := newElsewhere(t, newKey(t, jose.EdDSA))
	var p issuer.Pool
	nobody := func([]string) {}
	first, err := p.Take(e.config(), zap.NewNop(), nobody)
	if err != nil {
		t.Fatal(err)
	}
	<-first.Tried()
	second, err := p.Take(e.config(), zap.NewNop(), nobody)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	first.Close() // once more ends nobody else's
	if keys := second.Keys(); keys == nil || e.sets.Load() != 1 || len(p.States()) != 1 {
		t.Errorf("who comes second has keys %v, after %d fetches; want those of the first, after 1", keys, e.sets.Load())
	}
	second.Close()
	if states := p.States(); len(states) != 0 {
		t.Errorf("when all have left, there is still %+v", states)
	}
}

// TestConfigValidate complains of all that is wrong.
func TestConfigValidate(t *testing.T) {
	for _, c := range []issuer.Config{
		{Issuer: "https://login.example.com"}, {Issuer: "https://example.eu.auth0.com/"}, {Issuer: "http://localhost:8080/realms/a", Allow: "127.0.0.1,::1"},
		{Issuer: "accounts.example.com", JWKSURL: "https://example.com/keys?a=b"}, {Issuer: "http://[::1]:80", Allow: "::1"},
		{Issuer: "https://10.0.0.1", Allow: "10.0.0.0/8"},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("Validate of %+v: %v", c, err)
		}
	}
	for _, c := range []issuer.Config{
		{}, {Issuer: "login.example.com"}, {Issuer: "http://login.example.com"}, {Issuer: "https://"}, {Issuer: "https://a@login.example.com"},
		{Issuer: "https://login.example.com#a"}, {Issuer: "https://login.example.com?a=b"}, {Issuer: "urn:example", JWKSURL: "http://10.0.0.1/keys"},
		{Issuer: "https://login.example.com/{tenantid}/v2.0"}, {Issuer: "https://sts.example.com/{tenantid}/", JWKSURL: "https://login.example.com/keys"},
		{JWKSURL: "https://login.example.com"}, {Issuer: "https://login.example.com", Allow: "inside"}, {Issuer: "ftp://localhost"},
		{Issuer: "http://localhost.example.com"}, {Issuer: strings.Repeat("a", 501), JWKSURL: "https://login.example.com"},
		{Issuer: "http://localhost:8080/realms/a"}, {Issuer: "http://127.0.0.1", Allow: "10.0.0.0/8"}, {Issuer: "https://10.0.0.1"}, {Issuer: "https://169.254.169.254"},
		{Issuer: "urn:example", JWKSURL: "https://[::ffff:192.168.0.1]/keys"}, {Issuer: "https://2130706433"}, {Issuer: "https://login.example.com/a/.well-known/openid-configuration"},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("Validate of %+v = nil, want a complaint", c)
		}
	}
	err := issuer.Config{Issuer: "a", JWKSURL: "b", Allow: "c"}.Validate()
	if text := fmt.Sprint(err); !strings.Contains(text, "jwks_url") || !strings.Contains(text, `"c"`) {
		t.Errorf("Validate says %q, want all that is wrong", text)
	}
	err = issuer.Config{Issuer: "http://127.0.0.1:8080"}.Validate()
	if text := fmt.Sprint(err); !strings.Contains(text, "name it in allow") {
		t.Errorf("Validate says %q of an address inside, want what to do", text)
	}
}
