package guard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/failure"
)

// maxReturn bounds where to return to after signing in, in bytes.
const maxReturn = 2 << 10

// parseLogin reads Settings.LoginURL.
func parseLogin(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || !isLogin(text, u) {
		return nil, errors.New("login_url must be a path like /auth/login, or an address like https://login.example.com/")
	}
	return u, nil
}

// isLogin reports whether a text, which u is read from, is a path of this site, or an address elsewhere.
func isLogin(text string, u *url.URL) bool {
	if u.Host == "" {
		_, ok := SafeReturn(text)
		return ok
	}
	_, ok := parseOrigin(u.Scheme + "://" + u.Host)
	return ok && u.User == nil && u.Fragment == ""
}

// SafeReturn returns where to go after signing in, as an address that no browser takes for another site's, or false
// where text is none: neither a path of this site, nor an address of one of the origins, such as https://app.example.com.
// Browsers read a backslash as a slash, and ignore tabs and line ends (WHATWG URL §4.4), so what holds such is refused.
// What is beyond ASCII is escaped, as browsers do: a link may have been written as people read it, /über-uns.
func SafeReturn(text string, origins ...string) (string, bool) {
	text = escapeBeyondASCII(text)
	if text == "" || len(text) > maxReturn || strings.HasPrefix(text, "//") { // however many slashes, a host follows them
		return "", false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", false
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil {
		return "", false
	}
	path := u.EscapedPath()
	if path != "" && (strings.HasPrefix(path, "//") || hasDotSegment(path)) {
		return "", false
	}
	if text[0] == '/' && u.Scheme == "" && u.Host == "" {
		return text, true
	}
	o, ok := parseOrigin(u.Scheme + "://" + u.Host)
	if !ok || !strings.HasPrefix(text, u.Scheme+"://"+u.Host) {
		return "", false
	}
	for _, allowed := range origins {
		if own, ok := parseOrigin(allowed); ok && own == o {
			return text, true
		}
	}
	return "", false
}

// escapeBeyondASCII escapes the letters of an address that are not ASCII. What is no text in UTF-8 stays, for SafeReturn to refuse.
func escapeBeyondASCII(text string) string {
	if len(text) > maxReturn || !utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if text[i] < utf8.RuneSelf {
			b.WriteByte(text[i])
		} else {
			b.WriteString(url.PathEscape(text[i : i+1]))
		}
	}
	return b.String()
}

// hasDotSegment reports whether an escaped path has a segment that is . or .., which would be resolved once more.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

// signInAddress returns where a browser signs in that navigates and was refused, with the way back and what kind of sign-in it
// takes. It reports false where it should stay here: nobody said where to sign in, it is there already, it sends a form,
// which would be lost, or it is in a frame, where no page to sign in of this origin lets itself be shown.
func (g *Guard) signInAddress(r *http.Request, why *Refusal) (string, bool) {
	if why.Status != http.StatusUnauthorized || !getsPage(r) || !failure.IsNavigation(r) || !g.mayLogIn(r) || isFramed(r) && !g.loginIsElsewhere(r) {
		return "", false
	}
	return g.loginAddress(r, why), true
}

// getsPage reports whether r asks for a page, and sends no form.
func getsPage(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// isFramed reports whether a browser says that r is for a part of a page (Fetch Metadata, "Sec-Fetch-Dest").
func isFramed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object":
		return true
	}
	return false
}

// mayLogIn reports whether somebody said where to sign in, and r is not there already.
func (g *Guard) mayLogIn(r *http.Request) bool {
	return g.c.login != nil && (g.loginIsElsewhere(r) || r.URL.Path != g.c.login.Path)
}

// loginIsElsewhere reports whether people sign in at another origin than r was sent to.
func (g *Guard) loginIsElsewhere(r *http.Request) bool {
	login := g.c.login
	return login.Host != "" && newOrigin(login.Scheme, login.Host) != g.c.ownOrigin(r)
}

// loginAddress returns where to sign in, with the way back: from a form to the front page, for where it was sent there may be no page.
func (g *Guard) loginAddress(r *http.Request, why *Refusal) string {
	login := g.c.login
	back := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	from := back.String()
	if _, ok := SafeReturn(from); !ok || !getsPage(r) {
		from = "/"
	}
	if g.loginIsElsewhere(r) {
		from = g.c.ownOrigin(r).String() + from
	}
	to := *login
	query := g.c.ReturnParam + "=" + url.QueryEscape(from)
	for _, more := range []string{why.stepUp, login.RawQuery} {
		if more != "" {
			query = more + "&" + query
		}
	}
	to.RawQuery = query
	return to.String()
}
