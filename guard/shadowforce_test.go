package guard

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawnRules are rules over few letters, so that they get in each other's way.
var drawnRules = rapid.Custom(func(t *rapid.T) Rule {
	var r Rule
	for range rapid.IntRange(0, 3).Draw(t, "paths") {
		r.Paths = append(r.Paths, drawnPath.Draw(t, "path"))
	}
	r.Methods = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"GET", "HEAD", "POST", "CONNECT"}), 0, 2, rapid.ID).Draw(t, "methods")
	if len(r.Paths) == 0 && len(r.Methods) == 0 {
		r.Methods = []string{"GET"}
	}
	r.Public = rapid.Bool().Draw(t, "public")
	return r
})

var drawnPath = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "A", "ａ", "*", "*"}), 0, 3), func(segments []string) string {
	return "/" + strings.Join(segments, "/")
})

// someRequests are for all paths of up to three segments of these letters and another with and without a slash at the end.
func someRequests() (all []*http.Request) {
	paths := []string{""}
	for begun := paths; len(begun[0]) < 6; {
		var longer []string
		for _, path := range begun {
			for _, segment := range []string{"a", "b", "A", "ａ", "z"} {
				longer = append(longer, path+"/"+segment)
			}
		}
		paths, begun = append(paths, longer...), longer
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "CONNECT", "PUT", "post"} {
			all = append(all, &http.Request{Method: method, URL: &url.URL{Path: path + "/"}})
			if path != "" {
				all = append(all, &http.Request{Method: method, URL: &url.URL{Path: path}})
			}
		}
	}
	return all
}

// shadowed finds what is said of a rule that never decides.
var shadowed = regexp.MustCompile(`(?m)^(public|rule \d+|optional|what holds where no rule matches)(?:, \S+)? never decides: all of it is for (.*), and the first`)

// saidOf returns of which rules a complaint says that they never decide, and which others it says they are for.
func saidOf(t *rapid.T, complaint error) map[string][]string {
	said := map[string][]string{}
	if complaint == nil {
		return said
	}
	for _, m := range shadowed.FindAllStringSubmatch(complaint.Error(), -1) {
		said[strings.Replace(m[1], "optional", withoutRule, 1)] = strings.Split(m[2], " and ")
	}
	if len(said) != strings.Count(complaint.Error(), "\n")+1 {
		t.Fatalf("Validate says more than what is shadowed: %v", complaint)
	}
	return said
}

// TestShadowedByForce draws rules, and holds what is said of them against what becomes of all requests of a small world: a rule, or what holds without
// one, is refused if, and only if, it decides about none, and those that are named instead of it are for all that it is for.
func TestShadowedByForce(t *testing.T) {
	requests := someRequests()
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{Rules: rapid.SliceOfN(drawnRules, 1, 5).Draw(t, "rules"), Public: rapid.SliceOfN(drawnPath, 0, 2).Draw(t, "open")}
		if s.Optional = rapid.Bool().Draw(t, "optional"); !s.Optional {
			s.Policy.MFA = rapid.Bool().Draw(t, "mfa")
		}
		c, err := s.compile()
		said := saidOf(t, err)
		decides := map[string]bool{withoutRule: s.Policy.isZero() && !s.Optional} // which says nothing then
		for _, r := range requests {
			d, why := c.demands(r)
			if why != nil {
				t.Fatalf("%s %s is refused: %v", r.Method, r.URL, why)
			}
			decides[withoutRule] = decides[withoutRule] || slices.Contains(d.rules[:], &c.top)
			for i := range c.rules {
				one := &c.rules[i]
				decides[one.name] = decides[one.name] || slices.Contains(d.rules[:], one)
				if by := said[one.name]; by != nil && one.matches(r.Method, r.URL.Path) && !slices.ContainsFunc(c.rules, func(o rule) bool {
					return slices.Contains(by, o.name) && o.matches(r.Method, r.URL.Path)
				}) {
					t.Fatalf("%s is said to be for %q alone, and none of these is for %s %s", one.name, by, r.Method, r.URL.Path)
				}
			}
		}
		for name, does := range decides {
			if does == (said[name] != nil) {
				t.Fatalf("%s decides: %t; said to be for %q alone", name, does, said[name])
			}
		}
	})
}
