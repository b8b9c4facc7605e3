package guard

import (
	"net/http"
	"strings"
	"time"
)

// andCookies adds what a Cookie header says under a name (RFC 6265 §4.2.1). Names are compared byte for byte, as browsers do.
func (s shown) andCookies(line, name string) (shown, *Refusal) {
	for line != "" {
		var pair string
		pair, line, _ = strings.Cut(line, ";")
		value, ok := cookieValue(pair, name)
		if !ok {
			continue
		}
		var why *Refusal
		if s, why = s.and(shown{value, SourceCookie}); why != nil {
			return shown{}, why
		}
	}
	return s, nil
}

// cookieValue returns the value of a pair where it has a name. Without an equals sign it is empty.
func cookieValue(pair, name string) (string, bool) {
	key, value, _ := strings.Cut(pair, "=")
	if strings.Trim(key, " \t") != name {
		return "", false
	}
	return strings.Trim(value, " \t"), true
}

// removeCookie removes a cookie. The others stay as they were sent, byte for byte and in order. The header's own slice,
// which may be somebody else's too, is not altered.
func removeCookie(h http.Header, name string) {
	lines := h["Cookie"]
	var kept []string
	for i, line := range lines {
		rest := withoutCookie(line, name)
		if len(rest) != len(line) && kept == nil {
			kept = append(make([]string, 0, len(lines)), lines[:i]...)
		}
		if kept != nil && rest != "" {
			kept = append(kept, rest)
		}
	}
	switch {
	case kept == nil:
	case len(kept) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = kept
	}
}

// withoutCookie returns a Cookie header without the pairs that have a name.
func withoutCookie(line, name string) string {
	if !strings.Contains(line, name) {
		return line
	}
	var kept strings.Builder
	removed := false
	for i, pair := range strings.Split(line, ";") {
		if _, ours := cookieValue(pair, name); ours {
			removed = true
			continue
		}
		if i > 0 && kept.Len() > 0 {
			kept.WriteByte(';')
		} else if removed {
			pair = strings.TrimLeft(pair, " ")
		}
		kept.WriteString(pair)
	}
	if !removed {
		return line
	}
	return kept.String()
}

// SessionCookie returns the cookie that holds a session token until a time, as this guard reads it. A zero time makes one that
// browsers keep until they are closed.
func (g *Guard) SessionCookie(token string, until time.Time) *http.Cookie {
	return &http.Cookie{Name: g.c.Cookie.Name, Value: token, Path: "/", Expires: until,
		Secure: !g.c.Cookie.Insecure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// deviceSuffix makes the name of the device cookie out of that of the session cookie.
const deviceSuffix = "-device"

// DeviceCookie returns the cookie by which a browser keeps what it is known by (core.SignedIn.Device). It opens nothing, and
// like the session cookie it never reaches the application.
func (g *Guard) DeviceCookie(text string, until time.Time) *http.Cookie {
	c := g.SessionCookie(text, until)
	c.Name += deviceSuffix
	return c
}

// NoSessionCookie returns the cookie that makes a browser forget its session token.
func (g *Guard) NoSessionCookie() *http.Cookie {
	c := g.SessionCookie("", time.Time{})
	c.MaxAge = -1
	return c
}
