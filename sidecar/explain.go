package sidecar

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/pages"
)

// commandExplain is the command that Explain gives a running server.
const commandExplain = "explain"

// Explain says in sentences what would become of a request, and why: see guard.Guard.Explain. A server that runs over the
// embedded store answers by the settings that it runs with; over Redis, or where none runs, o's settings are judged by.
func Explain(ctx context.Context, o Options, method, address, credential string) (string, error) {
	arguments := url.Values{"method": {method}, "address": {address}, "credential": {credential}}
	return o.CommandData().Command(ctx, commandExplain, arguments, func(c *core.Core) (string, error) {
		settings := o.guard()
		settings.Realms, settings.Resolver, settings.Keys, settings.Asserter = c.Realms, c.Sessions, c.APIKeys, c.Realms
		settings.Feed, settings.Now = guard.FeedOf(c.Feed), c.Now
		g, err := guard.New(settings)
		if err != nil {
			return "", err
		}
		defer g.Close()
		return o.explain(ctx, g, method, address, credential)
	})
}

// explain says what becomes of a request, of which the guard may see nothing.
func (o *Options) explain(ctx context.Context, g *guard.Guard, method, address, credential string) (string, error) {
	r, err := guard.RequestTo(ctx, method, address)
	if err != nil {
		return "", err
	}
	if first := o.answersFirst(r); first != "" {
		return fmt.Sprintf("%s %s: %s\n", r.Method, r.URL.EscapedPath(), first), nil
	}
	said, err := g.Explain(ctx, method, address, credential)
	if up, bad := parseUpstream(o.Upstream, ""); err == nil && bad == nil && up.hasPath() && !guard.IsPlain(r.URL) {
		said = strings.TrimRight(said, "\n") + "\nWhoever the guard lets in gets 400 ambiguous_path: the path may lead out of that of the upstream."
	}
	return said, err
}

// answersFirst says who answers a request before the guard is asked, or "".
func (o *Options) answersFirst(r *http.Request) string {
	switch mount := cmp.Or(o.Pages, pages.DefaultMount); {
	case r.Method == http.MethodConnect:
		return "refused, 405: this is no proxy to elsewhere."
	case mount != off && pages.IsUnder(mount, r):
		return "the hosted pages answer."
	case o.APIMount != "" && inMount(o.APIMount, r):
		return "the API answers, which authenticates its callers itself."
	}
	return ""
}

// explain answers Explain.
func (s *Sidecar) explain(ctx context.Context, arguments url.Values) (string, error) {
	g := s.front.begin()
	defer g.requests.Done()
	return g.options.explain(ctx, g.guard, arguments.Get("method"), arguments.Get("address"), arguments.Get("credential"))
}
