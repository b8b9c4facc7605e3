package caddymodule

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"go.uber.org/zap"
)

// warnOfPlainHTTP warns of each address where credentials may cross a network in the clear. Whether a server trusts proxies, which would see to TLS, Caddy
// tells nobody.
func (a *App) warnOfPlainHTTP() {
	app, err := a.ctx.AppIfConfigured("http")
	sites, is := app.(*caddyhttp.App)
	if err != nil || !is {
		return
	}
	for name, s := range sites.Servers {
		if !takesCredentials(s.Routes, s.NamedRoutes) {
			continue
		}
		for _, text := range s.Listen {
			if address, err := caddy.ParseNetworkAddress(text); err == nil && isPlain(sites, s, address) && reachesBeyond(address) {
				a.log.Warn("this address is plain HTTP beyond this machine: unless a proxy with TLS stands in front, tokens can be read on the way, and browsers do not keep the cookie; "+
					"give the site a name, for which Caddy gets a certificate, and no http://",
					zap.String("server", name), zap.String("listen", text))
			}
		}
	}
}

// isPlain reports whether a server speaks no TLS at an address, which goes by the port too (caddyhttp.App.Start).
func isPlain(sites *caddyhttp.App, s *caddyhttp.Server, address caddy.NetworkAddress) bool {
	httpPort := uint(sites.HTTPPort)
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	return len(s.TLSConnPolicies) == 0 || address.StartPort <= httpPort && httpPort <= address.EndPort
}

// reachesBeyond reports whether other machines reach an address that is listened on.
func reachesBeyond(address caddy.NetworkAddress) bool {
	return !address.IsUnixNetwork() && !address.IsFdNetwork() && !isLocal(address.Host)
}

// isLocal reports whether a host is this machine by its name.
func isLocal(host string) bool {
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && at.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// takesCredentials reports whether a guard, pages or the API are among routes that other machines ask for. It follows 'invoke' to named routes once, as those could go round.
func takesCredentials(routes caddyhttp.RouteList, named map[string]*caddyhttp.Route) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool {
		return !isForLocalHosts(route.MatcherSets) && slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool {
			switch h := h.(type) {
			case *Auth, *Pages, *API:
				return true
			case *caddyauth.Authentication:
				for _, provider := range h.Providers {
					if _, ours := provider.(*Provider); ours {
						return true
					}
				}
			case *caddyhttp.Subroute:
				return takesCredentials(h.Routes, named)
			case *caddyhttp.Invoke:
				route, known := named[h.Name]
				return known && takesCredentials(caddyhttp.RouteList{*route}, nil)
			}
			return false
		})
	})
}

// isForLocalHosts reports whether all sets of matchers ask for names of this machine, as of the site http://localhost:8080, which Caddy listens for on every address.
func isForLocalHosts(sets caddyhttp.MatcherSets) bool {
	return len(sets) > 0 && !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		return !slices.ContainsFunc(set, func(m any) bool {
			hosts, is := m.(*caddyhttp.MatchHost)
			return is && len(*hosts) > 0 && !slices.ContainsFunc(*hosts, func(host string) bool { return !isLocal(host) })
		})
	})
}
