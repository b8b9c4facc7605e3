package guard

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// readers are ways in which applications read the target of a request. Each returns the paths that it may take it for.
var readers = map[string]func(raw string) []string{
	"as it is sent": func(raw string) []string { return []string{raw} },
	"decoded":       func(raw string) []string { return []string{decoded(raw)} },
	"cleaned":       func(raw string) []string { return []string{path.Clean("/" + decoded(raw))} },
	"cleaned first": func(raw string) []string { return []string{decoded(path.Clean(raw))} },
	"decoded twice": func(raw string) []string { return []string{path.Clean("/" + decoded(decoded(raw)))} },
	"in any case":   func(raw string) []string { return []string{strings.ToLower(decoded(raw))} },
	"on Windows": func(raw string) []string {
		return []string{windows(decoded(raw)), strings.ToLower(windows(decoded(raw)))}
	},
	"in C":            func(raw string) []string { return []string{cut(decoded(raw), "\x00")} },
	"by a servlet":    func(raw string) []string { return []string{decoded(servlet(raw)), servlet(decoded(raw))} },
	"decoded too far": func(raw string) []string { return []string{cut(decoded(raw), "?"), cut(decoded(raw), "#")} },
	"in Unicode's plain form": func(raw string) []string {
		plain := path.Clean("/" + lookalike.Replace(norm.NFKC.String(decoded(raw))))
		return []string{strings.ToLower(plain), strings.ToLower(strings.ToUpper(plain))}
	},
	"without an ending": func(raw string) []string {
		return []string{strings.TrimSuffix(decoded(raw), path.Ext(decoded(raw)))}
	},
	"without what follows a file": func(raw string) []string {
		at := strings.Index(decoded(raw), ".php/")
		if at < 0 {
			return nil
		}
		return []string{decoded(raw)[:at], decoded(raw)[:at+4]}
	},
	"as the page of its folder": func(raw string) []string { return []string{strings.TrimSuffix(decoded(raw), "/index.html")} },
	"slashes merged":            func(raw string) []string { return []string{merged(decoded(raw))} },
	"by ASP.NET": func(raw string) []string {
		return []string{cookieless.ReplaceAllString(decoded(raw), "/"), cookieless.ReplaceAllString(decoded(raw), "")}
	},
}

// cookieless is a session in a path, which in some versions a segment may begin with.
var cookieless = regexp.MustCompile(`/\(([A-Z]\([^/)]*\))+\)/?`)

// lookalike puts slashes in the places of what Windows takes for some.
var lookalike = strings.NewReplacer("\u2044", "/", "\u2215", "/", "\u29f8", "/", "\u29f5", "/")

// decoded decodes what is an escape, and leaves the rest.
func decoded(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]) {
			text, _ := url.PathUnescape(raw[i : i+3])
			b.WriteString(text)
			i += 2
			continue
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

func cut(text, at string) string {
	before, _, _ := strings.Cut(text, at)
	return before
}

func merged(text string) string {
	for strings.Contains(text, "//") {
		text = strings.ReplaceAll(text, "//", "/")
	}
	return text
}

// windows is a file system that takes backslashes for slashes and drops dots and spaces at the end of names, and what says that the name is that of a file or a
// folder (NTFS streams).
func windows(text string) string {
	segments := strings.Split(path.Clean("/"+strings.ReplaceAll(text, `\`, "/")), "/")
	for i, s := range segments {
		segments[i] = strings.TrimRight(cut(cut(s, "::$"), ":$"), ". ")
	}
	return strings.Join(segments, "/")
}

// servlet drops path parameters.
func servlet(text string) string {
	segments := strings.Split(text, "/")
	for i, s := range segments {
		segments[i] = cut(s, ";")
	}
	return path.Clean("/" + strings.Join(segments, "/"))
}

// below reports whether a path is below one.
func below(text, root string) bool { return text == root || strings.HasPrefix(text, root+"/") }

// judged is a guard's reading of a target: refused, or which rule is asked for.
func judged(c *compiled, raw string) (refused, admin, public bool) {
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		return true, false, false // no server takes it
	}
	d, why := c.demands(&http.Request{Method: "GET", URL: u})
	if why != nil {
		return true, false, false
	}
	return false, slices.ContainsFunc(d.rules[:], func(r *rule) bool { return r != nil && r.name == "rule 1" }), d.public
}

// TestNoReaderSeesAnotherPath makes targets up from pieces that parsers disagree about: where any application may read a path
// below /admin, its rule must have been asked for, and where a path counted as public, every application must read a public one.
func TestNoReaderSeesAnotherPath(t *testing.T) {
	c, err := Settings{Public: []string{"/open/*", "/o-p_n/*"}, Rules: []Rule{{Paths: []string{"/admin/*"}, Policy: Policy{Require: []string{"admin"}}}}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	pieces := []string{"o-p_n", "o%2Dp%5fn", "o-p%5Fn", "-", "%2d", "/", "/", "/", "//", "admin", "ADMIN", "Admin", "adm%69n", "%61dmin", "open", "Open", "%6fpen", ".", "..", ".json", ".php/x", "%2e", "%2E%2e", "%2f", "%2F", "%5c", `\`, "%00", ";",
		"%3b", ";x=y", "%3f", "%23", "%25", "%252f", "%252e", "::$INDEX_ALLOCATION", ":$I30:%24INDEX_ALLOCATION", "%c0%af", "%c0%ae", "x", "%20", "+", "*", ":", "@", "%0a", "%7f", "~", "\u017f", "%e2%84%aa",
		"\uff0f", "\uff3c", "\uff0e\uff0e", "\u2025", "%e2%80%a4.", "\u2215", "\u2044", "(S(x))", "%28F(y)%29", "\uff41dmin", "adm\u0131n", "adm\u0130n", "\u00e9"}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	accepted := 0
	for range 300_000 {
		var b strings.Builder
		b.WriteByte('/')
		for range 1 + random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		raw := b.String()
		refused, admin, public := judged(c, raw)
		if refused {
			continue
		}
		accepted++
		for name, read := range readers {
			for _, seen := range read(raw) {
				if below(strings.ToLower(seen), "/admin") && !admin && below(seen, "/admin") {
					t.Fatalf("seed %d: %q is %q %s, and the rule for /admin was not asked for", seed, raw, seen, name)
				}
				if public && name != "in any case" && name != "on Windows" && name != "cleaned first" && !below(seen, "/open") && !below(seen, "/o-p_n") {
					t.Fatalf("seed %d: %q is public, and %q %s", seed, raw, seen, name)
				}
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d targets were not refused, which shows nothing", accepted)
	}
}

// FuzzPathAgainstNetHTTP holds the guard's reading against net/http's: what ServeMux routes to /admin, the rule for /admin
// is asked for; and what the rule is not asked for, it routes elsewhere.
func FuzzPathAgainstNetHTTP(f *testing.F) {
	for _, seed := range []string{"/", "/admin", "/admin/", "/admin/x", "/ADMIN", "/x/../admin/", "//admin/x", "/adm%69n/x", "/admin%2fx", "/open/x", "/open/%2e%2e/admin/", "/./admin/", "/a;b", "/%"} {
		f.Add(seed)
	}
	c, err := Settings{Public: []string{"/open/*"}, Rules: []Rule{{Paths: []string{"/admin/*"}, Policy: Policy{Require: []string{"admin"}}}}}.compile()
	if err != nil {
		f.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, p := range []string{"/admin/", "/open/", "/"} {
		mux.Handle(p, http.NotFoundHandler())
	}
	f.Fuzz(func(t *testing.T, raw string) {
		refused, admin, public := judged(c, raw)
		if refused {
			return
		}
		u, _ := url.ParseRequestURI(raw)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		_, routed := mux.Handler(r)
		if routed == "/admin/" && !admin {
			t.Errorf("net/http routes %q to /admin/, and its rule was not asked for", raw)
		}
		if public && routed != "/open/" {
			t.Errorf("%q is public, and net/http routes it to %s", raw, routed)
		}
	})
}

// TestPathAgainstNginx holds the guard's reading against the normalised URI that nginx matches locations with, as its
// documentation describes it (ngx_http_core_module, "location", with merge_slashes on): decoded, dot segments resolved, adjacent
// slashes merged. "" stands for targets that it refuses. All are what nginx 1.22.1 returned as $uri.
func TestPathAgainstNginx(t *testing.T) {
	for raw, nginx := range map[string]string{
		"/admin/x": "/admin/x", "/adm%69n/x": "/admin/x", "/x/../admin/x": "/admin/x", "/x/%2e%2e/admin/x": "/admin/x", "/x/..%2fadmin/x": "/admin/x",
		"//admin/x": "/admin/x", "/./admin/x": "/admin/x", "/admin%2fx": "/admin/x", "/admin/x%3fy": "/admin/x?y", "/admin/%": "", "/admin;a/x": "/admin;a/x",
		`/x\..\admin`: `/x\..\admin`, "/open/x": "/open/x", "/open/%2e": "/open/", "/open/x%00": "", "/open/../open/x": "/open/x", "/open//x": "/open/x",
		"/%61dmin/": "/admin/", "/a%20b": "/a b",
	} {
		u, err := url.ParseRequestURI(raw)
		if err != nil || nginx == "" {
			continue // one of them refuses it anyway
		}
		if seen, ok := plainPath(u); ok && seen != nginx {
			t.Errorf("%q is %q to the guard and %q to nginx", raw, seen, nginx)
		}
	}
}

// FuzzRemoveCookie holds that a session cookie never comes through, and everything else does, byte for byte.
func FuzzRemoveCookie(f *testing.F) {
	for _, seed := range []string{"", "s=1", "a=1; s=2; b=3", "s", "s=;s=", " s = 1 ;x", "a=\"s=1\"; s=1", ";;s=1;;", "as=1; s2=2", "S=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return // net/http takes no header with such (RFC 9110 §5.5)
		}
		h := http.Header{"Cookie": {line, "z=1"}}
		sent := h["Cookie"]
		removeCookie(h, "s")
		if sent[0] != line {
			t.Fatal("the slice that others may hold was altered")
		}
		var want, got []string
		for pair := range strings.SplitSeq(line, ";") {
			if _, ours := cookieValue(pair, "s"); !ours && strings.Trim(pair, " ") != "" {
				want = append(want, strings.Trim(pair, " "))
			}
		}
		rest := h["Cookie"][:len(h["Cookie"])-1]
		for _, left := range rest {
			for pair := range strings.SplitSeq(left, ";") {
				if pair = strings.Trim(pair, " "); pair != "" {
					got = append(got, pair)
				}
			}
			for _, c := range (&http.Request{Header: http.Header{"Cookie": {left}}}).Cookies() {
				if c.Name == "s" {
					t.Errorf("%q leaves %q, in which net/http finds the cookie", line, left)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %q there is %q, want %q", line, got, want)
		}
		if !strings.Contains(line, "s") && line != "" && (len(rest) != 1 || rest[0] != line) {
			t.Errorf("%q, which holds nothing of ours, became %q", line, rest)
		}
	})
}

// FuzzSafeReturn holds what is accepted against how a browser resolves it (WHATWG URL, basic URL parser), in front of
// https://app.example.com.
func FuzzSafeReturn(f *testing.F) {
	for _, seed := range []string{"/", "/a?b=c", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://app.example.com/x", "https://app.example.com@evil.example/", "https:/evil.example",
		"https:evil.example", "javascript:alert(1)", "/..//evil.example", "/.//evil.example", "https://app.example.com.evil.example", `https://app.example.com\@evil.example`, "https://APP.example.com", "x", "?a", "#a", "/%2f/evil.example", "https://app.example.com:443/", "//", "///evil.example", "////evil.example/",
		"/über?q=ä", "//ü.example", "https://app.example.com/ü", "https://ü.example/", "https://app.example.com／x", "/／evil.example", "/\u2028/evil.example", "/\xfc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, ok := SafeReturn(text, "https://app.example.com")
		if !ok && to != "" {
			t.Errorf("SafeReturn(%q) = %q, false; a refusal returns nothing", text, to)
		}
		if host := browserHost(to); ok && host != "app.example.com" {
			t.Errorf("SafeReturn(%q) = %q, with which a browser goes to %q", text, to, host)
		}
	})
}

// browserHost returns the host that a browser at https://app.example.com/ goes to with a Location.
func browserHost(location string) string {
	text := strings.Trim(location, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	text = strings.ReplaceAll(strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text), `\`, "/")
	if i := strings.IndexAny(text, ":/?#"); i > 0 && text[i] == ':' {
		scheme := strings.ToLower(text[:i])
		if scheme != "http" && scheme != "https" {
			return scheme + ":"
		}
		text = "//" + strings.TrimLeft(text[i+1:], "/")
	}
	if !strings.HasPrefix(text, "//") {
		resolved, err := (&url.URL{Path: "/"}).Parse(cut(cut(text, "#"), "?"))
		if err != nil || strings.HasPrefix(resolved.EscapedPath(), "//") { // some servers send it on as it is then
			return "?"
		}
		return "app.example.com"
	}
	text = strings.TrimLeft(text, "/")
	if i := strings.IndexAny(text, "/?#"); i >= 0 {
		text = text[:i]
	}
	if i := strings.LastIndex(text, "@"); i >= 0 {
		text = text[i+1:]
	}
	return strings.TrimSuffix(strings.ToLower(text), ":443")
}

// TestPatterns reads paths of rules, and refuses those that would be for nothing that whoever wrote them means.
func TestPatterns(t *testing.T) {
	for text, want := range map[string]bool{
		"/": true, "/*": true, "/a/*/b": true, "/a/": true, "/users:batch": true, "/a,b": true, "/über uns": true, "/a/*/*": true, "/@x/~y": true, "/(auth)/Items(S(x))": true,
		"": false, "*": false, "a": false, "//a": false, "/a//b": false, "/a*": false, "/**": false, "/a/../b": false, "/a ": false, "/a%20b": false, "/a?b": false, "/a;b": false,
		"/users/:id": false, "/users/{id}": false, "/users/{id}/x": false, "/a,/b": false, "/a,": false, "/＊": false, "/(S(x))/a": false, "/x＊/y": false,
	} {
		if _, ok := newPattern(text); ok != want {
			t.Errorf("newPattern(%q) takes it: %t, want %t", text, ok, want)
		}
	}
}

// TestCovers holds for all short patterns that one covers another only if it matches, in both readings, whatever the other does.
func TestCovers(t *testing.T) {
	texts := func(pieces []string, depth int) []string {
		all, last := []string{}, []string{""}
		for range depth {
			var next []string
			for _, begin := range last {
				for _, piece := range pieces {
					next = append(next, begin+"/"+piece)
				}
			}
			all, last = append(all, next...), next
		}
		return all
	}
	var patterns []pattern
	for _, text := range texts([]string{"a", "b", "*", ""}, 3) {
		if p, ok := newPattern(text); ok {
			patterns = append(patterns, p)
		}
	}
	paths, covered := texts([]string{"a", "b", "c", ""}, 4), 0
	for _, p := range patterns {
		for _, q := range patterns {
			if !p.covers(&q) {
				continue
			}
			covered++
			for _, path := range paths {
				read, loose := withoutSlash(foldText(path)), [2]pattern{p.loose(), q.loose()}
				if q.fit(path) >= within && p.fit(path) < within || loose[1].fit(read) != elsewhere && loose[0].fit(read) == elsewhere {
					t.Fatalf("%+v covers %+v, and does not match %q", p, q, path)
				}
			}
		}
	}
	if covered < len(patterns) {
		t.Errorf("of %d patterns %d cover another or themselves", len(patterns), covered)
	}
}
