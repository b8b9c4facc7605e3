package guard

import (
	"math"
	"net/http"
	"strconv"

	"github.com/postern-auth/postern/internal/failure"
)

// Refuse answers a request that v does not allow: status, challenge, and a body in the form that the caller reads, a
// small page for a browser that navigates, or where there is a login URL the way there, a status for gRPC, JSON:API for whoever speaks that, and
// application/problem+json for all others. It has the id of the request, as Options.RequestID says it.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, v Verdict) {
	refusal := v.Refusal
	if refusal.RequestID == "" {
		refusal.RequestID = g.requestID(r)
	}
	if media, ok := grpcMedia(r); ok {
		refuseGRPC(w, media, &refusal)
		return
	}
	g.refuseHTTP(w, r, &refusal)
}

// refuseHTTP is Refuse for all but gRPC.
func (g *Guard) refuseHTTP(w http.ResponseWriter, r *http.Request, why *Refusal) {
	if to, ok := g.signInAddress(r, why); ok {
		sendTo(w, why, to)
		return
	}
	if !failure.IsNavigation(r) {
		answerProgram(w, r, why)
		return
	}
	refusalHeaders(w.Header(), why)
	title, detail, on := g.forPeople(r, why)
	failure.WritePage(w, why.Status, title, detail, why.RequestID, on)
}

// sendTo sends a browser to sign in.
func sendTo(w http.ResponseWriter, why *Refusal, to string) {
	refusalHeaders(w.Header(), why)
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// answerProgram answers a refusal of a program.
func answerProgram(w http.ResponseWriter, r *http.Request, why *Refusal) {
	refusalHeaders(w.Header(), why)
	f := failure.Failure{Status: why.Status, Code: why.Reason, Detail: why.Detail}
	f.WriteForApp(w, r)
}

// refusalHeaders sets what all answers to refused requests have.
func refusalHeaders(h http.Header, why *Refusal) {
	failure.SetHeaders(h, why.RequestID)
	if why.Challenge != "" {
		h.Set("WWW-Authenticate", why.Challenge)
	}
	if why.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(why.RetryAfter.Seconds()))))
	}
}

// MustAnswer reports whether the form of a refusal is part of a protocol, so that no page of a site can stand in for it: the
// way to the sign-in page, and a gRPC status. Nor can one for a CONNECT, or for a query with a space, which no app may be
// asked even there.
func (g *Guard) MustAnswer(r *http.Request, v Verdict) bool {
	if v.Refusal.Reason == refuseTunnel.Reason || v.Refusal.Reason == refuseLine.Reason {
		return true
	}
	_, grpc := grpcMedia(r)
	_, goes := g.signInAddress(r, &v.Refusal)
	return grpc || goes
}

// forPeople returns what a page says of a refusal, and where it leads on. Who browses has no use for the names of headers.
func (g *Guard) forPeople(r *http.Request, why *Refusal) (title, detail string, on failure.Link) {
	title, detail = http.StatusText(why.Status), why.Detail
	way := g.mayLogIn(r)
	switch {
	case (why.Status == http.StatusUnauthorized || why.Reason == refuseCrossSite.Reason) && !g.c.provesOrigin(r):
		// Whoever is signed in is not known either, where their browser keeps the cookie back: to sign in and send it again would lead nowhere.
		title = "This form came from elsewhere"
		detail = "A page of another site may have sent it. Nothing was done. Open the page here, and send it from there."
	case why.Status == http.StatusUnauthorized && way: // a form or a frame, which signInAddress does not lead away from
		if title = "Please sign in"; why.stepUp == "" {
			detail = "This page is for people who are signed in. Sign in first."
		}
		if detail += " Do so in another tab, then load this page again"; getsPage(r) {
			detail += "."
		} else {
			detail += ": that sends your form once more."
		}
		on = failure.Link{To: g.loginAddress(r, why), Text: "Sign in", NewTab: true}
	case why.Status == http.StatusUnauthorized:
		title, detail = "Please sign in", "This page is for people who are signed in. Sign in where this service has you do so, and come back."
	case why.another && way:
		on = failure.Link{To: g.loginAddress(r, why), Text: "Sign in as somebody else"}
	}
	return title, detail, on
}
