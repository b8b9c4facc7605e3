package caddymodule

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/pages"
)

// explain says which guards a request for an address meets on its way through the sites, and what each makes of it. It follows
// matchers and rewrites up to where one of Caddy's usual handlers answers, and asks no other handler.
func explain(ctx context.Context, sites *caddyhttp.App, method, address, credential string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(cmp.Or(method, http.MethodGet)), address, nil)
	if err != nil {
		return "", fmt.Errorf("this is no request: %w", err)
	}
	if r.Host == "" {
		return "", errors.New("the url must look like https://app.example.com/page")
	}
	r.URL.Path = cmp.Or(r.URL.Path, "/") // as every client asks
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	server := serverOf(sites, r)
	if server == nil {
		return "", fmt.Errorf("no site listens where %s leads to", address)
	}
	t := &traveller{r: caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nowhere{}, server), server: server, credential: credential}
	if _, err := t.walk(server.Routes); err != nil {
		return "", err
	}
	if len(t.said) == 0 {
		return fmt.Sprintf("%s %s: no guard stands in the way%s.\n", r.Method, address, t.answered), nil
	}
	if len(t.places) > 1 {
		t.said = append(t.said, fmt.Sprintf("These guards were asked as if the credential were shown where each looks for it: as %s. A request has to show it where all of them look, or in all of these places.\n", joined(t.places)))
	}
	return strings.Join(t.said, "\n"), nil
}

// serverOf returns the server that a request comes to by its port.
func serverOf(sites *caddyhttp.App, r *http.Request) *caddyhttp.Server {
	port := cmp.Or(r.URL.Port(), map[string]string{"http": "80", "https": "443"}[r.URL.Scheme])
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	for _, s := range sites.Servers {
		for _, listen := range s.Listen {
			a, err := caddy.ParseNetworkAddress(listen)
			if err == nil && a.StartPort <= uint(number) && uint(number) <= a.EndPort && !a.IsUnixNetwork() {
				return s
			}
		}
	}
	return nil
}

// traveller is a request on its way through the routes of a server.
type traveller struct {
	r          *http.Request
	server     *caddyhttp.Server
	credential string
	said       []string       // by each guard that it met
	places     []guard.Source // where guards were shown the credential, each once
	answered   string         // of which handler, where one answered
}

// joined returns places as text.
func joined(places []guard.Source) string {
	texts := make([]string, len(places))
	for i, place := range places {
		texts[i] = string(place)
	}
	return strings.Join(texts, " and as ")
}

// walk takes the request through routes. It reports whether its way ended there.
func (t *traveller) walk(routes caddyhttp.RouteList) (ended bool, err error) {
	groups := map[string]bool{}
	for _, route := range routes {
		if route.Group != "" && groups[route.Group] {
			continue
		}
		if matches, err := route.MatcherSets.AnyMatchWithError(t.r); err != nil {
			return false, err
		} else if !matches {
			continue
		}
		groups[route.Group] = true
		for _, h := range route.Handlers {
			if ended, err := t.meet(h); ended || err != nil {
				return ended, err
			}
		}
		if route.Terminal {
			return true, nil
		}
	}
	return false, nil
}

// meet takes the request to a handler. It reports whether its way ended there.
func (t *traveller) meet(h caddyhttp.MiddlewareHandler) (ended bool, err error) {
	switch h := h.(type) {
	case *caddyhttp.Subroute:
		return t.walk(h.Routes)
	case *caddyhttp.Invoke:
		if route, ok := t.server.NamedRoutes[h.Name]; ok {
			return t.walk(caddyhttp.RouteList{*route})
		}
	case *rewrite.Rewrite:
		h.Rewrite(t.r, replacerOf(t.r))
	case *API:
		if h.serves(t.r) {
			t.said = append(t.said, fmt.Sprintf("%s %s: postern_api answers, which authenticates its callers itself.\n", t.r.Method, t.r.URL.EscapedPath()))
			return true, nil
		}
	case *Pages:
		if pages.IsUnder(h.mount(), t.r) {
			t.said = append(t.said, fmt.Sprintf("%s %s: postern_pages answer.\n", t.r.Method, t.r.URL.EscapedPath()))
			return true, nil
		}
	case *caddyauth.Authentication:
		for _, provider := range h.Providers {
			if p, ok := provider.(*Provider); ok {
				text, err := p.guard.Explain(t.r.Context(), t.r.Method, t.r.URL.String(), t.credential)
				t.said = append(t.said, "As one of the providers of authentication, of which another may know somebody else:\n"+text)
				return false, err
			}
		}
	case *Auth:
		return false, t.ask(h)
	default:
		if name := answerer(h); name != "" {
			t.answered = " of " + name + ", which answers"
			return true, nil
		}
	}
	return false, nil
}

// ask has a guard say what it makes of the request.
func (t *traveller) ask(a *Auth) error {
	text, place, err := a.explain(t.r, t.credential)
	if place != "" && !slices.Contains(t.places, place) {
		t.places = append(t.places, place)
	}
	t.said = append(t.said, text)
	return err
}

// answerer returns what a Caddyfile calls a handler that answers what comes to it, and asks none after it; "" for others.
func answerer(h caddyhttp.MiddlewareHandler) string {
	switch h := h.(type) {
	case *reverseproxy.Handler:
		if len(h.HandleResponse) == 0 { // forward_auth has some, and goes on
			return "reverse_proxy"
		}
	case *fileserver.FileServer:
		if !h.PassThru {
			return "file_server"
		}
	case *caddyhttp.StaticResponse:
		if h.StatusCode != "103" { // early hints, after which it goes on
			return "respond or redir"
		}
	case *caddyhttp.StaticError:
		return "error"
	}
	return ""
}

// explain says what the guard makes of a request, and where it was shown the credential; "" where it looked at none.
func (a *Auth) explain(r *http.Request, credential string) (text string, place guard.Source, err error) {
	public, err := a.public.AnyMatchWithError(r)
	if err != nil {
		return "", "", err
	}
	if len(a.public) > 0 && public && r.Method != http.MethodTrace && r.Method != http.MethodConnect { // which the guard refuses wherever they are for
		if !guard.IsExact(r.URL) {
			return fmt.Sprintf("%s %s: deny, 400 ambiguous_path. It is public by matchers, but its path can be read in more than one way.\n", r.Method, r.URL.EscapedPath()), "", nil
		}
		return fmt.Sprintf("%s %s: allow\nDecided by the matchers of public. Anybody may pass.\n", r.Method, r.URL.EscapedPath()), "", nil
	}
	text, err = a.guard.Explain(r.Context(), r.Method, r.URL.String(), credential)
	return text, a.guard.LooksFor(credential), err
}

// nowhere is where an answer goes that nobody waits for.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
