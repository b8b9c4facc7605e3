package guard_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestShadowedTop holds that what is asked for beside rules is refused where they leave nothing to it.
func TestShadowedTop(t *testing.T) {
	fly := guard.Policy{Require: []string{"fly"}}
	all := []guard.Rule{{Paths: []string{"/a", "/*"}}}
	for _, tt := range []struct {
		name     string
		settings guard.Settings
		want     string // "" = all is well
	}{
		{"everything by a rule", guard.Settings{Policy: fly, Rules: all}, `what holds where no rule matches, {"require":["fly"]} never decides: all of it is for rule 1, and`},
		{"everything public", guard.Settings{Policy: fly, Public: []string{"/*"}}, "all of it is for public, and"},
		{"optional", guard.Settings{Optional: true, Rules: all}, "optional never decides: all of it is for rule 1, and"},
		{"nothing asked", guard.Settings{Rules: all}, ""},
		{"some paths", guard.Settings{Policy: fly, Rules: []guard.Rule{{Paths: []string{"/", "/a/*", "/*/b"}}}}, ""},
		{"some methods", guard.Settings{Policy: fly, Rules: []guard.Rule{{Methods: []string{"GET", "POST"}, Paths: []string{"/*"}}, {Methods: []string{"PUT"}}}}, ""},
	} {
		if err := tt.settings.Validate(); tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: Validate = %v; want %q alone", tt.name, err, tt.want)
		}
	}
}

// TestShadowedRules holds that a rule which could never decide is refused, and no other. "" = all is well.
func TestShadowedRules(t *testing.T) {
	of := func(methods string, paths ...string) guard.Rule {
		return guard.Rule{Methods: strings.Fields(methods), Paths: paths, Policy: guard.Policy{MFA: true}}
	}
	for _, tt := range []struct {
		name   string
		public []string
		rules  []guard.Rule
		want   string
	}{
		{"twice", nil, []guard.Rule{of("", "/admin/*"), of("", "/admin/*")}, "rule 2 never decides: all of it is for rule 1"},
		{"below", nil, []guard.Rule{of("", "/admin/*"), of("", "/admin/users/*", "/admin/*/x")}, "all of it is for rule 1"},
		{"public", []string{"/admin/*"}, []guard.Rule{of("", "/admin/x")}, "rule 1 never decides: all of it is for public, and the first that matches decides; public comes before all rules, so make its paths a rule that is public, after"},
		{"and another", []string{"/a"}, []guard.Rule{of("", "/a"), of("", "/b"), of("", "/b")}, "after what is narrower\nrule 3 never decides"},
		{"a slip before", nil, []guard.Rule{of("", "a"), of("", "/b")}, `rule 1: "a" is no path`},
		{"a full-width star", nil, []guard.Rule{of("", "/＊/x")}, `rule 1: "/＊/x" is no path`},
		{"by two", []string{"/a"}, []guard.Rule{of("", "/b"), of("", "/a", "/b")}, "all of it is for public and rule 1"},
		{"all methods", nil, []guard.Rule{of("", "/a"), of("GET", "/a")}, "never decides"},
		{"HEAD is for GET", nil, []guard.Rule{of("GET POST", "/a"), of("HEAD", "/a")}, "never decides"},
		{"all paths", nil, []guard.Rule{of("DELETE"), of("DELETE", "/a")}, "never decides"},
		{"methods alone", nil, []guard.Rule{of("DELETE PUT"), of("PUT")}, "never decides"},
		{"everything", nil, []guard.Rule{of("", "/*"), of("", "/a/")}, "never decides"},
		{"everything, then methods", nil, []guard.Rule{of("", "/*"), of("DELETE")}, "rule 2 never decides: all of it is for rule 1"},
		{"a method each", nil, []guard.Rule{of("GET", "/a"), of("POST", "/a"), of("GET POST", "/a")}, "rule 3 never decides: all of it is for rule 1 and rule 2"},
		{"a segment", nil, []guard.Rule{of("", "/a/*/b"), of("", "/a/x/b")}, "never decides"},

		{"narrower first", []string{"/open"}, []guard.Rule{of("", "/admin/x"), of("", "/admin/*"), of("", "/*")}, ""},
		{"some of it", nil, []guard.Rule{of("", "/a"), of("", "/a", "/b")}, ""},
		{"other methods", nil, []guard.Rule{of("GET", "/a"), of("GET POST", "/a"), of("", "/a")}, ""},
		{"GET is not for HEAD", nil, []guard.Rule{of("HEAD", "/a"), of("GET", "/a")}, ""},
		{"the path itself", nil, []guard.Rule{of("", "/admin/*"), of("", "/admin")}, ""},
		{"other lengths", nil, []guard.Rule{of("", "/a/*/b"), of("", "/a/x/*"), of("", "/a/*/c/*"), of("", "/*/b")}, ""},
		{"an empty segment", nil, []guard.Rule{of("", "/*/x"), of("", "/a/")}, ""},
		{"some paths, then methods", nil, []guard.Rule{of("", "/a/*"), of("DELETE")}, ""},
		{"a method more", nil, []guard.Rule{of("GET", "/a"), of("POST", "/a"), of("GET POST PUT", "/a")}, ""},
	} {
		err := guard.Settings{Public: tt.public, Rules: tt.rules}.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") != strings.Count(tt.want, "\n")) {
			t.Errorf("%s: Validate = %v; want %q", tt.name, err, tt.want)
		}
	}
}
