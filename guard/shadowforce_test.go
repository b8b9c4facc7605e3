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
var shadowed = regexp.MustCompile(`(?m)^(public|rule \d+) never decides: all of it is for (.*), and the first`)

// TestShadowedByForce draws rules, and holds what is said of them against what becomes of all requests of a small world: a rule is refused if, and only
// if, it decides about none, and those that are named instead of it are for all that it is for.
func TestShadowedByForce(t *testing.T) {
	requests := someRequests()
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{Rules: rapid.SliceOfN(drawnRules, 1, 5).Draw(t, "rules"), Public: rapid.SliceOfN(drawnPath, 0, 2).Draw(t, "open")}
		c, err := s.compile()
		said := map[string]string{}
		if err != nil {
			for _, m := range shadowed.FindAllStringSubmatch(err.Error(), -1) {
				said[m[1]] = m[2]
			}
			if len(said) != strings.Count(err.Error(), "\n")+1 {
				t.Fatalf("Validate says more than what is shadowed: %v", err)
			}
		}
		decides := map[string]bool{}
		for _, r := range requests {
			d, why := c.demands(r)
			if why != nil {
				t.Fatalf("%s %s is refused: %v", r.Method, r.URL, why)
			}
			for i := range c.rules {
				one := &c.rules[i]
				if slices.Contains(d.rules[:], one) {
					decides[one.name] = true
				}
				if by := said[one.name]; by != "" && one.matches(r.Method, r.URL.Path, false) && !slices.ContainsFunc(c.rules, func(o rule) bool {
					return slices.Contains(strings.Split(by, " and "), o.name) && o.matches(r.Method, r.URL.Path, false)
				}) {
					t.Fatalf("%s is said to be for %s alone, and none of these is for %s %s", one.name, by, r.Method, r.URL.Path)
				}
			}
		}
		for i := range c.rules {
			if name := c.rules[i].name; decides[name] == (said[name] != "") {
				t.Fatalf("%s decides: %t; said to be in the shadow of %q", name, decides[name], said[name])
			}
		}
	})
}
