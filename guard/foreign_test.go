package guard_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/jose"
)

// tells are all headers that an issuer elsewhere can say something in.
var tells = map[string]string{
	"X-Id": "id", "X-Username": "username", "X-Email": "email", "X-Verified": "email_verified", "X-Name": "name", "X-Realm": "realm", "X-Mfa": "mfa",
	"X-Permissions": "permissions", "X-At": "signed_in_at", "X-Plan": "custom.plan", "X-Arbitrary": "arbitrary_id", "X-Session": "session", "X-Type": "user_type",
	"X-First": "first_name", "X-Last": "last_name", "X-Reference": "reference", "X-Org-Permissions": "org_permissions",
}

// told returns the headers that the application gets with a token, without those that are as usual.
func told(t *testing.T, g *guard.Guard, token string) map[string]string {
	t.Helper()
	r := with(token)
	v := g.Judge(r)
	if v.Decision != guard.Allow {
		t.Fatalf("Judge = %s %+v, want allow", v.Decision, v.Refusal)
	}
	got := map[string]string{}
	for name := range tells {
		if value := g.Prepare(r, v).Header.Get(name); value != "" && value != "false" {
			got[name] = value
		}
	}
	return got
}

// TestForeignIdentity tells the application what the issuer says, and nothing that it does not vouch for.
func TestForeignIdentity(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	type claims = map[string]any
	type headers = map[string]string
	at := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	for name, tt := range map[string]struct {
		settings func(*guard.Issuer)
		claims   claims
		want     headers
	}{
		"least": {want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"all that is usual": {
			claims: claims{"preferred_username": "ada", "email": "ada@example.com", "email_verified": true, "name": "Ada Ł", "given_name": "Ada", "family_name": "Ł", "reference": "none of ours", "amr": []string{"pwd", "mfa"}, "auth_time": at.Unix(), "sid": "s", "scope": "admin"},
			want:   headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Username": "ada", "X-Email": "ada@example.com", "X-Verified": "true", "X-Name": "Ada Ł", "X-First": "Ada", "X-Last": "Ł", "X-Mfa": "true", "X-At": at.Format(time.RFC3339)},
		},
		"an address that nobody verified": {claims: claims{"email": "ada@example.com"}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"an address that is not verified": {claims: claims{"email": "ada@example.com", "email_verified": "false"}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"verified as a text":              {claims: claims{"email": "a@b.c", "email_verified": "true"}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Email": "a@b.c", "X-Verified": "true"}},
		"verified without an address":     {claims: claims{"email_verified": true}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"all addresses": {
			settings: func(i *guard.Issuer) { i.Emails = guard.EmailsAll }, claims: claims{"email": "a@b.c"},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Email": "a@b.c"},
		},
		"trusted addresses": {
			settings: func(i *guard.Issuer) { i.Emails = guard.EmailsTrusted }, claims: claims{"email": "a@b.c"},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Email": "a@b.c", "X-Verified": "true"},
		},
		"other claims": {
			settings: func(i *guard.Issuer) {
				i.Claims = map[string]string{"id": "/user/id", "username": "", "name": "https://example.com/name", "permissions": "/access/my~1app/roles", "custom.plan": "plan", "arbitrary_id": "sub", "reference": "account", "first_name": ""}
			},
			claims: claims{"user": claims{"id": 42}, "account": "acct-7", "given_name": "Ada", "preferred_username": "ada", "https://example.com/name": "Ada", "plan": "gold",
				"access": claims{"my/app": claims{"roles": []string{"write", "read", "a,b", ""}}}},
			want: headers{"X-Id": "idp:42", "X-Realm": "idp", "X-Name": "Ada", "X-Permissions": "read,write", "X-Plan": "gold", "X-Arbitrary": "u1", "X-Reference": "acct-7"},
		},
		"permissions as a text": {
			settings: func(i *guard.Issuer) { i.Claims = map[string]string{"permissions": "scope"} }, claims: claims{"scope": "write  read"},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Permissions": "read,write"},
		},
		"permissions that are none": {
			settings: func(i *guard.Issuer) { i.Claims = map[string]string{"permissions": "scope"} }, claims: claims{"scope": []any{"read", 1}},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp"},
		},
		"a class of sign-in": {
			settings: func(i *guard.Issuer) { i.MFAMethods, i.MFAClasses = []string{}, []string{"gold"} }, claims: claims{"acr": "gold", "amr": []string{"mfa"}},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Mfa": "true"},
		},
		"no class of sign-in": {
			settings: func(i *guard.Issuer) { i.MFAClasses = []string{"gold"} }, claims: claims{"acr": "silver", "amr": "gold"},
			want: headers{"X-Id": "idp:u1", "X-Realm": "idp"},
		},
		"a class that a variable was to say": {settings: func(i *guard.Issuer) { i.MFAClasses = []string{""} }, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"a sign-in that lies ahead":          {claims: claims{"auth_time": time.Now().Add(time.Hour).Unix()}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
		"unprefixed":                         {settings: func(i *guard.Issuer) { i.Unprefixed = true }, claims: claims{"sub": "auth0|1"}, want: headers{"X-Id": "auth0|1", "X-Realm": "idp"}},
		"like one of ours":                   {claims: claims{"sub": "usr_ann"}, want: headers{"X-Id": "idp:usr_ann", "X-Realm": "idp"}},
		"a type":                             {settings: func(i *guard.Issuer) { i.UserType = core.UserAPI }, want: headers{"X-Id": "idp:u1", "X-Realm": "idp", "X-Type": "api"}},
		"what is asked for": {
			settings: func(i *guard.Issuer) {
				i.RequireClaims = map[string][]string{"hd": {"example.org", "example.com"}, "/a/groups": {"staff"}, "n": {"7"}}
			},
			claims: claims{"hd": "example.com", "a": claims{"groups": []string{"x", "staff"}}, "n": 7}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"},
		},
		"audience among others": {claims: claims{"aud": []string{"x", "app"}}, want: headers{"X-Id": "idp:u1", "X-Realm": "idp"}},
	} {
		t.Run(name, func(t *testing.T) {
			change := tt.settings
			if change == nil {
				change = func(*guard.Issuer) {}
			}
			g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(change), CopyHeaders: tells}})
			if got := told(t, g, e.token(key, tt.claims)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("told %v\nwant %v", got, tt.want)
			}
		})
	}
}

// TestForeignRefused is what nobody gets in with, whoever wrote it.
func TestForeignRefused(t *testing.T) {
	key, rsa, stranger := newKey(t, jose.EdDSA), newKey(t, jose.RS256), newKey(t, jose.EdDSA)
	e := newElsewhere(t, key, rsa)
	old := time.Now().Add(-10 * time.Minute).Unix()
	good := strings.Split(e.token(key, nil), ".")
	enc := base64.RawURLEncoding.EncodeToString
	public, err := rsa.Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	hs256 := enc([]byte(`{"alg":"HS256","typ":"JWT","kid":"`+rsa.ID()+`"}`)) + "." + good[1]
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs256))
	settings := guard.Settings{CopyHeaders: tells, Issuers: e.settings(func(i *guard.Issuer) {
		i.Unprefixed, i.RequireClaims, i.Algorithms = true, map[string][]string{"hd": {"example.com"}}, []string{"EdDSA", "RS256"}
	})}
	hd := func(change map[string]any) map[string]any {
		if change == nil {
			change = map[string]any{}
		}
		if _, there := change["hd"]; !there {
			change["hd"] = "example.com"
		}
		return change
	}
	logout, err := key.Sign("logout+jwt", []byte(`{"iss":"`+e.URL+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"expired":                               e.token(key, hd(map[string]any{"exp": old})),
		"not yet":                               e.token(key, hd(map[string]any{"nbf": time.Now().Unix() + 3600})),
		"for others":                            e.token(key, hd(map[string]any{"aud": "shop"})),
		"for nobody":                            e.token(key, hd(map[string]any{"aud": nil})),
		"without end":                           e.token(key, hd(map[string]any{"exp": nil})),
		"another issuer's":                      e.token(key, hd(map[string]any{"iss": "https://login.example.com"})),
		"nobody's":                              e.token(key, hd(map[string]any{"sub": nil})),
		"an empty user's":                       e.token(key, hd(map[string]any{"sub": ""})),
		"a user's who cannot be told":           e.token(key, hd(map[string]any{"sub": "a\r\nX-Id: b"})),
		"a long user's":                         e.token(key, hd(map[string]any{"sub": strings.Repeat("u", 256)})),
		"one of ours":                           e.token(key, hd(map[string]any{"sub": "usr_ann"})),
		"one of ours, for who minds no case":    e.token(key, hd(map[string]any{"sub": "USR_ann"})),
		"of another company":                    e.token(key, hd(map[string]any{"hd": "evil.example"})),
		"of no company":                         e.token(key, hd(map[string]any{"hd": nil})),
		"bound to a key":                        e.token(key, hd(map[string]any{"cnf": map[string]any{"jkt": "abc"}})),
		"signed by a stranger long ago":         e.token(stranger, hd(map[string]any{"iat": old})),
		"another's signature":                   good[0] + "." + good[1] + "." + strings.Split(e.token(stranger, nil), ".")[2],
		"a logout token":                        logout,
		"HS256 with a public key":               hs256 + "." + enc(mac.Sum(nil)),
		"none":                                  enc([]byte(`{"alg":"none"}`)) + "." + good[1] + ".",
		"none, with a signature":                enc([]byte(`{"alg":"none"}`)) + "." + good[1] + "." + good[2],
		"its own key":                           enc([]byte(`{"alg":"EdDSA","jwk":{"kty":"OKP"}}`)) + "." + good[1] + "." + good[2],
		"an algorithm of no key":                enc([]byte(`{"alg":"ES256","kid":"`+key.ID()+`"}`)) + "." + good[1] + "." + good[2],
		"RS256 under the kid of an Ed25519 key": enc([]byte(`{"alg":"RS256","kid":"`+key.ID()+`"}`)) + "." + good[1] + "." + good[2],
		"claims changed after they were signed": good[0] + "." + enc([]byte(`{"iss":"`+e.URL+`","aud":"app","sub":"root","hd":"example.com","exp":9999999999}`)) + "." + good[2],
		"a claim twice":                         good[0] + "." + enc([]byte(`{"iss":"x","iss":"`+e.URL+`"}`)) + "." + good[2],
	} {
		w := worldToday()
		g := w.guard(t, guard.Options{Settings: settings})
		v := g.Judge(with(token))
		if v.Decision != guard.Deny || v.Refusal.Status != http.StatusUnauthorized || v.Refusal.Reason != "invalid_token" {
			t.Errorf("%s: %s %+v, want 401 invalid_token", name, v.Decision, v.Refusal)
		}
	}
	// And the same with nothing wrong.
	g := worldToday().guard(t, guard.Options{Settings: settings})
	wantDecision(t, g, e.token(key, hd(nil)), guard.Allow)
}

// TestForeignNeedsNoStore: whose users live elsewhere is not kept waiting by a store, and Postern's own go on as ever.
func TestForeignNeedsNoStore(t *testing.T) {
	key := newKey(t, jose.ES256)
	e := newElsewhere(t, key)
	w := worldToday()
	w.realmErr = core.ErrUnavailable
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	token := e.token(key, nil)
	wantDecision(t, g, token, guard.Allow)
	wantDecision(t, g, token, guard.Allow) // as remembered
	wantDecision(t, g, "good", guard.CannotKnow)
	w.mu.Lock()
	w.realmErr = nil
	w.mu.Unlock()
	w.knows("good", ann)
	wantDecision(t, g, "good", guard.Allow)
	wantDecision(t, g, "good", guard.Allow)
	w.wantReads(t, "good", 1)
	w.wantReads(t, token, 0)
	wantDecision(t, g, e.token(key, map[string]any{"iss": "urn:postern:rlm_1"}), guard.Deny) // core says so
}

// TestOwnBesideForeign relies on what is remembered of Postern's own users no longer than where there is no issuer elsewhere.
func TestOwnBesideForeign(t *testing.T) {
	e := newElsewhere(t, newKey(t, jose.EdDSA))
	for _, check := range []guard.Check{guard.CheckFeed, guard.CheckAlways} {
		w := worldToday()
		w.knows("a.b.good", ann)
		g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(), Check: check}})
		wantDecision(t, g, "a.b.good", guard.Allow)
		w.silent.Store(true)
		w.fails("a.b.good", core.ErrUnavailable)
		wantDecision(t, g, "a.b.good", guard.CannotKnow)
		w.silent.Store(false)
		w.fails("a.b.good", core.ErrInvalidToken)
		if check == guard.CheckAlways {
			wantDecision(t, g, "a.b.good", guard.Deny)
		}
	}
}

// TestForeignKeptApart: an issuer whose ids have no name before them speaks for nobody's users but its own, whatever ids it gives, also where a guard
// before this one knows nothing of the other issuer.
func TestForeignKeptApart(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e, bank := newElsewhere(t, key), newElsewhere(t, key)
	plain := e.settings(func(i *guard.Issuer) { i.Name, i.Unprefixed = "chat", true })
	both := append(bank.settings(func(i *guard.Issuer) { i.Name = "Bank" }), plain...)
	w, names := worldToday(), &guard.Names{}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: both}, Names: names})
	wantDecision(t, g, bank.token(key, nil), guard.Allow) // as Bank:u1
	for sub, want := range map[string]guard.Decision{"Bank:u1": guard.Deny, "bANK:u1": guard.Deny, "Ban\u212a:u1": guard.Deny, "Bank\uff1au1": guard.Deny,
		"u\u017fr_u1": guard.Deny, "\uff35SR_u1": guard.Deny, "Bank": guard.Allow, "chat:u1": guard.Allow, "Banker:u1": guard.Allow} {
		wantDecision(t, g, e.token(key, map[string]any{"sub": sub}), want)
	}
	outer := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: plain}, Names: names})
	h := outer.Handler(g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for sub, want := range map[string]int{"Bank:u1": http.StatusUnauthorized, "u1": http.StatusOK} {
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, with(e.token(key, map[string]any{"sub": sub}))); answer.Code != want {
			t.Errorf("%s by way of a guard that knows one issuer: %d, want %d", sub, answer.Code, want)
		}
	}
}

// TestForeignInCookie holds a token of an issuer elsewhere to the rules for cookies.
func TestForeignInCookie(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-postern", Value: e.token(key, nil)})
	if v := g.Judge(r); v.Decision != guard.Deny || v.Refusal.Reason != "cross_site_request" {
		t.Errorf("POST with a cookie from anywhere: %s %+v, want cross_site_request", v.Decision, v.Refusal)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	v := g.Judge(r)
	if v.Decision != guard.Allow {
		t.Fatalf("POST with a cookie from a page of ours: %s %+v, want allow", v.Decision, v.Refusal)
	}
	w := httptest.NewRecorder()
	admitted, leave := g.Admit(w, r, v)
	defer leave()
	if admitted.Header.Get("Cookie") != "" || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("the application sees the cookie %q, and the browser gets %q; want neither", admitted.Header.Get("Cookie"), w.Header().Get("Set-Cookie"))
	}
}

// TestForeignPolicy asks of them what it asks of Postern's own.
func TestForeignPolicy(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	minutesAgo := func(n int) int64 { return time.Now().Add(-time.Duration(n) * time.Minute).Unix() }
	for name, tt := range map[string]struct {
		policy guard.Policy
		claims map[string]any
		want   string
	}{
		"a permission":                  {guard.Policy{Require: []string{"read"}}, map[string]any{"roles": []string{"read"}}, ""},
		"another permission":            {guard.Policy{Require: []string{"read"}}, map[string]any{"roles": []string{"write"}}, "403 missing_permission"},
		"an org":                        {guard.Policy{Org: "org_a"}, map[string]any{"roles": []string{"read"}}, "403 not_a_member"},
		"a type that nobody says":       {guard.Policy{UserType: core.UserHuman}, nil, "403 wrong_user_type"},
		"a second factor":               {guard.Policy{MFA: true}, map[string]any{"amr": []string{"mfa"}}, ""},
		"no second factor":              {guard.Policy{MFA: true}, nil, "401 mfa_required"},
		"a verified address":            {guard.Policy{EmailVerified: true}, map[string]any{"email": "a@b.c", "email_verified": true}, ""},
		"no verified address":           {guard.Policy{EmailVerified: true}, map[string]any{"email": "a@b.c"}, "403 email_not_verified"},
		"a sign-in of late":             {guard.Policy{SignedInWithin: new(guard.Duration(time.Hour))}, map[string]any{"auth_time": minutesAgo(50)}, ""},
		"a sign-in of long ago":         {guard.Policy{SignedInWithin: new(guard.Duration(time.Hour))}, map[string]any{"auth_time": minutesAgo(70)}, "401 sign_in_too_old"},
		"a sign-in of who knows when":   {guard.Policy{SignedInWithin: new(guard.Duration(time.Hour))}, nil, "403 sign_in_too_old"},
		"one of several issuers":        {guard.Policy{VouchedBy: []string{"postern", "idp"}}, nil, ""},
		"Postern's own alone":           {guard.Policy{VouchedBy: []string{"postern"}}, nil, "403 wrong_issuer"},
		"a sign-in that is yet to come": {guard.Policy{SignedInWithin: new(guard.Duration(time.Hour))}, map[string]any{"auth_time": minutesAgo(-70)}, "403 sign_in_too_old"},
	} {
		g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Policy: tt.policy, Issuers: e.settings(func(i *guard.Issuer) { i.Claims = map[string]string{"permissions": "roles"} })}})
		v := g.Judge(with(e.token(key, tt.claims)))
		got := strings.TrimPrefix(fmt.Sprint(v.Refusal.Status, " ", v.Refusal.Reason), "0 ")
		if (v.Decision == guard.Allow) != (tt.want == "") || got != tt.want {
			t.Errorf("%s: %s %q, want %q", name, v.Decision, got, tt.want)
		}
	}
}

// TestForeignExpires looks at the end of a token at each request.
func TestForeignExpires(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	w := worldToday()
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	short, long := e.token(key, map[string]any{"exp": time.Now().Unix() + 60}), e.token(key, nil)
	wantDecision(t, g, short, guard.Allow)
	w.pass(61 * time.Second)
	wantDecision(t, g, short, guard.Deny)
	wantDecision(t, g, long, guard.Allow)
	w.pass(time.Hour)
	wantDecision(t, g, long, guard.Deny)
	aged := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(func(i *guard.Issuer) { i.MaxAge = new(guard.Duration(30 * time.Minute)) })}})
	wantDecision(t, aged, e.token(key, map[string]any{"iat": w.time().Unix() - 1700, "exp": w.time().Unix() + 9999}), guard.Allow)
	wantDecision(t, aged, e.token(key, map[string]any{"iat": w.time().Unix() - 1900, "exp": w.time().Unix() + 9999}), guard.Deny)
}

// TestForeignMaxAgeEnds also what is remembered.
func TestForeignMaxAgeEnds(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	w := worldToday()
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(func(i *guard.Issuer) { i.MaxAge = new(guard.Duration(2 * time.Minute)) })}})
	token := e.token(key, nil) // of a minute ago
	wantDecision(t, g, token, guard.Allow)
	w.pass(time.Minute + 2*time.Second)
	wantDecision(t, g, token, guard.Deny)
}

// TestForeignNested: the inner guard goes by whom the outer found if it takes that issuer on the same terms, and else judges for itself.
func TestForeignNested(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	for name, tt := range map[string]struct {
		inner []guard.Issuer
		want  int
	}{
		"the same terms":   {e.settings(), http.StatusOK},
		"another audience": {e.settings(func(i *guard.Issuer) { i.Audience = []string{"admin"} }), http.StatusUnauthorized},
		"another name":     {e.settings(func(i *guard.Issuer) { i.Name = "other" }), http.StatusOK},
		"no issuers":       {nil, http.StatusUnauthorized},
	} {
		w, names := worldToday(), &guard.Names{}
		outer := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(), CopyHeaders: map[string]string{"X-Outer": "id"}}, Names: names})
		inner := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: tt.inner, CopyHeaders: map[string]string{"X-Inner": "id"}}, Names: names})
		var seen http.Header
		h := outer.Handler(inner.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, with(e.token(key, nil)))
		if answer.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", name, answer.Code, answer.Body, tt.want)
		}
		if name == "the same terms" && (seen.Get("X-Outer") != "idp:u1" || seen.Get("X-Inner") != "idp:u1") {
			t.Errorf("%s: the application is told %v", name, seen)
		}
	}
}

// notary is an asserter that remembers whom it signed for.
type notary struct {
	asserter
	last core.Identity
}

func (n *notary) Assert(ctx context.Context, who core.Identity, audience string) (string, time.Time, error) {
	n.last = who
	return n.asserter.Assert(ctx, who, audience)
}

// TestForeignAssertion is signed by the guard's own realm.
func TestForeignAssertion(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	w := worldToday()
	signs := &notary{asserter: asserter{w: w}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(), Assertion: "shop"}, Asserter: signs})
	r := with(e.token(key, nil))
	v := g.Judge(r)
	if got := g.Prepare(r, v).Header.Get("X-Postern-Assertion"); got == "" || signs.last.Realm != realmID || signs.last.User != "idp:u1" {
		t.Errorf("assertion %q about %s in %s; want one about idp:u1 in %s", got, signs.last.User, signs.last.Realm, realmID)
	}
}

// TestForeignSeenAgain neither allocates nor verifies.
func TestForeignSeenAgain(t *testing.T) {
	key := newKey(t, jose.RS256)
	e := newElsewhere(t, key)
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	r := with(e.token(key, nil))
	g.Judge(r)
	if n := testing.AllocsPerRun(100, func() { g.Judge(r) }); n > 0 {
		t.Errorf("a foreign token that was seen before allocates %v times, want 0", n)
	}
}

// TestForeignExplained says who vouches.
func TestForeignExplained(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	header := func(text, token string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(text)) + token[strings.IndexByte(token, '.'):]
	}
	for token, want := range map[string]string{
		e.token(key, map[string]any{"iss": e.URL + "/"}):                                 `It says that it is of the issuer "` + e.URL + `/", and this guard takes tokens of ["` + e.URL + `"], to the letter, and of its realm.`,
		e.token(key, map[string]any{"iss": nil}):                                         `It says that it is of the issuer ""`,
		e.token(newKey(t, jose.EdDSA), map[string]any{"iat": time.Now().Unix() + 30}):    "It is signed with none of the keys of the issuer idp that are known, 1 of 20",
		header(`{"alg":"HS256"}`, e.token(key, nil)):                                     "It says that it is of the issuer idp, of whom no token of this form is taken: malformed token: alg is not an asymmetric one that is known.",
		header(`{"alg":"EdDSA","x5c":["a"]}`, e.token(key, nil)):                         "malformed token: the header has a member that would change how the token is verified.",
		e.token(key, map[string]any{"iss": "urn:postern:rlm_1", "aud": string(realmID)}): "It says that it is for this realm",
		e.token(key, nil): "It comes from idp:u1 (vouched for by the issuer idp), shown as bearer",
		e.token(key, map[string]any{"preferred_username": "ada"}): "It comes from idp:u1 (vouched for by the issuer idp, ada), shown as bearer",
		e.token(key, map[string]any{"aud": "shop"}):               "The token of issuer idp is not valid: it is meant for another audience.",
	} {
		if got, err := g.Explain(t.Context(), "GET", "/", token); err != nil || !strings.Contains(got, want) {
			t.Errorf("Explain = %q, %v; want %q", got, err, want)
		}
	}
}

// TestVouchedByPostern lets in the realm's own, and nobody who an issuer elsewhere vouches for.
func TestVouchedByPostern(t *testing.T) {
	w := worldToday()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{Policy: guard.Policy{VouchedBy: []string{"postern"}}}})
	wantDecision(t, g, "good", guard.Allow)
}

// FuzzForeignClaims: whatever an issuer signs, nobody gets in as one of Postern's own, without an end, or for another audience, and the application
// is told nothing that a header would not carry unharmed.
func FuzzForeignClaims(f *testing.F) {
	key := newKey(f, jose.EdDSA)
	e := newElsewhere(f, key)
	for _, claims := range []string{
		`"sub":"u1"`, `"sub":"usr_1"`, `"sub":"Usr_1"`, `"sub":7`, `"sub":" a"`, `"sub":"a\u0000"`, `"sub":"a","email":"a@b\r\nX: y","email_verified":true`, `"sub":"a","iat":9e9`,
		`"sub":"a","roles":["a","b,c"],"plan":{"a":1},"auth_time":-1`, `"sub":"a","roles":"a b","plan":"\n","amr":["mfa"],"preferred_username":"é"`, `"sub":"a","aud":"x"`,
	} {
		f.Add(`{"iss":"ISS","aud":"app","exp":4102444800,` + claims + `}`)
	}
	f.Add(`{"iss":"ISS","aud":["app"],"exp":1,"sub":"a"}`)
	g := worldToday().guard(f, guard.Options{Settings: guard.Settings{CopyHeaders: tells, Issuers: e.settings(func(i *guard.Issuer) {
		i.Unprefixed, i.Emails, i.Claims = true, guard.EmailsAll, map[string]string{"permissions": "roles", "custom.plan": "plan", "arbitrary_id": "/a/b"}
	})}})
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "ISS", e.URL)
		token, err := key.Sign("JWT", []byte(text))
		if err != nil {
			return
		}
		r := with(token)
		v := g.Judge(r)
		if v.Decision != guard.Allow {
			return
		}
		var claims map[string]any // which tells names apart by case, as a struct would not
		err = json.Unmarshal([]byte(text), &claims)
		expires, _ := claims["exp"].(float64)
		audiences, many := claims["aud"].([]any)
		if !many {
			audiences = []any{claims["aud"]}
		}
		if err != nil || claims["iss"] != any(e.URL) || expires <= float64(time.Now().Unix()) || !slices.Contains(audiences, any("app")) {
			t.Errorf("%s is let in; %v", text, err)
		}
		for name, values := range g.Prepare(r, v).Header {
			value := values[0]
			if _, is := tells[name]; !is {
				continue
			}
			if name == "X-Id" && (value == "" || strings.HasPrefix(strings.ToLower(value), "usr_")) || value != strings.TrimSpace(value) || strings.ContainsAny(value, "\r\n\x00") {
				t.Errorf("%s tells %s: %q", text, name, value)
			}
		}
	})
}
