package sidecar

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
)

// TestIssuers lets in who an issuer elsewhere vouches for, by a configuration file, and keeps its keys over a reload.
func TestIssuers(t *testing.T) {
	elsewhere := hosttest.NewIssuer(t)
	settings := func(more string) guard.Settings {
		o, err := Load(Source{File: configured(t, fmt.Sprintf("upstream: http://127.0.0.1:1\nissuers:\n  - name: idp\n    issuer: %s\n    audience: [app]\n    allow: [127.0.0.1]\n%s", elsewhere.URL, more))})
		if err != nil {
			t.Fatal(err)
		}
		return o.Guard
	}
	v := serve(t, hosttest.App(), func(o *Options) { o.Guard, o.AdminListen = settings(""), "127.0.0.1:0" })
	token := elsewhere.Token(t, "u1", "app")
	if got := v.status(token); got != http.StatusOK {
		t.Errorf("a user of the issuer gets %d, want 200", got)
	}
	if got := v.status(elsewhere.Token(t, "u1", "shop")); got != http.StatusUnauthorized {
		t.Errorf("a token for others gets %d, want 401", got)
	}
	own := v.signIn(v.parts.Core, v.realm.ID, "ann")
	if got := v.status(own.Token); got != http.StatusOK {
		t.Errorf("a user of Postern's own gets %d, want 200", got)
	}
	said, err := Explain(t.Context(), v.o, "GET", "/", token)
	if err != nil || !strings.Contains(said, "idp:u1 (vouched for by the issuer idp, ada)") {
		t.Errorf("Explain = %q, %v; want who it is", said, err)
	}

	elsewhere.Down.Store(true)
	next := v.o
	next.Guard = settings("optional: true\n")
	v.must(v.Reload(t.Context(), next))
	if got := v.status(token); got != http.StatusOK || elsewhere.Fetched.Load() != 1 {
		t.Errorf("after a reload, while the issuer is down, its user gets %d, with keys that were fetched %d times; want 200 and once", got, elsewhere.Fetched.Load())
	}
	next.Guard = settings("optional: true\npass_token: true\n")
	next.Guard.Issuers[0].CAFile = "/nowhere.pem"
	if err := v.Reload(t.Context(), next); err == nil || !strings.Contains(err.Error(), "issuers: idp: cannot read the certificates") {
		t.Errorf("Reload with certificates that are not there = %v, want a refusal", err)
	}
	if got := v.status(token); got != http.StatusOK {
		t.Errorf("after a reload that was refused: %d, want 200", got)
	}
	res, err := http.Get("http://" + v.admin.Addr().String() + "/metrics")
	v.must(err)
	text, err := io.ReadAll(res.Body)
	v.must(err)
	v.must(res.Body.Close())
	for _, want := range []string{`postern_issuer_fetches_total{issuer="` + elsewhere.URL + `",result="ok"} 1`, `postern_issuer_keys_age_seconds{issuer="` + elsewhere.URL + `"} `} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestIssuersComplaints says all that is wrong with issuers, as 'postern check' does.
func TestIssuersComplaints(t *testing.T) {
	_, err := Load(Source{File: configured(t, `
upstream: http://127.0.0.1:3000
issuers:
  - name: idp
    issuer: http://login.example.com
  - issuer: https://login.example.com
    audience: [a]
    algorithms: [HS256]
`)})
	for _, want := range []string{"idp: audience is missing", `idp: issuer "http://login.example.com" must be https`, "number 2: name", `number 2: algorithm "HS256"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load = %v; want it to say %q", err, want)
		}
	}
	_, err = Load(Source{File: configured(t, "upstream: http://a\nissuers:\n  - name: idp\n    audiences: [a]\n")})
	if err == nil || !strings.Contains(err.Error(), "there is no setting audiences here") {
		t.Errorf("Load with a setting that is none = %v", err)
	}
}
