package guard

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Applications disagree about what a path means that is not written plainly: some take %2f for a slash and some do not, some
// drop what follows a semicolon, some decode twice. A guard that reads a path in one way in front of an application that reads
// it in another opens what should be closed. So where rules look at paths, only those are judged about which
// all agree; the others are refused.

// refuseAmbiguous is for paths that can be read in several ways.
var refuseAmbiguous = Refusal{Status: http.StatusBadRequest, Reason: "ambiguous_path",
	Detail: "The path of this request can be read in more than one way. Send it without encoded slashes, dots, letters, digits, hyphens and underscores, dot segments, double slashes, semicolons, backslashes, question marks and number signs, and names that end in a dot or a space."}

// IsPlain reports whether all applications read the path of u alike, but that some route by what is escaped without need as it is sent, which Judge
// bears in mind. One that they do not is refused where rules look at paths; whoever puts a path in front of it must refuse it likewise.
func IsPlain(u *url.URL) bool {
	_, ok := plainPath(u)
	return ok
}

// IsExact reports whether the path of u is plain and has no escaped '-' or '_' either, for hosts with rules of their own that go by one reading. Other escapes
// without need, such as that of '@', they must bear with: many clients send them.
func IsExact(u *url.URL) bool { return IsPlain(u) && markedPath(u, markHyphens) == "" }

// plainPath returns the path of u in the one way that everybody reads it, decoded, or false where readings may differ.
func plainPath(u *url.URL) (string, bool) {
	if u.Path == "" && u.Opaque == "" { // GET http://example.com
		return "/", true
	}
	if oddIn(u) != "" {
		return "", false
	}
	return u.Path, true
}

// oddIn says what the path of u has that readings differ about; "" = nothing.
func oddIn(u *url.URL) string {
	path := u.Path
	switch {
	case u.Opaque != "" || !strings.HasPrefix(path, "/"):
		return "no slash at its beginning"
	case !utf8.ValidString(path):
		return "what is not UTF-8"
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\\', c == ';', c == '?', c == '#':
			return "a backslash, semicolon, question mark or number sign in it, escaped or not"
		case c < ' ', c == 0x7f:
			return "a control character"
		case c == '/' && i > 0 && path[i-1] == '/':
			return "two slashes in a row"
		case c == '$' && path[i-1] == ':': // Windows takes /admin::$INDEX_ALLOCATION/x for /admin/x
			return "a colon and a dollar sign, which name a part of a file on Windows"
		case c == '(' && i > 2 && path[i-3] == '/' && path[i-2] == '(' && isCapital(path[i-1]): // ASP.NET takes /(S(x))/admin for /admin, whether or not it keeps sessions so
			return "a segment like (S(x)), which ASP.NET takes out"
		}
	}
	switch {
	case hasOddSegment(path):
		return "a segment that is . or .., or ends in a dot or a space"
	case hasLookalike(path):
		return "a character that some take for a slash, a backslash or dots"
	case u.RawPath != "" && isAsSent(u) && hasOddEscape(u.RawPath):
		return "an escaped slash, dot, letter or digit"
	case strings.Contains(path, "%") && decodesTwice(path):
		return "what is still escaped when it has been read"
	}
	return ""
}

// hasOddSegment reports whether a segment is . or .., or ends with a dot or a space, which some file systems drop.
func hasOddSegment(path string) bool {
	for i := 1; i < len(path); i++ {
		if c := path[i]; (c == '.' || c == ' ') && (i+1 == len(path) || path[i+1] == '/') {
			return true
		}
	}
	return false
}

// lookalikes are slashes that Windows takes for one where it has no better (best fit), and that Unicode does not call compatible.
const lookalikes = "\u2044\u2215\u29f5\u29f8"

// hasLookalike reports whether a path, made plain as Unicode has it (NFKC), has a separator or a dot segment more: an app that does so
// takes a full-width slash for a slash.
func hasLookalike(path string) bool {
	if isASCII(path) {
		return false
	}
	if strings.ContainsAny(path, lookalikes) {
		return true
	}
	plain := norm.NFKC.String(path)
	if strings.Count(plain, "/") != strings.Count(path, "/") || strings.Contains(plain, `\`) {
		return true
	}
	for segment := range strings.SplitSeq(plain, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isAsSent reports whether the path of u is still the one that was sent escaped, and was not rewritten since. An app may read it so even where
// u.EscapedPath escapes it anew, as with bytes that should have been escaped.
func isAsSent(u *url.URL) bool {
	path, err := url.PathUnescape(u.RawPath)
	return err == nil && path == u.Path
}

// hasOddEscape reports whether an escaped path hides a slash or a dot, or what no client escapes and many apps route by as it is sent (Express, chi): to them
// /%6fpen is not /open, which may be public, and whatever takes the rest of all paths answers. Some clients escape all else (see markedPath).
func hasOddEscape(escaped string) bool {
	for i := 0; i+2 < len(escaped); i++ {
		if escaped[i] != '%' {
			continue
		}
		hidden, err := strconv.ParseUint(escaped[i+1:i+3], 16, 8)
		if c := byte(hidden); err == nil && (c == '/' || c == '.' || isAlphanumeric(c)) {
			return true
		}
	}
	return false
}

// markedPath returns the path of u, which is plain, as an application reads it that routes by what need not be escaped as it is sent, and marks leaves escaped; "" where nothing of that is.
// Clients that escape all but letters and digits send it so (Swift's with .alphanumerics, Rust's with NON_ALPHANUMERIC), and JavaScript's encodeURIComponent some.
func markedPath(u *url.URL, marks *strings.Replacer) string {
	if u.RawPath == "" || !isAsSent(u) {
		return ""
	}
	marked := marks.Replace(u.RawPath)
	if marked == u.RawPath {
		return ""
	}
	path, _ := url.PathUnescape(marked) // as isAsSent has done
	return path
}

// markEscapes has escapes of what net/url does not escape, and a path may hold, stay when it is decoded; markHyphens has those of '-' and '_'.
var (
	markEscapes = keepEscaped("-_~@:+$&,=")
	markHyphens = keepEscaped("-_")
)

// keepEscaped returns what has escapes of these stay when a path is decoded.
func keepEscaped(these string) *strings.Replacer {
	var pairs []string
	for _, c := range these {
		for _, escape := range []string{fmt.Sprintf("%%%02x", c), fmt.Sprintf("%%%02X", c)} {
			pairs = append(pairs, escape, "%25"+escape[1:])
		}
	}
	return strings.NewReplacer(pairs...)
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }

// decodesTwice reports whether a path that was decoded once still holds escapes.
func decodesTwice(path string) bool {
	for i := 0; i+2 < len(path); i++ {
		if path[i] == '%' && isHex(path[i+1]) && isHex(path[i+2]) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// withoutSlash returns a path as one reads it who minds no slash at the end.
func withoutSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// withoutEnding returns a path without the ending of its last segment, such as .json or .html, and path itself where there is none. To many an app that is no
// part of what is asked for: Rails takes it for the format of the answer, and where pages are files, /about may be /about.html. All from the first dot on
// counts as one, since others may take for a dot what is none.
func withoutEnding(path string) string {
	last := strings.LastIndexByte(path, '/') + 1
	if dot := strings.IndexByte(path[last:], '.'); dot > 0 {
		return path[:last+dot]
	}
	return path
}

// isFolderPage reports whether a segment is what many an app and server has for the page of the folder that it is in: index, with whatever ending, and before ASP.NET
// and IIS default with one, since without one that is mostly a page of its own.
func isFolderPage(segment string) bool {
	short := withoutEnding(segment)
	return short == "index" || short == "default" && short != segment
}

// withoutIndex returns the folder whose page a path is, and false where it is none's.
func withoutIndex(path string) (string, bool) {
	at := strings.LastIndexByte(path, '/')
	return cmp.Or(path[:at], "/"), isFolderPage(path[at+1:])
}

// fileEnd returns where a segment ends that has an ending and is not the last, as /admin.php in /admin.php/x, after some place; -1 where there is none. To such
// a program what follows is no part of what is asked for (PATH_INFO, RFC 3875 §4.1.5).
func fileEnd(path string, after int) int {
	dot := strings.IndexByte(path[after:], '.')
	if dot < 0 {
		return -1
	}
	slash := strings.IndexByte(path[after+dot:], '/')
	if slash < 0 {
		return -1
	}
	return after + dot + slash
}

// foldText returns what stands for all texts that differ from text in case, or are compatible (NFKC), only. It returns text itself where that makes no difference.
func foldText(text string) string {
	if !isASCII(text) {
		text = norm.NFKC.String(text)
	}
	return strings.Map(foldRune, text)
}

// foldRune returns what stands for all runes that differ from c in case only.
func foldRune(c rune) rune {
	if c < utf8.RuneSelf {
		return unicode.ToLower(c)
	}
	c = unicode.ToUpper(c) // ı is in no case of i, and yet becomes I
	least := c
	for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}
