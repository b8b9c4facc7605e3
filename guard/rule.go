package guard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// rule is a Rule as a Guard uses it.
type rule struct {
	set     Rule   // as it was set, for those who ask which one decides
	name    string // likewise
	methods []string
	public  bool
	policy  policy

	patterns [pathReadings][]pattern // of its paths, each as it is to be read
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
	one := rule{set: r, name: name, public: r.Public, methods: r.Methods}
	var errs []error
	for _, text := range r.Paths {
		p, ok := newPattern(text)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %q is no path like /admin, /admin/* or /users/*/avatar", name, text))
			continue
		}
		read := [pathReadings]pattern{spelled: p, loose: p.loose(), short: p.loose(), whole: p.loose(), bare: p.bare()}
		if r.Public { // that /app.js is opens neither /app nor /app.css
			read[bare] = read[loose]
		}
		for how, p := range read {
			one.patterns[how] = append(one.patterns[how], p)
		}
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

// pathReading is a way to read a request and its path.
type pathReading uint8

const (
	spelled pathReading = iota // as they are
	loose                      // by one who minds neither case nor a slash at the end
	short                      // nor an ending of the path
	whole                      // likewise, but that /admin/* is not for /admin
	bare                       // nor, besides, the ending that a rule has
	pathReadings
)

// matches reports whether the rule is for a request, of which path is what a reading makes of the path. Unless it is read as it is spelled, CONNECT is
// GET: a WebSocket over HTTP/2 or HTTP/3 begins with the one (RFC 8441, RFC 9220), and reaches an app that speaks HTTP/1.1 as the other.
func (r *rule) matches(method, path string, how pathReading) bool {
	if how != spelled {
		if method = strings.ToUpper(method); method == http.MethodConnect {
			method = http.MethodGet
		}
	}
	if !r.takesMethod(method) {
		return false
	}
	patterns := r.patterns[how]
	if len(patterns) == 0 {
		return true
	}
	for i := range patterns {
		if patterns[i].matches(path, how != spelled && how != whole) {
			return true
		}
	}
	return false
}

// names reports whether a path of the rule says what the last segment of path is, which it matches.
func (r *rule) names(path string) bool {
	return r != nil && slices.ContainsFunc(r.patterns[spelled], func(p pattern) bool {
		return !p.rest && p.segments[len(p.segments)-1] == path[strings.LastIndexByte(path, '/')+1:] && p.matches(path, false)
	})
}

// endsAt reports whether a path of the rule, and not one for all that follows, is a path as it is read in whole.
func (r *rule) endsAt(path string) bool {
	return r != nil && slices.ContainsFunc(r.patterns[whole], func(p pattern) bool { return !p.rest && p.matches(path, false) })
}

// hasEnding reports whether a path of the rule loses an ending where it is read bare.
func (r *rule) hasEnding() bool {
	return !slices.EqualFunc(r.patterns[loose], r.patterns[bare], func(p, q pattern) bool { return slices.Equal(p.segments, q.segments) })
}

// takesMethod reports whether the rule is for a method. What is for GET is for HEAD.
func (r *rule) takesMethod(method string) bool {
	return len(r.methods) == 0 || slices.Contains(r.methods, method) || method == http.MethodHead && slices.Contains(r.methods, http.MethodGet)
}

// demand is what a request must satisfy: one policy, or more where its path can be read in several ways.
type demand struct {
	public   bool // anybody may pass, even while it cannot be known who that is
	optional bool // anybody may pass
	policies [pathReadings]*policy
	rules    [pathReadings]*rule // whose they are; nil = none's
}

// demands returns what r must satisfy, or why it cannot be judged.
func (c *compiled) demands(r *http.Request) (demand, *Refusal) {
	if isTrace(r) {
		return demand{}, &refuseTrace
	}
	if len(c.rules) == 0 {
		return c.demandOf(nil), nil
	}
	path, ok := plainPath(r.URL)
	if !ok {
		return demand{}, &refuseAmbiguous
	}
	if c.byMethod && overridesMethod(r) {
		return demand{}, &refuseMethod
	}
	d := c.demandsAt(r.Method, path)
	if marked := markedPath(r.URL); marked != "" && c.demandsAt(r.Method, marked) != d {
		return demand{}, &refuseAmbiguous
	}
	return d, nil
}

// demandsAt returns what a request for a path must satisfy.
func (c *compiled) demandsAt(method, path string) demand {
	read := loosely(path)
	asSpelled, asRead := c.first(method, path, spelled), c.first(method, read, loose)
	d := c.demandOf(asSpelled)
	if asRead != asSpelled {
		d.add(loose, c.demandOf(asRead))
	}
	named, without := asSpelled.names(path), withoutEnding(read)
	if named {
		without = read
	}
	asWhole := c.first(method, without, whole) // or a rule for /users/* would come before one for /users, of which /users/ is another spelling
	if asWhole != asSpelled && asWhole != asRead && asWhole.endsAt(without) {
		d.add(whole, c.demandOf(asWhole))
	}
	if named || !c.byEnding && len(without) == len(read) {
		return d
	}
	asShort, asBare := c.first(method, without, short), c.first(method, without, bare) // two, or a rule for /admin.css would come before one for /admin
	if asShort != asSpelled && asShort != asRead {
		d.add(short, c.demandOf(asShort))
	}
	if asBare != asSpelled && asBare != asRead && asBare != asShort {
		d.add(bare, c.demandOf(asBare))
	}
	return d
}

// add has d ask for what is asked for by another reading, too.
func (d *demand) add(how pathReading, other demand) {
	d.optional = (d.optional || d.public) && (other.optional || other.public)
	d.public = d.public && other.public
	d.policies[how], d.rules[how] = other.policies[spelled], other.rules[spelled]
}

// first returns the first rule for a request, or nil.
func (c *compiled) first(method, path string, how pathReading) *rule {
	for i := range c.rules {
		if c.rules[i].matches(method, path, how) {
			return &c.rules[i]
		}
	}
	return nil
}

// demandOf returns what a rule asks for; nil stands for what holds without one.
func (c *compiled) demandOf(r *rule) demand {
	if r == nil {
		return demand{optional: c.Optional, policies: [pathReadings]*policy{&c.top}}
	}
	return demand{public: r.public, policies: [pathReadings]*policy{&r.policy}, rules: [pathReadings]*rule{r}}
}
