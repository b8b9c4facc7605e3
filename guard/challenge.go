package guard

import (
	"net/http"
	"strings"
)

// challengeKey asks for an API key where nothing else is taken.
const challengeKey = `ApiKey realm="postern"`

// challengeBasic is what programs wait for that know nothing but Basic, such as git and wget, before they show their password (RFC 7617 §2).
const challengeBasic = `Basic realm="postern", charset="UTF-8"`

// challenge has a refusal of r's credential, or for want of one, ask for what this guard takes.
func (c *compiled) challenge(r *http.Request, why *Refusal) {
	if why.Status != http.StatusUnauthorized {
		return
	}
	if why.Reason == refuseAnonymous.Reason {
		why.Detail = c.wanted
	}
	if !c.sources.key {
		return
	}
	if !c.sources.bearer && !c.sources.cookie {
		why.Challenge = challengeKey
	}
	if !mayBeBrowser(r) {
		why.Challenge += ", " + challengeBasic
	}
}

// wanted says to whoever shows nothing what to show.
func (s sourceSet) wanted(cookie, keyHeader string) string {
	text := "This needs a signed-in user. Sign in"
	switch {
	case !s.bearer && !s.cookie:
		return "This needs an API key. Send it in the header " + keyHeader + ", or as the password of the user api."
	case s.bearer:
		text += ", and send the session token as Authorization: Bearer"
	default:
		text += " with a browser, which then sends the cookie " + cookie
	}
	if s.key {
		text += ", or send an API key in the header " + keyHeader + " or as the password of the user api"
	}
	return text + "."
}

// mayBeBrowser reports whether r may come from a browser, which would ask whoever sits before it for a password, remember that, and go on
// showing it whoever has it do so: a key needs no proof of origin, as a cookie does.
func mayBeBrowser(r *http.Request) bool {
	agent := r.Header.Get("User-Agent")
	return agent == "" || strings.HasPrefix(agent, "Mozilla/") || strings.HasPrefix(agent, "Opera/") || r.Header["Origin"] != nil || r.Header["Sec-Fetch-Mode"] != nil
}
