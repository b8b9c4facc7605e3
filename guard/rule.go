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
	strict  []pattern
	loose   []pattern
	methods []string
	public  bool
	policy  policy
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
		one.strict, one.loose = append(one.strict, p), append(one.loose, p.loose())
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

// matches reports whether the rule is for a request. Read loosely, CONNECT is GET: a WebSocket over HTTP/2 or HTTP/3 begins
// with the one (RFC 8441, RFC 9220), and reaches an app that speaks HTTP/1.1 as the other.
func (r *rule) matches(method, path string, loose bool) bool {
	if loose {
		if method = strings.ToUpper(method); method == http.MethodConnect {
			method = http.MethodGet
		}
	}
	if !r.takesMethod(method) {
		return false
	}
	patterns := r.strict
	if loose {
		patterns = r.loose
	}
	if len(patterns) == 0 {
		return true
	}
	for i := range patterns {
		if patterns[i].matches(path, loose) {
			return true
		}
	}
	return false
}

// takesMethod reports whether the rule is for a method. What is for GET is for HEAD.
func (r *rule) takesMethod(method string) bool {
	return len(r.methods) == 0 || slices.Contains(r.methods, method) || method == http.MethodHead && slices.Contains(r.methods, http.MethodGet)
}

// demand is what a request must satisfy: one policy, or two where its path can be read in two ways.
type demand struct {
	public   bool // anybody may pass, even while it cannot be known who that is
	optional bool // anybody may pass
	policies [2]*policy
	rules    [2]*rule // whose they are; nil = none's
}

// demands returns what r must satisfy, or why it cannot be judged.
func (c *compiled) demands(r *http.Request) (demand, *Refusal) {
	if isTrace(r) {
		return demand{}, &refuseTrace
	}
	if len(c.rules) == 0 {
		return demand{optional: c.Optional, policies: [2]*policy{&c.top}}, nil
	}
	path, ok := plainPath(r.URL)
	if !ok {
		return demand{}, &refuseAmbiguous
	}
	if c.byMethod && overridesMethod(r) {
		return demand{}, &refuseMethod
	}
	strict, loose := c.first(r.Method, path, false), c.first(r.Method, loosely(path), true)
	d := c.demandOf(strict)
	if loose == strict {
		return d, nil
	}
	other := c.demandOf(loose)
	d.policies[1], d.rules[1] = other.policies[0], other.rules[0]
	d.public = d.public && other.public
	d.optional = (d.optional || strict.isPublic()) && (other.optional || loose.isPublic())
	return d, nil
}

// isPublic reports whether r, which may be nil, is public.
func (r *rule) isPublic() bool { return r != nil && r.public }

// first returns the first rule for a request, or nil.
func (c *compiled) first(method, path string, loose bool) *rule {
	for i := range c.rules {
		if c.rules[i].matches(method, path, loose) {
			return &c.rules[i]
		}
	}
	return nil
}

// demandOf returns what a rule asks for; nil stands for what holds without one.
func (c *compiled) demandOf(r *rule) demand {
	if r == nil {
		return demand{optional: c.Optional, policies: [2]*policy{&c.top}}
	}
	return demand{public: r.public, policies: [2]*policy{&r.policy}, rules: [2]*rule{r}}
}
