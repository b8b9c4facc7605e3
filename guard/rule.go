package guard

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// rule is a Rule as a Guard uses it, or what holds where none matches.
type rule struct {
	set      Rule   // as it was set, for those who ask which one decides
	name     string // likewise
	methods  []string
	public   bool // anybody may pass, even while it cannot be known who that is
	optional bool // anybody may pass
	policy   policy

	exact  []pattern // its paths
	folded []pattern // likewise, for whoever minds no case
	loose  []pattern // likewise, and those without an ending, for paths that are read loosely
}

// What decides besides rules, for those who ask which one does.
const (
	publicName  = "public" // the paths that are, which come first
	withoutRule = "what holds where no rule matches"
)

// newRules prepares the paths that are public, which come first, and the rules. top says what else
// holds where none matches, "" = nothing. It returns all complaints at once.
func newRules(public []string, rules []Rule, top string) ([]rule, error) {
	all := rules
	if len(public) > 0 {
		all = slices.Concat([]Rule{{Paths: public, Public: true}}, rules)
	}
	ready, whole := make([]rule, 0, len(all)), true
	var errs []error
	for i, r := range all {
		name := fmt.Sprintf("rule %d", i+1+len(rules)-len(all))
		if len(public) > 0 && i == 0 {
			name = publicName
		}
		one, err := newRule(name, r)
		errs = append(errs, err)
		if whole = whole && err == nil; whole { // of a rule with a slip it is not known what it is for
			errs = append(errs, notShadowed(ready, &one))
		}
		ready = append(ready, one)
	}
	if whole && top != "" {
		errs = append(errs, notShadowed(ready, &rule{name: top}))
	}
	return ready, errors.Join(errs...)
}

// newRule prepares a rule.
func newRule(name string, r Rule) (rule, error) {
	one := rule{set: r, name: name, public: r.Public, optional: r.Public, methods: r.Methods}
	var errs []error
	for _, text := range r.Paths {
		p, ok := newPattern(text)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %q is no path like /admin, /admin/* or /users/*/avatar", name, text))
			continue
		}
		one.exact = append(one.exact, p)
		one.folded = append(one.folded, p.folded())
		one.loose = p.loose().andStems(one.loose)
	}
	for _, m := range r.Methods {
		if !isToken(m) || strings.ToUpper(m) != m {
			errs = append(errs, fmt.Errorf("%s: %q is no method like GET", name, m))
		} else if m == http.MethodTrace {
			errs = append(errs, fmt.Errorf("%s: TRACE is refused everywhere", name))
		}
	}
	if len(r.Paths) == 0 && len(r.Methods) == 0 {
		errs = append(errs, fmt.Errorf("%s: it is for nothing in particular; give it a path or a method", name))
	}
	if r.Public && !r.Policy.isZero() {
		errs = append(errs, fmt.Errorf("%s: it is public, so it can ask for nothing", name))
	}
	var err error
	one.policy, err = newPolicy(name+": ", r.Policy)
	return one, errors.Join(append(errs, err)...)
}

// takesMethod reports whether the rule is for a method. What is for GET is for HEAD.
func (r *rule) takesMethod(method string) bool {
	return len(r.methods) == 0 || slices.Contains(r.methods, method) || method == http.MethodHead && slices.Contains(r.methods, http.MethodGet)
}

// matches reports whether the rule is for a request as it is spelled.
func (r *rule) matches(method, path string) bool {
	return r.takesMethod(method) && fitOf(r.exact, path, "", whole) >= within
}

// names reports whether a path of the rule, which is for a path, says what its segment n is, counted from 0.
func (r *rule) names(path string, n int) bool {
	return slices.ContainsFunc(r.exact, func(p pattern) bool { return p.names(n) && p.fit(path) >= within })
}

// lastOf returns which segment is a path's last, counted from 0.
func lastOf(path string) int { return strings.Count(path, "/") - 1 }

// endingsOf returns the endings that paths of rules have which ask for anything, or may.
func endingsOf(rules []rule) []string {
	var all []string
	for i := range rules {
		for _, p := range rules[i].loose {
			if p.ending != "" && !rules[i].public && !slices.Contains(all, p.ending) {
				all = append(all, p.ending)
			}
		}
	}
	return all
}

// depthOf returns how many segments a path of a rule has at most.
func depthOf(rules []rule) int {
	depth := 0
	for i := range rules {
		for _, p := range rules[i].loose {
			depth = max(depth, len(p.segments))
		}
	}
	return depth
}

// asks reports whether the rule, which may be nil, asks for anything.
func (r *rule) asks() bool { return r != nil && !r.policy.any }

// demand is what a request must satisfy: what a rule asks, or several where an app may take the request for another.
type demand struct {
	public   bool // anybody may pass, even while it cannot be known who that is
	optional bool // anybody may pass
	full     bool // there are more rules than it has room for
	rules    [maxDemands]*rule
}

// maxDemands bounds the rules that one request may have to satisfy. A path that leads to more of them is refused: in a policy that anybody means there are
// two or three.
const maxDemands = 5

// add has d ask for what r asks, too.
func (d *demand) add(r *rule) {
	for i, other := range d.rules {
		switch other {
		case r:
			return
		case nil:
			d.rules[i] = r
			d.public, d.optional = (i == 0 || d.public) && r.public, (i == 0 || d.optional) && r.optional
			return
		}
	}
	d.full = true
}

// demands returns what r must satisfy, or why it cannot be judged; where that is for too many rules, with the first of them.
func (c *compiled) demands(r *http.Request) (demand, *Refusal) {
	if isTrace(r) {
		return demand{}, &refuseTrace
	}
	var d demand
	if len(c.rules) == 0 {
		d.add(&c.top)
		return d, nil
	}
	path, ok := plainPath(r.URL)
	if !ok {
		return demand{}, &refuseAmbiguous
	}
	if c.byMethod && overridesMethod(r) {
		return demand{}, &refuseMethod
	}
	paths := [...]string{path, cmp.Or(markedPath(r.URL, markEscapes), path)}
	for _, path := range slices.Compact(paths[:]) {
		spelled := c.hearAll(&d, r.Method, path)
		for _, other := range otherMethods(r.Method) {
			if c.byMethod && other != r.Method && !slices.Contains(spelled.methods, r.Method) {
				c.hearAll(&d, other, path)
			}
		}
	}
	if d.full {
		return d, &refuseAmbiguous
	}
	return d, nil
}

// otherMethods returns the methods that an app may take one for: that in capitals, and GET where it is none that changes something. Many an app asks for none, and
// a WebSocket over HTTP/2 or HTTP/3 begins with CONNECT (RFC 8441, RFC 9220), and reaches an app that speaks HTTP/1.1 as GET.
func otherMethods(method string) [2]string {
	method = strings.ToUpper(method)
	switch method {
	case http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return [...]string{method, method}
	}
	return [...]string{method, http.MethodGet}
}

// hearAll has d ask for what is asked for at a path, and at each that an app may take it for: one that minds no case, nor a slash at the end either, and
// unless the rule for it names what is there, no ending either, nor what follows a file. Each is heard by itself, so that no rule for one of them hides what is
// asked for at another. It returns the rule for the path as it is spelled.
func (c *compiled) hearAll(d *demand, method, path string) *rule {
	spelled := c.first(method, path)
	d.add(spelled)
	folded := foldText(path)
	d.add(c.firstInAnyCase(method, folded))
	read := withoutSlash(folded)
	c.hear(d, method, read, "", whole)
	if !spelled.names(path, lastOf(path)) {
		c.hearShort(d, method, read, whole)
	}
	for at := fileEnd(read, 0); at > 0; at = fileEnd(read, at) {
		n := lastOf(read[:at])
		if n > c.depth { // anybody can write a path of a million
			break
		}
		if !spelled.names(path, n) {
			c.hear(d, method, read[:at], "", file)
			c.hearShort(d, method, read[:at], stem)
		}
	}
	return spelled
}

// hearShort does what hear does for a path without its ending, as a stem or whole, and then with each ending that a rule has, and for the folder whose page it is.
func (c *compiled) hearShort(d *demand, method, path string, as taken) {
	short := withoutEnding(path)
	if len(short) < len(path) {
		c.hear(d, method, short, "", as)
	}
	alone := itself
	if as == stem {
		alone = file
	}
	for _, ending := range c.endings {
		before := short
		if ending[0] == '/' {
			before = path // a folder may be called v1.2
		}
		c.hear(d, method, before, ending, alone)
	}
	if folder, is := withoutIndex(path); is {
		c.hear(d, method, folder, "", itself)
	}
}

// first returns the first rule for a request as it is spelled.
func (c *compiled) first(method, path string) *rule {
	for i := range c.rules {
		if c.rules[i].matches(method, path) {
			return &c.rules[i]
		}
	}
	return &c.top
}

// firstInAnyCase does what first does for a path that was folded, which only who minds no case takes for the one that a rule names.
func (c *compiled) firstInAnyCase(method, path string) *rule {
	for i := range c.rules {
		if r := &c.rules[i]; r.takesMethod(method) && fitOf(r.folded, path, "", whole) >= within {
			return r
		}
	}
	return &c.top
}

// hear has d ask for what the first rule asks that is for a path, which was read loosely, with an ending after it. A rule for /admin/* is heard at /admin
// too, and hides no later one for that page itself; and one for /users/*/* hides at /users/7, where an app has a page rather than a folder, those alone that
// are for what is below.
func (c *compiled) hear(d *demand, method, path, ending string, as taken) {
	around := as == whole
	folders := around || as == stem
	for i := range c.rules {
		r := &c.rules[i]
		if !r.takesMethod(method) {
			continue
		}
		how := fitOf(r.loose, path, ending, as)
		if how == page || (how == folder || how == anyFolder) && folders || how == within && around {
			d.add(r)
		}
		switch {
		case how >= within:
			return
		case how == folder && folders:
			around, folders = false, false
		case how == anyFolder:
			folders = false
		}
	}
	if around {
		d.add(&c.top)
	}
}
