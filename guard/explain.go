package guard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Explain says in sentences what would become of a request for an address, with a session token or an API key or "" for none,
// and why: which rules decide, who it is, and what is missing. It is for those who run a Guard, who may know all of this.
func (g *Guard) Explain(ctx context.Context, method, address, credential string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), address, nil)
	if err != nil {
		return "", fmt.Errorf("this is no request: %w", err)
	}
	if r.URL.Host == "" && !strings.HasPrefix(r.URL.Path, "/") {
		return "", fmt.Errorf("this is no request: %q must be a path like /page, or an address like https://app.example.com/page", address)
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
	fmt.Fprintf(&b, "\n%s\n%s\n%s", g.c.explainRules(r), explainWho(v), g.explainToken(credential, &v))
	return b.String(), nil
}

// show puts a credential where the guard looks for one of its kind.
func (g *Guard) show(r *http.Request, credential string) {
	isToken := strings.Count(credential, ".") == 2
	switch {
	case credential == "":
	case g.c.sources.key && (!isToken || !g.c.sources.bearer && !g.c.sources.cookie):
		r.Header.Set(g.c.APIKeyHeader, credential)
	case g.c.sources.bearer:
		r.Header.Set("Authorization", "Bearer "+credential)
	default:
		r.AddCookie(g.SessionCookie(credential, g.now()))
	}
}

// explainRules says which rules decide about r.
func (c *compiled) explainRules(r *http.Request) string {
	d, why := c.demands(r)
	switch why {
	case nil:
	case &refuseTrace:
		return "No rule decides: the method is refused everywhere."
	default:
		return "No rule decides: the path can be read in more than one way."
	}
	name := func(i int) string {
		if d.names[i] == "" {
			return "what holds where no rule matches"
		}
		return d.names[i]
	}
	text := "Decided by " + name(0) + "."
	if d.policies[1] != nil {
		text = fmt.Sprintf("Decided by %s for the path as it is spelled, and by %s for an app that minds neither case nor a slash at the end; both must be satisfied.", name(0), name(1))
	}
	if d.public {
		text += " Anybody may pass."
	} else if d.optional {
		text += " Anybody may pass, unless it cannot be known who it is."
	}
	return text
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
	return fmt.Sprintf("It comes from %s (%s), shown as %s; permissions [%s], orgs [%s], e-mail verified %t, second factor %t, signed in at %q.",
		who.User, strings.Join(about, ", "), v.source, permissions(who), orgs(who), who.EmailVerified, who.MFA, signedInAt(who))
}
