package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// otherSpellings return what apps take for the same page as a path; "" = nothing.
var otherSpellings = map[string]func(t *rapid.T, path string) string{
	"as it is":     func(_ *rapid.T, path string) string { return path },
	"in capitals":  func(_ *rapid.T, path string) string { return strings.ToUpper(path) },
	"with a slash": func(_ *rapid.T, path string) string { return strings.TrimSuffix(path, "/") + "/" },
	"with an ending": func(t *rapid.T, path string) string {
		if path == "/" {
			return ""
		}
		return path + rapid.SampledFrom([]string{".json", ".x.y"}).Draw(t, "ending")
	},
	"without its ending": func(_ *rapid.T, path string) string { return withoutEnding(path) },
	"as the page of folder": func(t *rapid.T, path string) string {
		return strings.TrimSuffix(path, "/") + rapid.SampledFrom([]string{"/index", "/index.html", "/default.aspx"}).Draw(t, "page")
	},
	"as a folder": func(_ *rapid.T, path string) string {
		at := strings.LastIndexByte(path, '/')
		if !strings.HasPrefix(path[at+1:], "index") {
			return ""
		}
		return path[:max(at, 1)]
	},
	"with more after a file": func(_ *rapid.T, path string) string {
		if withoutEnding(path) == path {
			return ""
		}
		return path + "/x/y.z"
	},
}

// pagePaths are for pages, and for what is below.
var pagePaths = rapid.Custom(func(t *rapid.T) string {
	path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a.php", "b.html", "index.html", "index", "c.tar.gz"}), 0, 2).Draw(t, "segments"), "/")
	if rapid.Bool().Draw(t, "below") {
		return strings.TrimSuffix(path, "/") + "/*"
	}
	return path
})

// TestNoSpellingAsksLess draws rules, and asks for a page by another spelling that an app takes for it: what the first rule for the page asks is asked for there,
// too, unless a rule names that very spelling.
func TestNoSpellingAsksLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{Public: rapid.SliceOfN(pagePaths, 0, 2).Draw(t, "public"), Optional: rapid.Bool().Draw(t, "optional")}
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			s.Rules = append(s.Rules, Rule{Paths: rapid.SliceOfN(pagePaths, 1, 2).Draw(t, "paths"), Public: rapid.IntRange(0, 3).Draw(t, "open") == 0,
				Methods: rapid.SampledFrom([][]string{nil, nil, nil, {"GET"}, {"POST"}}).Draw(t, "methods")})
		}
		c, err := s.compile()
		if err != nil {
			return // a rule would never decide
		}
		page := strings.TrimSuffix(pagePaths.Draw(t, "page"), "/*")
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST"}).Draw(t, "method")
		decides := c.first(method, page)
		how := rapid.SampledFrom([]string{"as it is", "in capitals", "with a slash", "with an ending", "without its ending", "as the page of folder", "as a folder", "with more after a file"}).Draw(t, "how")
		if !decides.names(page, lastOf(page)) && how != "in capitals" || decides.public {
			return // it is for all that is below, or asks for nothing
		}
		other := otherSpellings[how](t, page)
		spelled := c.first(method, other)
		if other == "" || spelled.names(other, lastOf(other)) || how == "with more after a file" && spelled.names(other, lastOf(page)) {
			return
		}
		sent := rapid.SampledFrom([]string{method, strings.ToLower(method)}).Draw(t, "sent")
		d, why := c.demands(&http.Request{Method: sent, URL: &url.URL{Path: other}})
		if why == nil && !slices.Contains(d.rules[:], decides) {
			t.Fatalf("%s decides about %s %s, and is not asked at %s, %s", decides.name, method, page, other, how)
		}
	})
}
