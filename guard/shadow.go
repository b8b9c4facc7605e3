package guard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// notShadowed refuses a rule about all of which rules before it decide, so that what it asks for is asked of nobody.
func notShadowed(before []rule, r *rule) error {
	if len(r.strict) == 0 {
		for i := range before {
			if len(before[i].strict) == 0 && before[i].takesMethodsOf(r) {
				return errShadowed(r, before[i].name)
			}
		}
		return nil
	}
	var names []string
	for i := range r.strict {
		at := slices.IndexFunc(before, func(b rule) bool { return b.takesMethodsOf(r) && b.takesPath(&r.strict[i]) })
		if at < 0 {
			return nil
		}
		if !slices.Contains(names, before[at].name) {
			names = append(names, before[at].name)
		}
	}
	return errShadowed(r, strings.Join(names, " and "))
}

func errShadowed(r *rule, names string) error {
	return fmt.Errorf("%s never decides: all of it is for %s, and the first that matches decides; put what is narrower first, or join them", r.name, names)
}

// takesMethodsOf reports whether b is for all methods that r is for.
func (b *rule) takesMethodsOf(r *rule) bool {
	takes := func(method string) bool {
		return slices.Contains(b.methods, method) || method == http.MethodHead && slices.Contains(b.methods, http.MethodGet)
	}
	return len(b.methods) == 0 || len(r.methods) > 0 && !slices.ContainsFunc(r.methods, func(method string) bool { return !takes(method) })
}

// takesPath reports whether b is for all paths that p matches.
func (b *rule) takesPath(p *pattern) bool {
	return len(b.strict) == 0 || slices.ContainsFunc(b.strict, func(of pattern) bool { return of.covers(p) })
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
