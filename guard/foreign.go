package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

const (
	foreignAgain = 5 * time.Minute // for how long a verdict on a foreign token is remembered, before the token is verified again
	firstKeys    = 2 * time.Second // how long a request waits for keys right after the start; later none does
	maxForeignID = 255             // bytes
)

// IssuerKeys are the keys of issuers elsewhere, which guards of a process share: a guard that takes the place of another goes on with them. The
// zero IssuerKeys is empty. Safe for concurrent use.
type IssuerKeys struct{ pool issuer.Pool }

// NewIssuerKeys returns empty IssuerKeys. fetched is told of each fetch of an issuer's keys: "ok", or in one word why it failed. It must not block.
func NewIssuerKeys(fetched func(issuer, result string)) *IssuerKeys {
	return &IssuerKeys{issuer.Pool{Fetched: func(name string, err error) { fetched(name, issuer.CodeOf(err)) }}}
}

// Since returns when the keys of each issuer that some guard takes were last fetched, by issuer; where they never were, since when that is tried. Where
// guards have one issuer's keys fetched in several ways, it is the earliest of these.
func (k *IssuerKeys) Since() map[string]time.Time {
	all := map[string]time.Time{}
	for _, s := range k.pool.States() {
		since := s.At
		if since.IsZero() {
			since = s.Tried
		}
		if at, there := all[s.Issuer]; !there || since.Before(at) {
			all[s.Issuer] = since
		}
	}
	return all
}

// foreign is an issuer elsewhere, with its keys.
type foreign struct {
	*outside
	keys *issuer.Lease
}

// Failures that say nothing about a token. Its client may try again.
var (
	errIssuerAway = &core.Error{Kind: core.KindUnavailable, Code: "issuer_unavailable", Detail: "the keys of the token's issuer cannot be fetched", RetryAfter: 2 * time.Second}
	errNewerKey   = &core.Error{Kind: core.KindUnavailable, Code: "unknown_key", Detail: "the token's key may be newer than those that are known", RetryAfter: 2 * time.Second}
)

// openIssuers begins to fetch the keys of issuers elsewhere.
func (g *Guard) openIssuers(shared *IssuerKeys) error {
	if shared == nil {
		shared = &IssuerKeys{}
	}
	for _, o := range g.c.issuers {
		withdrawn := func(fingerprints []string) {
			subjects := make([]string, len(fingerprints))
			for i, f := range fingerprints {
				subjects[i] = o.vouching(f)
			}
			g.cache.forget(subjects)
			g.visits.review()
		}
		keys, err := shared.pool.Take(o.config, g.log, withdrawn)
		if err != nil {
			g.closeIssuers()
			return fmt.Errorf("issuers: %s: %w", o.Name, err)
		}
		if g.foreign == nil {
			g.foreign = map[string]*foreign{}
		}
		g.foreign[o.Issuer.Issuer] = &foreign{o, keys}
	}
	return nil
}

// closeIssuers ends the use of their keys.
func (g *Guard) closeIssuers() {
	for _, f := range g.foreign {
		f.keys.Close()
	}
}

// vouching is the subject of news that a key of the issuer vouches no longer. No user or session is called that.
func (o *outside) vouching(fingerprint string) string { return o.Name + " key " + fingerprint }

// identifyForeign returns who a token of an issuer elsewhere stands for. It reports false for all else.
func (g *Guard) identifyForeign(ctx context.Context, q *question, now time.Time) (k known, is bool, err error) {
	if g.c.Check != CheckAlways {
		if k, _ := g.cache.get(q, now); k != "" {
			return k, k[atFrom] != 0, nil
		}
	}
	token, err := jose.ParseForeign(q.token)
	if err != nil {
		return "", false, nil
	}
	iss, _ := token.Unverified().String("iss")
	f := g.foreign[iss]
	if f == nil {
		return "", false, nil
	}
	k, err = g.verify(ctx, f, token, *q)
	return k, true, err
}

// verify judges a token of f, and remembers the answer unless it is a refusal.
func (g *Guard) verify(ctx context.Context, f *foreign, token jose.Token, q question) (known, error) {
	if err := f.await(ctx, token, g.now()); err != nil {
		return "", f.failed(err)
	}
	q.heard = g.cache.heard() // before the keys are looked at, so that news of them is not missed
	now := g.now()
	proven, err := f.trust.Verify(f.keys.Keys(), token, now)
	if err != nil {
		return "", f.failed(err)
	}
	who, err := f.identity(&proven, now)
	if err != nil {
		return "", f.failed(err)
	}
	r := reading{who: who, at: now, stamps: g.cache.stampsOf(&who), from: slices.Index(g.c.issuers, f.outside) + 1}
	r.stamps[1] = g.cache.stamp(f.vouching(proven.Key)) // it has no session, and holds as long as the issuer's key
	k := g.remember(&q, &r)
	g.watchVisits()
	return k, nil
}

// await waits for the first fetch of keys, if that is still under way, unless the token is refused whatever they are.
func (f *foreign) await(ctx context.Context, token jose.Token, now time.Time) error {
	if f.keys.Keys() != nil {
		return nil
	}
	if _, err := f.trust.Verify(nil, token, now); !errors.Is(err, issuer.ErrNoKeys) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, firstKeys)
	defer cancel()
	select {
	case <-f.keys.Tried():
	case <-ctx.Done():
	}
	return nil
}

// failed returns what the Guard says where a token was not taken.
func (f *foreign) failed(err error) error {
	if refused, is := errors.AsType[*issuer.RefusedError](err); is {
		if refused.Newer {
			f.keys.Ask()
		}
		return &core.Error{Kind: core.KindUnauthenticated, Code: "invalid_token", Detail: "the token of issuer " + f.Name + " is not valid: " + refused.Why}
	}
	f.keys.Ask()
	if errors.Is(err, issuer.ErrNewerKey) {
		return errNewerKey
	}
	return fmt.Errorf("guard: issuer %s: %w: %w", f.Name, errIssuerAway, err)
}

// identity returns who a token stands for.
func (o *outside) identity(p *issuer.Proven, now time.Time) (core.Identity, error) {
	for _, must := range o.must {
		if !must.met(p.Claims) {
			return core.Identity{}, &issuer.RefusedError{Why: "a claim that is asked for is missing or has another value"}
		}
	}
	id, ok := o.userID(p.Claims)
	if !ok {
		return core.Identity{}, &issuer.RefusedError{Why: "it does not say, in a way that can be told, whose it is"}
	}
	who := core.Identity{
		Realm: core.RealmID(o.Name), User: id, Type: o.UserType,
		Username: o.claims["username"].text(p.Claims), Name: o.claims["name"].text(p.Claims),
		FirstName: o.claims["first_name"].text(p.Claims), LastName: o.claims["last_name"].text(p.Claims),
		ArbitraryID: o.claims["arbitrary_id"].text(p.Claims), Reference: o.claims["reference"].text(p.Claims),
		MFA: o.usedMFA(p.Claims), SignedInAt: o.signedInAt(p.Claims, now), ExpiresAt: p.Expires,
	}
	who.Email, who.EmailVerified = o.email(p.Claims)
	if again := now.Add(foreignAgain); again.Before(who.ExpiresAt) {
		who.ExpiresAt = again
	}
	if permissions := o.claims["permissions"].texts(p.Claims); len(permissions) > 0 {
		who.Orgs = []core.OrgAccess{{Permissions: permissions}}
	}
	for name, path := range o.custom {
		if claims, last, ok := path.in(p.Claims); ok {
			if raw, ok := claims.Raw(last); ok {
				if who.Custom == nil {
					who.Custom = core.Custom{}
				}
				who.Custom[name] = raw
			}
		}
	}
	return who, nil
}

// idSeparator stands between an issuer's name and what it calls a user.
const idSeparator = ":"

// userID returns the id of who a token stands for, which is never like one of our own, or of another issuer, whatever cases and compatible
// characters an application takes for equal.
func (o *outside) userID(claims jose.Claims) (core.UserID, bool) {
	text := o.claims["id"].text(claims)
	if !sendable(text) || len(text) > maxForeignID {
		return "", false
	}
	if !o.Unprefixed {
		return core.UserID(o.Name + idSeparator + text), true
	}
	folded := foldText(text)
	return core.UserID(text), !slices.ContainsFunc(o.others, func(begin string) bool { return strings.HasPrefix(folded, begin) })
}

// email returns the e-mail address that may be told, and whether it is verified. Some issuers write truth as a text.
func (o *outside) email(claims jose.Claims) (address string, verified bool) {
	address = o.claims["email"].text(claims)
	if address == "" {
		return "", false
	}
	verified = o.Emails == EmailsTrusted
	if inner, name, ok := o.claims["email_verified"].in(claims); ok && !verified {
		raw, _ := inner.Raw(name)
		verified = string(raw) == "true" || string(raw) == `"true"`
	}
	if !verified && o.Emails != EmailsAll {
		return "", false
	}
	return address, verified
}

// usedMFA reports whether the sign-in took a second factor.
func (o *outside) usedMFA(claims jose.Claims) bool {
	methods, _ := claims.Strings("amr")
	class, _ := claims.String("acr")
	return slices.ContainsFunc(methods, func(m string) bool { return slices.Contains(o.MFAMethods, m) }) || class != "" && slices.Contains(o.MFAClasses, class)
}

// signedInAt returns when the user signed in; zero where that is not said, or lies ahead.
func (o *outside) signedInAt(claims jose.Claims, now time.Time) time.Time {
	inner, name, ok := o.claims["signed_in_at"].in(claims)
	if !ok {
		return time.Time{}
	}
	at, ok := inner.Seconds(name)
	if !ok || at <= 0 || at > now.Add(time.Duration(*o.Skew)).Unix() {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

// met reports whether claims have what is asked for.
func (r requirement) met(claims jose.Claims) bool {
	inner, name, ok := r.path.in(claims)
	if !ok {
		return false
	}
	values, isText := inner.Strings(name)
	if raw, there := inner.Raw(name); there && !isText {
		values = []string{string(raw)} // a number or a truth, by how it is written
	}
	return slices.ContainsFunc(values, func(v string) bool { return slices.Contains(r.values, v) })
}

// text returns a claim that is a text, or a whole number as one; "" where there is none.
func (p claimPath) text(claims jose.Claims) string {
	inner, name, ok := p.in(claims)
	if !ok {
		return ""
	}
	if text, ok := inner.String(name); ok {
		return text
	}
	if n, ok := inner.Int(name); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// texts returns a claim that is a list of texts, or one text of several with spaces between (RFC 6749 §3.3).
func (p claimPath) texts(claims jose.Claims) []string {
	inner, name, ok := p.in(claims)
	if !ok {
		return nil
	}
	if text, ok := inner.String(name); ok {
		return strings.Fields(text)
	}
	list, _ := inner.Strings(name)
	return slices.DeleteFunc(list, func(text string) bool { return text == "" })
}
