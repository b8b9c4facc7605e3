package guard

import "net/http"

// overridesPath reports whether a header, by its name in any spelling, has some applications take its path for the one that is asked for:
// IIS's modules began it, and frameworks that know them took it over. The path that was judged would be another one.
func overridesPath(name string) bool {
	return foldsTo(name, "x-original-url") || foldsTo(name, "x-rewrite-url")
}

// overridesMethod reports whether a header has some applications take another method than that of the request.
func overridesMethod(h http.Header) bool {
	return h["X-Http-Method-Override"] != nil || h["X-Method-Override"] != nil || h["X-Http-Method"] != nil
}
