package sidecar

import (
	"context"
	"net/url"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
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
		return g.Explain(ctx, method, address, credential)
	})
}

// explain answers Explain.
func (s *Sidecar) explain(ctx context.Context, arguments url.Values) (string, error) {
	g := s.front.begin()
	defer g.requests.Done()
	return g.guard.Explain(ctx, arguments.Get("method"), arguments.Get("address"), arguments.Get("credential"))
}
