package pages

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/postern-auth/postern/core"
)

// codeForm is what the page for a second factor shows. The login token says that the password was right; it works once,
// for ten minutes, and stands in the form alone.
type codeForm struct {
	Token    string
	ReturnTo string
	Problem  string
}

// content is the form of the page for a second factor, which posts to action; signIn is where one begins again.
func (f codeForm) content(action, signIn string) g.Node {
	return g.Group{
		problem(f.Problem),
		h.Form(h.Method("post"), h.Action(action),
			hidden("token", f.Token),
			returnTo(f.ReturnTo),
			h.Label(h.For("code"), g.Text("Code from your authenticator app, or a recovery code")),
			h.Input(h.ID("code"), h.Name("code"), h.AutoComplete("one-time-code"), asTyped(), h.MaxLength("64"),
				h.Required(), h.AutoFocus(), aboutProblem(f.Problem)),
			h.Button(g.Text("Go on")),
		),
		h.P(h.A(h.Href(signIn+"?"+url.Values{"return_to": {f.ReturnTo}}.Encode()), g.Text("Begin again"))),
	}
}

// askCode answers a right password of somebody who has a second factor.
func (p *Pages) askCode(w http.ResponseWriter, r *http.Request, status int, form codeForm) {
	p.render(w, r, status, "One more step", form.content(p.o.Mount+"/second-factor", p.SignInPath()))
}

// secondFactor serves POST /second-factor: a code of an authenticator, or a recovery code, for a session. Whoever took too
// long begins again.
func (p *Pages) secondFactor(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.say(w, r, http.StatusBadRequest, "This form could not be read", "Go back and try again.")
		return
	}
	form := codeForm{Token: r.PostForm.Get("token"), ReturnTo: p.returnTo(r)}
	realm, err := p.realm(r.Context())
	if err == nil {
		var in *core.SignedIn
		if in, err = p.o.SecondFactors.Complete(r.Context(), realm, "", form.Token, r.PostForm.Get("code"), p.requestOf(r)); err == nil {
			p.welcome(w, r, in, form.ReturnTo)
			return
		}
	}
	if errors.Is(err, core.ErrLoginToken) {
		p.askSignIn(w, r, http.StatusUnauthorized,
			signInForm{ReturnTo: form.ReturnTo, Problem: "That took too long, or was done already. Sign in again."})
		return
	}
	status, problem := p.explain(w, r, err, "The code is not right, or was used before. Wait for the next one.")
	if e, ok := errors.AsType[*core.Error](err); ok && e.Kind == core.KindThrottled && e.RetryAfter > time.Minute {
		problem += " A recovery code is looked at right away." // it is only the app's codes that there were too many of
	}
	form.Problem = problem
	p.askCode(w, r, status, form)
}
