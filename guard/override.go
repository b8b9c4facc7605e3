package guard

import (
	"net/http"
	"strings"
)

// overridesPath reports whether a header, by its name in any spelling, has some applications take its path for the one that is asked for:
// IIS's modules began it, and frameworks that know them took it over. The path that was judged would be another one. By X-Script-Name apps in Flask are told
// where they are, and leave that away: at /open it has them take /open/admin for /admin.
func overridesPath(name string) bool {
	return foldsTo(name, "x-original-url") || foldsTo(name, "x-rewrite-url") || foldsTo(name, "x-script-name")
}

// asksElsewhere reports whether a header has some applications take another path than that of the request. Proxies that say there what they were
// asked for themselves write it with or without the host.
func asksElsewhere(r *http.Request) bool {
	for _, text := range r.Header["X-Script-Name"] {
		if text != "" && text != "/" {
			return true
		}
	}
	for _, name := range [...]string{"X-Original-Url", "X-Rewrite-Url"} {
		for _, text := range r.Header[name] {
			if text != "" && withoutHost(text) != r.RequestURI {
				return true
			}
		}
	}
	return false
}

// withoutHost returns an http or https address from its path on, as it is spelled, and any other text as it is.
func withoutHost(text string) string {
	_, rest, is := strings.Cut(text, "://")
	if i := strings.IndexAny(rest, `/?#\`); is && i > 0 && (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")) {
		return rest[i:]
	}
	return text
}

// refuseOtherPath is for requests that no proxy takes such a header out of, where rules look at paths.
var refuseOtherPath = Refusal{Status: http.StatusBadRequest, Reason: "ambiguous_path",
	Detail: "A header of this request asks for another path than the request itself. Send it without X-Original-URL, X-Rewrite-URL and X-Script-Name."}

// namesMethod reports whether a header, by its name in any spelling, has some applications take another method than that of the request. In the usual
// spelling overridesMethod heeds it. In another, such as X.HTTP.Method.Override, which PHP takes for the same, nobody needs it.
func namesMethod(name string) bool {
	return foldsTo(name, "x-http-method-override") || foldsTo(name, "x-method-override") || foldsTo(name, "x-http-method")
}

// namesPlace reports whether a header, by its name in any spelling, is one by which a proxy tells gunicorn, which takes it from any that it trusts, where the
// app is: with SCRIPT_NAME: /open it takes /open/admin for /admin. With hyphens nobody heeds it.
func namesPlace(name string) bool { return foldsTo(name, "script-name") || foldsTo(name, "path-info") }

// overridesMethod reports whether a header has some applications take another method than that of the request.
func overridesMethod(r *http.Request) bool {
	return isOther(r.Header["X-Http-Method-Override"], r.Method) || isOther(r.Header["X-Method-Override"], r.Method) || isOther(r.Header["X-Http-Method"], r.Method)
}

// isOther reports whether a header that names a method names another one.
func isOther(named []string, method string) bool {
	for _, name := range named {
		if !strings.EqualFold(name, method) {
			return true
		}
	}
	return false
}

// refuseMethod is for methods that can be read in two ways, where it matters which it is: an application that heeds the header does something
// else than was judged, and one that does not would not know what to make of a request without it.
var refuseMethod = Refusal{Status: http.StatusBadRequest, Reason: "ambiguous_method",
	Detail: "This request asks in a header for another method than its own. Send it in that method."}
