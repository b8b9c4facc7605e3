package guard

import (
	"fmt"
	"slices"
	"strings"
)

// saidOfAll returns what settings say of requests that no rule matches, "" = nothing but that somebody must be known.
func (c *compiled) saidOfAll() string {
	switch {
	case c.Optional:
		return "optional"
	case c.Policy.isZero():
		return ""
	}
	return c.top.explain()
}

// everywhere stands for the paths of a rule that names none: /*.
var everywhere = []pattern{{rest: true}}

// notShadowed refuses a rule about all of which rules before it decide, so that what it asks for is asked of nobody.
func notShadowed(before []rule, r *rule) error {
	paths, methods := r.exact, r.methods
	if len(paths) == 0 {
		paths = everywhere
	}
	if len(methods) == 0 {
		methods = []string{""} // one that no rule names
	}
	var names []string
	for i := range paths {
		for _, method := range methods {
			at := slices.IndexFunc(before, func(b rule) bool { return b.takesMethod(method) && b.takesPath(&paths[i]) })
			if at < 0 {
				return nil
			}
			if !slices.Contains(names, before[at].name) {
				names = append(names, before[at].name)
			}
		}
	}
	return errShadowed(r, names)
}

// errShadowed says what is wrong with r, of which others decide about all, by their names.
func errShadowed(r *rule, names []string) error {
	remedy := "put what is narrower first, or join them"
	if slices.Contains(names, publicName) {
		remedy = "public comes before all rules, so make its paths a rule that is public, after what is narrower"
	}
	return fmt.Errorf("%s never decides: all of it is for %s, and the first that matches decides; %s", r.name, strings.Join(names, " and "), remedy)
}

// takesPath reports whether b is for all paths that p matches.
func (b *rule) takesPath(p *pattern) bool {
	return len(b.exact) == 0 || slices.ContainsFunc(b.exact, func(of pattern) bool { return of.covers(p) })
}

// covers reports whether p matches all that q does.
func (p *pattern) covers(q *pattern) bool {
	if len(p.segments) > len(q.segments) {
		return false
	}
	for i, s := range p.segments {
		if of := q.segments[i]; s != of && (s != "*" || of == "") {
			return false
		}
	}
	longer := len(q.segments) > len(p.segments) || q.rest
	return p.rest == longer
}
