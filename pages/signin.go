package pages

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// signInForm is what the page to sign in shows.
type signInForm struct {
	Username string
	ReturnTo string
	Needs    string // what kind of sign-in it takes: needsMFA, or "" for any
	Problem  string // what was wrong with the last try
	Notice   string // what happened before

	Forgot, SignUp string // where to go instead; "" = nowhere
}

// What a guard adds to the address of the page where a sign-in that is there does not do (RFC 9470 has these words).
const (
	needs    = "acr_values"
	needsMFA = "mfa"
	maxAge   = "max_age"
)

// kept stands in the address that a browser is sent to after a sign-in, to see whether it kept the cookie. One that did not would be
// sent from page to page without a word.
const kept = "kept"

// needOf returns what kind of sign-in the value of acr_values asks for, as far as there is such a kind.
func needOf(text string) string {
	if slices.Contains(strings.Fields(text), needsMFA) {
		return needsMFA
	}
	return ""
}

// content is the form of the page to sign in, which posts to action.
func (f signInForm) content(action string) g.Node {
	return g.Group{
		g.If(f.Notice != "", h.P(h.Class("notice"), h.Role("status"), g.Text(f.Notice))),
		problem(f.Problem),
		h.Form(h.Method("post"), h.Action(action),
			returnTo(f.ReturnTo),
			g.If(f.Needs != "", hidden(needs, f.Needs)),
			h.Label(h.For("username"), g.Text("Username or e-mail address")),
			h.Input(h.ID("username"), h.Name("username"), h.Value(f.Username), h.AutoComplete("username"), asTyped(), h.MaxLength("255"),
				h.Required(), g.If(f.Username == "", h.AutoFocus()), aboutProblem(f.Problem)),
			h.Label(h.For("password"), g.Text("Password")),
			h.Input(h.ID("password"), h.Name("password"), h.Type("password"), h.AutoComplete("current-password"), h.MaxLength("1024"),
				h.Required(), g.If(f.Username != "", h.AutoFocus()), aboutProblem(f.Problem)),
			h.Button(g.Text("Sign in")),
		),
		link(f.Forgot, "Forgot your password?"),
		link(f.SignUp, "No account yet? Sign up"),
	}
}

// link is a line that leads elsewhere, where there is somewhere to go.
func link(to, text string) g.Node { return g.If(to != "", h.P(h.A(h.Href(to), g.Text(text)))) }

// askSignIn answers with the page to sign in.
func (p *Pages) askSignIn(w http.ResponseWriter, r *http.Request, status int, form signInForm) {
	form.Forgot, form.SignUp = p.o.Forgot, p.o.SignUp
	p.render(w, r, status, "Sign in", form.content(p.SignInPath()))
}

// showSignIn serves GET /sign-in.
func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request) {
	form := signInForm{ReturnTo: p.returnTo(r), Needs: needOf(r.FormValue(needs))}
	if r.FormValue(kept) != "" && p.showsSession(r) {
		p.goOn(w, r, form.ReturnTo)
		return
	}
	switch {
	case r.FormValue(kept) != "":
		form.Problem = "Your browser did not keep the cookie that signing in takes. Allow cookies for this site. If its address begins with http://, try https://."
	case r.FormValue("signed_out") != "":
		form.Notice = "You are signed out."
	case form.Needs == needsMFA:
		form.Notice = "What you asked for takes a sign-in with a second factor."
	case r.FormValue(maxAge) != "":
		form.Notice = "What you asked for takes a sign-in of a moment ago. Sign in once more."
	}
	p.askSignIn(w, r, http.StatusOK, form)
}

// signIn serves POST /sign-in: a name and a password for a session.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.say(w, r, http.StatusBadRequest, "This form could not be read", "Go back and try again.")
		return
	}
	form := signInForm{Username: r.PostForm.Get("username"), ReturnTo: p.returnTo(r), Needs: needOf(r.PostForm.Get(needs))}
	realm, err := p.realm(r.Context())
	if err == nil {
		var in *core.SignedIn
		if in, err = p.o.Passwords.Authenticate(r.Context(), realm, form.Username, r.PostForm.Get("password"), p.requestOf(r)); err == nil {
			if in.Session == nil {
				p.askCode(w, r, http.StatusOK, codeForm{Token: in.LoginToken, ReturnTo: form.ReturnTo})
				return
			}
			if form.Needs == needsMFA { // to go on would lead back here
				p.remember(w, r, in)
				p.say(w, r, http.StatusForbidden, "A second factor is needed", "You are signed in, but your account has no second factor yet, "+
					"which what you asked for takes. Ask whoever runs this service.")
				return
			}
			p.welcome(w, r, in, form.ReturnTo)
			return
		}
	}
	status, problem := p.explain(w, r, err, "The name or the password is not right.")
	form.Problem = problem
	p.askSignIn(w, r, status, form)
}

// welcome gives a browser its session, and sends it on by way of the page to sign in, which sees whether the cookie came back. Every browser
// sends Origin with a form. What sends none is a program, and knows what to do with a cookie.
func (p *Pages) welcome(w http.ResponseWriter, r *http.Request, in *core.SignedIn, to string) {
	p.remember(w, r, in)
	if r.Header.Get("Origin") != "" {
		to = p.SignInPath() + "?" + url.Values{kept: {"1"}, "return_to": {to}}.Encode()
	}
	sendOn(w, to)
}

// goOn answers with a page that has the browser go on by itself. A redirect will not do: browsers hold all that the answer to a form leads to,
// redirect by redirect, to form-action, and from there on an app may send people wherever it likes. A link elsewhere may lead here as well, without
// any form; then a redirect does, after which the app still hears that another site has sent the person, as it would not if our page did.
func (p *Pages) goOn(w http.ResponseWriter, r *http.Request, to string) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		sendOn(w, to)
		return
	}
	w.Header().Set("Refresh", "0; url="+to) // returnTo has checked it, and nothing in it ends an address there
	p.render(w, r, http.StatusOK, "You are signed in", h.P(h.A(h.Href(to), g.Text("Go on"))))
}

// showsSession reports whether a request brings a session cookie, whatever it is worth.
func (p *Pages) showsSession(r *http.Request) bool {
	return len(r.CookiesNamed(p.o.Cookies.NoSessionCookie().Name)) > 0
}

// sendOn sends a browser on. http.Redirect would clean the address, and /proxy/https://example.com is another page than /proxy/https:/example.com.
func sendOn(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// remember gives a browser its session, and what it is known by the next time, so that the guesses of strangers do not keep its
// owner out. What it was signed in as before ends: its cookie is gone with this answer, and with that the means to end it from here. Whoever
// has a copy of it must not go on. Where somebody else may have signed in before, the browser forgets the app's pages too, which it would show
// to this one as theirs, whether the other signed out or the session just ended.
func (p *Pages) remember(w http.ResponseWriter, r *http.Request, in *core.SignedIn) {
	if err := p.endSession(r); err != nil {
		p.o.Logger.Warn("a session that another sign-in replaced could not be ended", zap.Error(err))
	}
	if !in.Known {
		forgetPages(w, r)
	}
	until := p.o.Now().Add(in.Session.Lifetime.Duration())
	if in.Session.Until.Before(until) {
		until = in.Session.Until.Time
	}
	http.SetCookie(w, p.o.Cookies.SessionCookie(in.Token, until))
	http.SetCookie(w, p.o.Cookies.DeviceCookie(in.Device, p.o.Now().Add(core.DeviceLifetime)))
}

// explain returns the status of a failed try, and what to tell the person. What says whether a user is there is told as
// wrong, whoever it is.
func (p *Pages) explain(w http.ResponseWriter, r *http.Request, err error, wrong string) (int, string) {
	e, ok := errors.AsType[*core.Error](err)
	if !ok {
		e = core.ErrInternal
	}
	switch e.Kind {
	case core.KindUnauthenticated, core.KindNotFound, core.KindForbidden, core.KindInvalid:
		if e.Code == core.ErrRealmNotFound.Code {
			break
		}
		return http.StatusUnauthorized, wrong
	case core.KindThrottled:
		wait := setRetryAfter(w.Header(), e.RetryAfter)
		return http.StatusTooManyRequests, "There were too many tries. Wait " + wait + ", then try again."
	case core.KindUnavailable:
		setRetryAfter(w.Header(), e.RetryAfter)
		p.outages.Warn("pages cannot be served", zap.String("request_id", failure.IDOf(r)), zap.Error(err))
		return http.StatusServiceUnavailable, "This cannot be checked right now. Try again in a moment."
	}
	p.o.Logger.Error("page failed", zap.String("request_id", failure.IDOf(r)), zap.Error(err))
	return http.StatusInternalServerError, "Something went wrong on our side. Try again in a moment."
}

// setRetryAfter says when to try again, and returns it in words.
func setRetryAfter(h http.Header, wait time.Duration) string {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	h.Set("Retry-After", strconv.Itoa(seconds))
	switch {
	case seconds == 1:
		return "a second"
	case seconds < 90:
		return fmt.Sprintf("%d seconds", seconds)
	case seconds < 90*60:
		return fmt.Sprintf("%d minutes", (seconds+59)/60)
	}
	return fmt.Sprintf("%d hours", (seconds+3599)/3600)
}
