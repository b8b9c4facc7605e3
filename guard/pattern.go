package guard

import (
	"net/url"
	"slices"
	"strings"
)

// pattern is a path in which some segments may be anything.
type pattern struct {
	segments []string // "*" matches any one
	rest     bool     // what follows may be anything; there is something
	ending   string   // that was left out at its end; "" = nothing was
}

// newPattern reads a path of a rule. It reports false for one that no request could match, or that several could
// read in several ways.
func newPattern(text string) (pattern, bool) {
	plain, ok := plainPath(&url.URL{Path: text})
	if !ok || text == "" || plain != text || strings.ContainsAny(text, "?#%") {
		return pattern{}, false
	}
	trimmed, rest := strings.CutSuffix(text, "/*")
	p := pattern{rest: rest}
	if trimmed != "" || !rest {
		p.segments = strings.Split(trimmed, "/")[1:]
	}
	for _, s := range p.segments {
		if s != "*" && (strings.Contains(foldText(s), "*") || meansElsewhere(s)) { // read loosely the first would be a wildcard
			return pattern{}, false
		}
	}
	return p, true
}

// meansElsewhere reports whether a segment is, where others read paths, a parameter that stands for anything (:id, {id}) or the end of one of several
// (/a,/b). Here it would be the text itself, which nobody asks for, and the rule for nothing.
func meansElsewhere(segment string) bool {
	return strings.HasPrefix(segment, ":") || strings.HasSuffix(segment, ",") || strings.ContainsAny(segment, "{}")
}

// folded returns the pattern of paths that were folded.
func (p pattern) folded() pattern {
	p.segments = slices.Clone(p.segments)
	for i, s := range p.segments {
		p.segments[i] = foldText(s)
	}
	return p
}

// loose returns the pattern of loosely read paths.
func (p pattern) loose() pattern {
	p = p.folded()
	if n := len(p.segments); n > 1 && !p.rest && p.segments[n-1] == "" {
		p.segments = p.segments[:n-1] // a slash at the end
	}
	return p
}

// andStems appends to others p, which is loose, and what it is without its ending: /admin of /admin.html, and of /admin/index.html as well.
func (p pattern) andStems(others []pattern) []pattern {
	others = append(others, p)
	if p.rest {
		return others
	}
	n := len(p.segments) - 1
	above, last := p.segments[:n], p.segments[n]
	short := withoutEnding(last)
	if len(short) < len(last) {
		others = append(others, pattern{segments: append(slices.Clone(above), short), ending: last[len(short):]})
	}
	if isFolderPage(last) {
		if n == 0 {
			above = []string{""}
		}
		others = append(others, pattern{segments: above, ending: "/" + last})
	}
	return others
}

// fit is what a path is to a pattern.
type fit uint8

const (
	elsewhere fit = iota // nothing
	anyFolder            // /users/7 to /users/*/*
	folder               // /admin to /admin/*
	within               // /admin/ or /admin/x to /admin/*
	page                 // /admin to /admin
)

// fit returns what a path is to p.
func (p *pattern) fit(path string) fit {
	rest := path
	for _, s := range p.segments {
		if rest == "" {
			return elsewhere
		}
		rest = rest[1:] // the slash
		n := len(s)
		if s != "*" {
			if !strings.HasPrefix(rest, s) {
				return elsewhere
			}
		} else if n = segmentEnd(rest); n == 0 {
			return elsewhere
		}
		if rest = rest[n:]; rest != "" && rest[0] != '/' {
			return elsewhere
		}
	}
	switch {
	case p.rest && rest == "" && p.names(len(p.segments)-1):
		return folder
	case p.rest && rest == "":
		return anyFolder
	case p.rest:
		return within
	case rest == "":
		return page
	}
	return elsewhere
}

// names reports whether p says what its segment n is, counted from 0. A slash at the end, after which is an empty one, says nothing of what is before it.
func (p *pattern) names(n int) bool {
	if n < 0 || n >= len(p.segments) {
		return false
	}
	if n > 0 && p.segments[n] == "" {
		n--
	}
	return p.segments[n] != "*"
}

// segmentEnd returns where the first segment of a text ends.
func segmentEnd(text string) int {
	if i := strings.IndexByte(text, '/'); i >= 0 {
		return i
	}
	return len(text)
}

// taken is what a path is taken for.
type taken uint8

const (
	whole  taken = iota // all that is asked for: rules for it count, and those for all that is below a folder, and what holds without one
	itself              // another name of it: only rules for that page count
	file                // a file before the end of the path: likewise, and only those that name it, since most such are none (/users/a.b/avatar)
	stem                // such a file without its ending: likewise, and those for all that is below a folder of its name
)

// fitOf returns what a path with an ending, taken for something, is to those patterns that it is most to. Where there are none, it is within all.
func fitOf(patterns []pattern, path, ending string, as taken) fit {
	if len(patterns) == 0 {
		return within
	}
	best := elsewhere
	for i := range patterns {
		p := &patterns[i]
		if !p.rest && p.ending != ending {
			continue
		}
		if how := p.fit(path); how == within || as < file || p.names(len(p.segments)-1) {
			best = max(best, how)
		}
	}
	return best
}
