package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/jose"
)

// TestIssuerDownAtStart says that it cannot know, until it can.
func TestIssuerDownAtStart(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	e.isDown(true)
	keys := &guard.IssuerKeys{}
	keys.AskOften()
	began := time.Now()
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	token := e.token(key, nil)
	v := g.Judge(with(token))
	if v.Decision != guard.CannotKnow || v.Refusal.Status != http.StatusServiceUnavailable || v.Refusal.Reason != "issuer_unavailable" || v.Refusal.RetryAfter < time.Second {
		t.Errorf("without keys: %s %+v, want 503 issuer_unavailable with Retry-After", v.Decision, v.Refusal)
	}
	if got, err := g.Explain(t.Context(), "GET", "/", token); err != nil || !strings.Contains(got, "The keys of the issuer idp could not be fetched, and the log says why.") {
		t.Errorf("Explain without keys = %q, %v; want why it cannot be known", got, err)
	}
	if v := g.Judge(with(e.token(key, map[string]any{"exp": 1}))); v.Decision != guard.Deny {
		t.Errorf("without keys, a token that has expired anyhow: %s, want deny", v.Decision)
	}
	if at := keys.Since()[e.URL]; at.Before(began) || at.After(time.Now()) {
		t.Errorf("keys that were never fetched are told to be of %s, want when that was tried first", at)
	}
	e.isDown(false)
	eventually(t, "the token is taken", func() bool { return g.Judge(with(token)).Decision == guard.Allow })
	e.isDown(true)
	wantDecision(t, g, e.token(key, map[string]any{"sub": "u2"}), guard.Allow) // the last good set holds
	if s := g.State().Issuers; len(s) != 1 || s[0].Name != "idp" || s[0].Keys != 1 || s[0].Fetched.IsZero() {
		t.Errorf("State says of issuers %+v, want idp with one key", s)
	}
}

// patience is a context that notes whether it was asked for its end, as who waits asks.
type patience struct {
	context.Context
	asked atomic.Bool
}

func (p *patience) Done() <-chan struct{} {
	p.asked.Store(true)
	return p.Context.Done()
}

// TestIssuerSlowAtStart has a request wait for the first keys, but not with a token that no keys would make good.
func TestIssuerSlowAtStart(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	e.mu.Lock() // it answers nothing until that ends
	answers := sync.OnceFunc(e.mu.Unlock)
	defer answers()
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	for what, claims := range map[string]map[string]any{"for another": {"aud": "another"}, "that has expired": {"exp": 1}} {
		ctx := &patience{Context: t.Context()}
		if v := g.Judge(with(e.token(key, claims)).WithContext(ctx)); v.Decision != guard.Deny || ctx.asked.Load() {
			t.Errorf("a token %s: %s, and the request waited: %t; want deny at once", what, v.Decision, ctx.asked.Load())
		}
	}
	token, verdict := e.token(key, nil), make(chan guard.Decision, 1)
	go func() { verdict <- g.Judge(with(token)).Decision }()
	answers()
	if got := hosttest.Within(t, "a token is judged", verdict); got != guard.Allow {
		t.Errorf("a token, just before the first keys are there: %s, want allow", got)
	}
}

// TestIssuerRotates takes what a new key signs as soon as it is published, and what an old one signed no longer once it is withdrawn, in
// requests that are open too.
func TestIssuerRotates(t *testing.T) {
	old, next, garbage := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
	e := newElsewhere(t, old)
	keys := &guard.IssuerKeys{}
	keys.AskOften()
	w := worldToday()
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	s := newStreams(t, g.Handler)
	first := e.token(old, nil)
	body := s.begin(first)
	e.publishes(old, next)
	fresh := e.token(next, map[string]any{"iat": time.Now().Unix() + 30})
	if v := g.Judge(with(fresh)); v.Decision != guard.CannotKnow || v.Refusal.Reason != "unknown_key" {
		t.Errorf("a token of a key that is not known yet: %s %+v, want 503 unknown_key", v.Decision, v.Refusal)
	}
	eventually(t, "the new key is known", func() bool { return g.Judge(with(fresh)).Decision == guard.Allow })
	wantDecision(t, g, first, guard.Allow)
	if n := s.open.Load(); n != 1 {
		t.Errorf("%d streams are open after a key was added, want 1", n)
	}
	e.publishes(next)
	g.Judge(with(e.token(garbage, map[string]any{"iat": time.Now().Unix() + 30}))) // asks for a fetch
	eventually(t, "the old key is withdrawn", func() bool { return g.Judge(with(first)).Decision != guard.Allow })
	s.ends(body)
	wantDecision(t, g, fresh, guard.Allow)
	wantDecision(t, g, e.token(old, map[string]any{"iat": time.Now().Unix() - 600}), guard.Deny)
}

// TestIssuerUsesKidAgain: a token of a new key that has the kid of an old one is refused, since it may be a forgery, and has the keys fetched.
func TestIssuerUsesKidAgain(t *testing.T) {
	old, next := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
	e := newElsewhere(t, old)
	e.kid = next.ID()
	keys := &guard.IssuerKeys{}
	keys.AskOften()
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	fresh, stale := e.token(next, map[string]any{"iat": time.Now().Unix() + 30}), e.token(next, map[string]any{"iat": time.Now().Unix() - 600})
	wantDecision(t, g, stale, guard.Deny)
	e.publishes(next)
	wantDecision(t, g, stale, guard.Deny) // which asks for nothing
	if n := e.fetches.Load(); n != 1 {
		t.Errorf("a token from before the keys were fetched, with a signature that does not fit, brought about %d fetches, want none", n-1)
	}
	wantDecision(t, g, fresh, guard.Deny)
	eventually(t, "the new key is known", func() bool { return g.Judge(with(fresh)).Decision == guard.Allow })
}

// TestIssuerFetchedInTwoWays: of keys that one guard has and another cannot get, the older are told of, however often one asks.
func TestIssuerFetchedInTwoWays(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e, keys := newElsewhere(t, key), &guard.IssuerKeys{}
	w := worldToday()
	w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(func(i *guard.Issuer) { i.JWKSURL = e.URL + "/nowhere" })}, IssuerKeys: keys})
	began := keys.Since()[e.URL]
	well := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	wantDecision(t, well, e.token(key, nil), guard.Allow)
	for range 100 {
		if at := keys.Since()[e.URL]; !at.Equal(began) {
			t.Fatalf("the keys are of %s; want %s, when those that never came were tried first", at, began)
		}
	}
}

// TestIssuerSaysNoTime: a token that does not say when it was issued is refused while its key is not known, and has the keys fetched, whether its kid
// is new or that of another key.
func TestIssuerSaysNoTime(t *testing.T) {
	for name, sameKid := range map[string]bool{"a new kid": false, "an old kid": true} {
		old, next := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
		e := newElsewhere(t, old)
		if sameKid {
			e.kid = next.ID()
		}
		keys := &guard.IssuerKeys{}
		keys.AskOften()
		g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
		eventually(t, "the first keys are there", func() bool { return e.fetches.Load() > 0 })
		e.publishes(next)
		token := e.token(next, map[string]any{"iat": nil})
		eventually(t, name+" is known", func() bool { return g.Judge(with(token)).Decision == guard.Allow })
	}
}

// TestIssuerHasOneKidTwice tries a token with each key of its kid, and takes it no longer once the one that fits is withdrawn, though
// another of that kid stays.
func TestIssuerHasOneKidTwice(t *testing.T) {
	first, second, forger := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
	e := newElsewhere(t, first, second)
	e.kid = second.ID()
	keys := &guard.IssuerKeys{}
	keys.AskOften()
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	token := e.token(second, nil)
	wantDecision(t, g, token, guard.Allow)
	other := e.token(forger, nil)
	wantDecision(t, g, token[:strings.LastIndexByte(token, '.')]+other[strings.LastIndexByte(other, '.'):], guard.Deny)
	e.publishes(first)
	g.Judge(with(e.token(forger, map[string]any{"iat": time.Now().Unix() + 30}))) // asks for a fetch
	eventually(t, "the second key is withdrawn", func() bool { return g.Judge(with(token)).Decision == guard.Deny })
}

// TestIssuerAwayForDays: what was fetched last holds for 72 hours, and then it cannot be known of anybody who they are, who was let in before neither.
func TestIssuerAwayForDays(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e, w := newElsewhere(t, key), worldToday()
	g := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	token := e.token(key, map[string]any{"exp": time.Now().Add(240 * time.Hour).Unix()})
	wantDecision(t, g, token, guard.Allow)
	w.pass(71 * time.Hour)
	wantDecision(t, g, token, guard.Allow)
	w.pass(2 * time.Hour)
	if v := g.Judge(with(token)); v.Decision != guard.CannotKnow || v.Refusal.Reason != "issuer_unavailable" {
		t.Errorf("73 hours after the keys were fetched: %s %+v, want 503 issuer_unavailable", v.Decision, v.Refusal)
	}
}

// TestUnknownKeysCostLittle: garbage brings about neither fetches without end nor refusals of who is known.
func TestUnknownKeysCostLittle(t *testing.T) {
	key, garbage := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	g := worldToday().guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}})
	wantDecision(t, g, e.token(key, nil), guard.Allow)
	began := time.Now()
	for i := range 500 {
		g.Judge(with(e.token(garbage, map[string]any{"sub": fmt.Sprint(i), "iat": time.Now().Unix() + 30})))
	}
	if n, most := e.fetches.Load(), 2+int32(time.Since(began)/(10*time.Second)); n > most {
		t.Errorf("500 tokens of keys that nobody knows brought about %d fetches, want at most %d", n, most)
	}
	wantDecision(t, g, e.token(key, nil), guard.Allow)
}

// TestGuardsShareIssuerKeys, so that one which takes the place of another fetches nothing anew.
func TestGuardsShareIssuerKeys(t *testing.T) {
	key := newKey(t, jose.EdDSA)
	e := newElsewhere(t, key)
	results := make(chan string, 10)
	keys := guard.NewIssuerKeys(func(_, result string) { results <- result })
	w := worldToday()
	token := e.token(key, nil)
	before := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings()}, IssuerKeys: keys})
	wantDecision(t, before, token, guard.Allow)
	after := w.guard(t, guard.Options{Settings: guard.Settings{Issuers: e.settings(), Optional: true}, IssuerKeys: keys})
	before.Close()
	e.isDown(true)
	wantDecision(t, after, token, guard.Allow)
	if n := e.fetches.Load(); n != 1 || <-results != "ok" || keys.Since()[e.URL].IsZero() {
		t.Errorf("%d fetches for two guards, of %v; want one", n, keys.Since())
	}
	after.Close()
	if all := keys.Since(); len(all) != 0 {
		t.Errorf("when all guards are closed, keys are kept of %v", all)
	}
}

// TestIssuerSettings complains of all that is wrong.
func TestIssuerSettings(t *testing.T) {
	good := guard.Issuer{Name: "idp", Issuer: "https://login.example.com", Audience: []string{"app"}}
	with := func(change func(*guard.Issuer)) guard.Issuer {
		i := good
		change(&i)
		return i
	}
	for want, issuers := range map[string][]guard.Issuer{
		"":                           {good},
		"number 1: name":             {with(func(i *guard.Issuer) { i.Name = "" })},
		"name \"usr_a\"":             {with(func(i *guard.Issuer) { i.Name = "usr_a" })},
		"audience is missing":        {with(func(i *guard.Issuer) { i.Audience = nil })},
		"must be https":              {with(func(i *guard.Issuer) { i.Issuer = "http://login.example.com" })},
		"say in jwks_url":            {with(func(i *guard.Issuer) { i.Issuer = "login" })},
		"jwks_url":                   {with(func(i *guard.Issuer) { i.JWKSURL = "file:///etc/passwd" })},
		"algorithm \"HS256\"":        {with(func(i *guard.Issuer) { i.Algorithms = []string{"HS256"} })},
		"algorithm \"none\"":         {with(func(i *guard.Issuer) { i.Algorithms = []string{"none"} })},
		"nothing is called \"mail\"": {with(func(i *guard.Issuer) { i.Claims = map[string]string{"mail": "email"} })},
		"claims: id is missing":      {with(func(i *guard.Issuer) { i.Claims = map[string]string{"id": ""} })},
		"require_claims: hd needs":   {with(func(i *guard.Issuer) { i.RequireClaims = map[string][]string{"hd": nil} })},
		"none of them empty":         {with(func(i *guard.Issuer) { i.RequireClaims = map[string][]string{"hd": {"example.com", ""}} })},
		"require_claims: \"\" is no": {with(func(i *guard.Issuer) { i.RequireClaims = map[string][]string{"": {"a"}} })},
		"is Postern's own":           {with(func(i *guard.Issuer) { i.Name = "Postern" })},
		"emails is \"some\"":         {with(func(i *guard.Issuer) { i.Emails = "some" })},
		"user_type is \"robot\"":     {with(func(i *guard.Issuer) { i.UserType = "robot" })},
		"skew is 6m0s":               {with(func(i *guard.Issuer) { i.Skew = new(guard.Duration(6 * time.Minute)) })},
		"skew is -1s":                {with(func(i *guard.Issuer) { i.Skew = new(guard.Duration(-time.Second)) })},
		"max_age is 0s":              {with(func(i *guard.Issuer) { i.MaxAge = new(guard.Duration(0)) })},
		"max_age is -1s":             {with(func(i *guard.Issuer) { i.MaxAge = new(guard.Duration(-time.Second)) })},
		"\"inside\" is no address":   {with(func(i *guard.Issuer) { i.Allow = []string{"inside"} })},
		"there are two of this name": {good, with(func(i *guard.Issuer) { i.Issuer += "/b" })},
		"IDP: there are two":         {good, with(func(i *guard.Issuer) { i.Name, i.Issuer = strings.ToUpper(i.Name), i.Issuer+"/b" })},
		"has the same issuer":        {good, with(func(i *guard.Issuer) { i.Name = "other" })},
		"unprefixed already":         {with(func(i *guard.Issuer) { i.Unprefixed = true }), {Name: "b", Issuer: "https://b.example", Audience: []string{"b"}, Unprefixed: true}},
	} {
		err := guard.Settings{Issuers: issuers}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%+v) = %v, want %q", issuers, err, want)
		}
	}
	for want, settings := range map[string]guard.Settings{
		"from must name bearer or cookie": {Issuers: []guard.Issuer{good}, From: []guard.Source{guard.SourceAPIKey}},
		"there is no issuer \"okta\"":     {Issuers: []guard.Issuer{good}, Policy: guard.Policy{VouchedBy: []string{"okta"}}},
		"there is no issuer \"b\"":        {Rules: []guard.Rule{{Paths: []string{"/a"}, Policy: guard.Policy{VouchedBy: []string{"postern", "b"}}}}},
		"\"a_b\" is no name of an issuer": {Policy: guard.Policy{VouchedBy: []string{"a_b"}}},
	} {
		if err := settings.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%+v) = %v, want %q", settings, err, want)
		}
	}
	err := guard.Settings{Issuers: []guard.Issuer{{Name: "a b", Emails: "x", Algorithms: []string{"y"}}}}.Validate()
	for _, want := range []string{"name", "audience", "emails", "algorithm", "https"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("all complaints at once are %v; %s is missing", err, want)
		}
	}
}

// TestNewComplainsOfFilesToo has a file that is not there told of together with what else is wrong, and alone.
func TestNewComplainsOfFilesToo(t *testing.T) {
	w := newWorld()
	for _, check := range []guard.Check{"never", guard.CheckFeed} {
		_, err := guard.New(guard.Options{Realms: w, Resolver: w, Feed: w, Settings: guard.Settings{Check: check,
			Issuers: []guard.Issuer{{Name: "a", Issuer: "https://a.example", Audience: []string{"b"}, CAFile: "/nonexistent"}}}})
		if err == nil || strings.Count(err.Error(), "/nonexistent") != 1 || strings.Contains(err.Error(), `"never"`) != (check == "never") {
			t.Errorf("New with check %s = %v; want all that is wrong", check, err)
		}
	}
}
