package pages

import (
	"errors"
	"net/http"
	"net/url"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// signOutForm is what the page to sign out shows.
type signOutForm struct {
	ReturnTo string
	Problem  string
}

// content is the form of the page to sign out, which posts to action.
func (f signOutForm) content(action string) g.Node {
	return g.Group{
		problem(f.Problem),
		h.P(g.Text("Your session in this browser ends. Other devices stay signed in.")),
		h.Form(h.Method("post"), h.Action(action),
			returnTo(f.ReturnTo),
			h.Button(h.AutoFocus(), g.Text("Sign out")),
		),
		h.P(h.A(h.Href(f.ReturnTo), g.Text("Stay signed in"))), // returnTo has checked it
	}
}

// askSignOut answers with the page to sign out.
func (p *Pages) askSignOut(w http.ResponseWriter, r *http.Request, status int, form signOutForm) {
	p.render(w, r, status, "Sign out", form.content(p.o.Mount+"/sign-out"))
}

// showSignOut serves GET /sign-out: a button. A link alone signs nobody out, or any site could.
func (p *Pages) showSignOut(w http.ResponseWriter, r *http.Request) {
	p.askSignOut(w, r, http.StatusOK, signOutForm{ReturnTo: p.returnTo(r)})
}

// signOut serves POST /sign-out: it ends the session, which is over everywhere at once, and has the browser forget it, and the app's pages that
// it would show again to whoever goes back. While the session cannot be ended the browser keeps it, so that its owner can try again.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	if err := p.endSession(r); err != nil {
		status, problem := p.explain(w, r, err, "")
		p.askSignOut(w, r, status, signOutForm{p.returnTo(r), problem})
		return
	}
	http.SetCookie(w, p.o.Cookies.NoSessionCookie())
	forgetPages(w, r)
	http.Redirect(w, r, p.SignInPath()+"?"+url.Values{"signed_out": {"1"}, "return_to": {p.returnTo(r)}}.Encode(), http.StatusSeeOther)
}

// forgetPages has a browser forget what it keeps of this site to show it again, cookies aside. WebKit (2.50) never gets over an answer that says so where a
// service worker of the app passes it on: neither would anybody get in or out there.
func forgetPages(w http.ResponseWriter, r *http.Request) {
	if _, relayed := failure.Relayed(r); relayed && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
}

// endSession ends the session of every cookie of the name that a request shows. One that proves nothing is over already.
func (p *Pages) endSession(r *http.Request) error {
	realm, err := p.realm(r.Context())
	if err != nil {
		return err
	}
	for _, cookie := range r.CookiesNamed(p.o.Cookies.NoSessionCookie().Name) {
		session, _, err := p.o.Sessions.ByToken(r.Context(), realm, cookie.Value)
		if err == nil {
			err = p.o.Sessions.Delete(r.Context(), realm, session.ID, p.requestOf(r))
		}
		if err != nil && !isOver(err) {
			return err
		}
	}
	return nil
}

// isOver reports whether err says that there is no session to end.
func isOver(err error) bool {
	e, ok := errors.AsType[*core.Error](err)
	return core.IsRefusal(err) || ok && e.Kind == core.KindNotFound
}
