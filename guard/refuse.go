package guard

import (
	"encoding/json"
	"fmt"
	"html"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// problem is the body of a refusal for programs (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// page is the body of a refusal for people. It loads nothing.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>%[1]s</title>
<h1>%[1]s</h1>
<p>%[2]s</p>
</html>
`

// Refuse answers a request that v does not allow: status, challenge, and a body in the form that the caller reads, a
// small page for a browser that navigates, or where there is a login URL the way there, a status for gRPC, and
// application/problem+json for all others.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, v Verdict) {
	refusal := v.Refusal
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
	if !isNavigation(r) {
		answerProblem(w, why)
		return
	}
	h := w.Header()
	refusalHeaders(h, why)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(why.Status)
	title, detail := forPeople(*why, http.StatusText(why.Status))
	fmt.Fprintf(w, page, html.EscapeString(title), html.EscapeString(detail))
}

// sendTo sends a browser to sign in.
func sendTo(w http.ResponseWriter, why *Refusal, to string) {
	refusalHeaders(w.Header(), why)
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// answerProblem answers a refusal for programs.
func answerProblem(w http.ResponseWriter, why *Refusal) {
	h := w.Header()
	refusalHeaders(h, why)
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(why.Status)
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(why.Status), why.Status, why.Detail, why.Reason}) // a client that left
}

// refusalHeaders sets what all answers to refused requests have.
func refusalHeaders(h http.Header, why *Refusal) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if why.Challenge != "" {
		h.Set("WWW-Authenticate", why.Challenge)
	}
	if why.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(why.RetryAfter.Seconds()))))
	}
}

// MustAnswer reports whether the form of a refusal is part of a protocol, so that no page of a site can stand in for it: the
// way to the sign-in page, and a gRPC status.
func (g *Guard) MustAnswer(r *http.Request, v Verdict) bool {
	_, grpc := grpcMedia(r)
	_, goes := g.signInAddress(r, &v.Refusal)
	return grpc || goes
}

// forPeople returns what a page says of a refusal. Who browses has no use for the names of headers.
func forPeople(r Refusal, title string) (string, string) {
	if r.Status == http.StatusUnauthorized {
		return "Please sign in", "This page is for people who are signed in. Sign in where this service has you do so, and come back."
	}
	return title, r.Detail
}

// isNavigation reports whether r is a browser going to a page, as opposed to a script or a program. A browser that
// sends Sec-Fetch-Mode says so itself; others are known by what they accept.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	wantsPage := false
	for _, line := range r.Header["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "text/html", "application/xhtml+xml":
				wantsPage = true
			case "application/json", "application/problem+json":
				return false // no browser asks for that by itself
			}
		}
	}
	return wantsPage
}
