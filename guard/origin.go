package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/failure"
)

// refuseCrossSite is for requests that another site's page may have made with the user's cookie.
var refuseCrossSite = Refusal{Status: http.StatusForbidden, Reason: "cross_site_request",
	Detail: "This request may come from a page of another site. Send it from a page of this one, or with a token as Authorization: Bearer."}

// origin is the scheme and host of a page (RFC 6454 §4), in lower case, with a default port left out.
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

// parseOrigin reads an origin, as browsers write it. It reports false for anything else.
func parseOrigin(text string) (origin, bool) {
	scheme, host, ok := strings.Cut(text, "://")
	if !ok || (scheme != "https" && scheme != "http") || host == "" || len(text) > 300 {
		return origin{}, false
	}
	u, err := url.Parse(text)
	if err != nil || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "@\\%*") {
		return origin{}, false
	}
	return newOrigin(scheme, host), true
}

// newOrigin returns an origin in its one spelling.
func newOrigin(scheme, host string) origin {
	host = strings.ToLower(host)
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return origin{scheme, host}
}

// parseOrigins reads Settings.Origins, and returns all complaints at once. A host must be spelled as browsers do, or no page would ever be of it.
func parseOrigins(texts []string) ([]origin, error) {
	var all []origin
	var errs []error
	for _, text := range texts {
		o, ok := parseOrigin(text)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("origins: %q is no origin like https://app.example.com", text))
		case escapeBeyondASCII(text) != text:
			errs = append(errs, fmt.Errorf("origins: %q must be written as browsers send it, in the form https://xn--bcher-kva.example", text))
		}
		all = append(all, o)
	}
	return all, errors.Join(errs...)
}

// ownOrigin returns the origin that r was sent to. Where TLS ends before us, only the settings know its scheme.
func (c *compiled) ownOrigin(r *http.Request) origin {
	host := c.host(r)
	if c.secure(r) {
		return newOrigin("https", host)
	}
	for _, o := range c.origins {
		if o == newOrigin(o.scheme, host) {
			return o
		}
	}
	return newOrigin("http", host)
}

// isOwn reports whether a page of o belongs to the application. Where no origins are configured and TLS ends before
// us, the scheme cannot be known, and the host decides.
func (c *compiled) isOwn(o origin, r *http.Request) bool {
	for _, own := range c.origins {
		if o == own {
			return true
		}
	}
	if len(c.origins) == 0 && !c.secure(r) {
		return o == newOrigin(o.scheme, c.host(r))
	}
	return o == c.ownOrigin(r)
}

// isOwnPage reports whether a page of the application is at an address.
func (c *compiled) isOwnPage(address string, r *http.Request) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	o, ok := parseOrigin(u.Scheme + "://" + u.Host)
	return ok && c.isOwn(o, r)
}

// provesOrigin reports whether r, which a browser sent with a cookie, changes nothing or comes from a page of the
// application: Sec-Fetch-Site says so or, in browsers that do not send that, Origin; and Referer too, where a service worker has passed a form on in
// its own name. A handshake counts as a change, because any page may open a WebSocket to any site.
func (c *compiled) provesOrigin(r *http.Request) bool {
	if isSafe(r) {
		return true
	}
	sites, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(sites) > 1 || len(origins) > 1 {
		return false
	}
	if len(sites) == 1 && (sites[0] == "same-origin" || sites[0] == "none") {
		page, relayed := failure.Relayed(r)
		return !relayed || c.isOwnPage(page, r)
	}
	if len(origins) == 0 {
		return false
	}
	o, ok := parseOrigin(origins[0])
	if !ok {
		return false
	}
	if len(sites) == 1 { // the browser says that it is another origin; it may be one of ours
		for _, own := range c.origins {
			if o == own {
				return true
			}
		}
		return false
	}
	return c.isOwn(o, r)
}
