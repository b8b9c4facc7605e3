package failure

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Family is one of the two kinds of clients that Postern serves alike, told apart by their media types.
type Family int

// The families, and what is of neither.
const (
	OtherFamily Family = iota
	PlainJSON          // application/json: the Users API
	JSONAPI            // application/vnd.api+json: Work-API
)

// The media types of the families, and of errors for whoever asks for those.
const (
	MediaJSON    = "application/json"
	MediaJSONAPI = "application/vnd.api+json"
	MediaProblem = "application/problem+json"
)

// Wants is what the headers of a request say of how its caller reads answers.
type Wants struct {
	Sent     Family // of the body, OtherFamily where it has no or another media type
	Answer   Family // of the answer; never OtherFamily
	Problems bool   // errors as RFC 9457
}

// WantsOf works out in which family a request speaks and wants to be answered: as Accept says where it names one of
// the two alone, else as the body does, else in plain JSON.
func WantsOf(h http.Header) Wants {
	wants := Wants{Sent: familyOf(h.Get("Content-Type")), Answer: PlainJSON}
	var accepted [3]bool
	for _, line := range h["Accept"] {
		if line == "*/*" { // most say that, and it says nothing
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			media, parameters, _ := mime.ParseMediaType(item) // bad parameters say nothing
			if IsZero(parameters["q"]) {
				continue
			}
			wants.Problems = wants.Problems || media == MediaProblem
			accepted[familyOf(media)] = true
		}
	}
	switch {
	case accepted[JSONAPI] != accepted[PlainJSON]:
		if accepted[JSONAPI] {
			wants.Answer = JSONAPI
		}
	case wants.Sent != OtherFamily:
		wants.Answer = wants.Sent
	}
	return wants
}

// IsZero reports whether a quality value means "not acceptable" (RFC 9110 §12.4.2).
func IsZero(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }

// familyOf returns the family of a media type, whatever its parameters.
func familyOf(contentType string) Family {
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case MediaJSON:
		return PlainJSON
	case MediaJSONAPI:
		return JSONAPI
	}
	return OtherFamily
}

// IsNavigation reports whether r is a browser going to a page, as opposed to a script or a program. A browser that
// sends Sec-Fetch-Mode says so itself; old ones, and all over plain HTTP, are known by what they accept, and by what libraries send with an
// XMLHttpRequest, which may ask for a piece of a page.
func IsNavigation(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	if _, relayed := Relayed(r); mode != "" && mode != "navigate" && !(relayed && mode == "same-origin") {
		return false
	}
	if r.Header.Get("X-Requested-With") == "XMLHttpRequest" { // and not the name of an Android app, which navigates
		return false
	}
	return acceptsPage(r)
}

// acceptsPage reports whether r accepts what a browser that navigates does, and nothing that it does not ask for by itself.
func acceptsPage(r *http.Request) bool {
	wantsPage := false
	for _, line := range r.Header["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "text/html", "application/xhtml+xml":
				wantsPage = true
			case MediaJSON, MediaJSONAPI, MediaProblem:
				return false
			}
		}
	}
	return wantsPage
}

// Relayed reports whether r is a navigation that a service worker of the app passes on by fetch(event.request), in a browser that calls all of these
// same-origin in Sec-Fetch-Site, also where a page of another origin of the site began them. It returns the page that began it, as Referer says, ""
// where that is not said.
//
// Firefox (153) does not call them navigations, but has them keep Upgrade-Insecure-Requests, which browsers send with navigations alone. WebKit (2.50)
// does, for no destination, and unlike Chromium, which says truly whose they are, it sends no such wish over TLS. Of a page that does not say where it is,
// WebKit says in Origin that it is ours, and in Referer where the worker's script is. So do all of what a worker makes anew of a navigation, by
// new Request(event.request, ...), whoever began it; in WebKit that shows by what it accepts.
func Relayed(r *http.Request) (page string, relayed bool) {
	mode, upgrades := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Upgrade-Insecure-Requests") == "1"
	page = r.Header.Get("Referer")
	byScript := isScript(page)
	switch mode {
	case "":
	case "navigate":
		relayed = !upgrades && r.Header.Get("Sec-Fetch-Dest") == "empty"
	default:
		relayed = upgrades || byScript && acceptsPage(r)
	}
	if byScript {
		page = ""
	}
	return page, relayed
}

// isScript reports whether an address is by its name that of a script, which sends no forms.
func isScript(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (strings.HasSuffix(u.Path, ".js") || strings.HasSuffix(u.Path, ".mjs"))
}
