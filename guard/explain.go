package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// Explain says in sentences what would become of a request for an address, with a session token or an API key or "" for none,
// and why: which rules decide, who it is, and what is missing. It is for those who run a Guard, who may know all of this.
func (g *Guard) Explain(ctx context.Context, method, address, credential string) (string, error) {
	r, err := RequestTo(ctx, method, address)
	if err != nil {
		return "", err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin") // a cookie is shown as a page of the application would
	g.show(r, credential)
	var v Verdict
	g.judge(r, false, &v)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", r.Method, r.URL.EscapedPath(), v.Decision)
	if v.Decision != Allow {
		fmt.Fprintf(&b, ", %d %s. %s", v.Refusal.Status, v.Refusal.Reason, v.Refusal.Detail)
	}
	fmt.Fprintf(&b, "\n%s\n%s\n%s%s", g.c.explainRules(r), explainWho(v), g.explainToken(credential, &v), g.explainRealm(ctx))
	return b.String(), nil
}

// explainRealm says what keeps everybody out who shows a credential of the realm: that the realm cannot be had. "" where it can.
func (g *Guard) explainRealm(ctx context.Context) string {
	who := "every credential"
	if len(g.c.issuers) > 0 && g.c.Assertion == "" { // which the realm signs
		who += " but those of issuers elsewhere"
	}
	switch _, err := g.atHome(ctx); {
	case err == nil:
		return ""
	case errors.Is(err, core.ErrRealmNotFound):
		return fmt.Sprintf("There is no realm %q, by id or by name, so that %s gets 503.\n", g.c.Realm, who)
	default:
		return fmt.Sprintf("The realm cannot be read, so that %s gets 503: %v.\n", who, err)
	}
}

// RequestTo returns the request that a client makes for an address, which may be a path alone. It fails, in a sentence, where none
// can be made.
func RequestTo(ctx context.Context, method, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), "/", nil)
	if err != nil {
		return nil, fmt.Errorf("this is no request: %w", err)
	}
	sent, _, _ := strings.Cut(address, "#")
	parse := url.Parse
	if strings.HasPrefix(sent, "/") { // what begins with // is a path too, and names no host: as servers read it
		parse = url.ParseRequestURI
	}
	if r.URL, err = parse(sent); err != nil {
		return nil, fmt.Errorf("this is no request: %w", err)
	}
	if r.URL.Host == "" && !strings.HasPrefix(r.URL.Path, "/") {
		return nil, fmt.Errorf("this is no request: %q must be a path like /page, or an address like https://app.example.com/page", address)
	}
	r.Host, r.URL.Path = r.URL.Host, cmp.Or(r.URL.Path, "/") // as every client asks
	return r, nil
}

// LooksFor returns where Explain shows a credential; "" where there is none to show.
func (g *Guard) LooksFor(credential string) Source {
	isToken := strings.Count(credential, ".") == 2
	switch {
	case credential == "":
		return ""
	case g.c.sources.key && (!isToken || !g.c.sources.bearer && !g.c.sources.cookie):
		return SourceAPIKey
	case g.c.sources.bearer:
		return SourceBearer
	}
	return SourceCookie
}

// show puts a credential where the guard looks for one of its kind.
func (g *Guard) show(r *http.Request, credential string) {
	switch g.LooksFor(credential) {
	case SourceAPIKey:
		r.Header.Set(g.c.APIKeyHeader, credential)
	case SourceBearer:
		r.Header.Set("Authorization", "Bearer "+credential)
	case SourceCookie:
		r.AddCookie(g.SessionCookie(credential, g.now()))
	}
}

// explainRules says which rules decide about r.
func (c *compiled) explainRules(r *http.Request) string {
	d, why := c.demands(r)
	if IsTunnel(r) {
		why = &refuseTunnel
	}
	switch why {
	case nil:
	case &refuseTrace, &refuseTunnel:
		return "No rule decides: the method is refused everywhere."
	default:
		if d.full {
			return fmt.Sprintf("No rule decides: there are more than %d for what an app may take the path for, of which one is %s. Join some.", maxDemands, d.rules[0].explain())
		}
		return fmt.Sprintf("No rule decides: the path can be read in more than one way, since it has %s.", oddIn(r.URL))
	}
	text := "Decided by " + d.rules[0].explain()
	if d.rules[1] != nil {
		text += " for the path as it is spelled"
		for _, r := range d.rules[1:] {
			if r != nil {
				text += ", and by " + r.explain()
			}
		}
		text += " for an app that minds neither case, a slash at the end, an ending such as .json, what follows a file, what is encoded, nor the method; all of that must be satisfied"
	}
	if text += "."; d.public {
		text += " Anybody may pass."
	} else if d.optional {
		text += " Anybody may pass, unless it cannot be known who it is."
	}
	return text
}

// explain says which rule r is, and what it asks for in the words of the settings.
func (r *rule) explain() string {
	text, err := json.Marshal(r.set)
	if err != nil || string(text) == "{}" {
		return r.name
	}
	return r.name + ", " + string(text)
}

// explainWho says whom a verdict is about.
func explainWho(v Verdict) string {
	if v.known == "" {
		return "It comes from nobody who is known."
	}
	id := v.known.identity()
	who := &id
	about := []string{string(who.Type)}
	if from := v.issuer(); from != nil {
		about[0] = "vouched for by the issuer " + from.Name
	}
	if who.Username != "" {
		about = append(about, who.Username)
	}
	text := fmt.Sprintf("It comes from %s (%s), shown as %s; permissions [%s], orgs [%s], e-mail verified %t, second factor %t",
		who.User, strings.Join(about, ", "), v.source, permissions(who), orgs(who), who.EmailVerified, who.MFA)
	if at := signedInAt(who); at != "" {
		text += ", signed in at " + at
	}
	text += "."
	if v.Refusal.Reason == refusePermission.Reason {
		for _, r := range v.rules {
			if r.asks() {
				text += r.policy.explainLack(who)
			}
		}
	}
	return text
}

// explainLack says which permissions who lacks, "" where it is none.
func (p *policy) explainLack(who *core.Identity) string {
	where := ""
	if p.Org != "" {
		where = " in " + string(p.Org)
	}
	had := func(name string) bool { return p.has(who, name) }
	switch missing := slices.DeleteFunc(slices.Clone(p.Require), had); {
	case len(missing) > 0:
		return fmt.Sprintf(" It lacks [%s]%s.", strings.Join(missing, ","), where)
	case len(p.RequireAny) > 0 && !slices.ContainsFunc(p.RequireAny, had):
		return fmt.Sprintf(" It has none of [%s]%s.", strings.Join(p.RequireAny, ","), where)
	}
	return ""
}
