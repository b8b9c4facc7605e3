package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/sidecar"
)

// drawnPolicies ask for anything, and for what nobody takes.
var drawnPolicies = rapid.Custom(func(t *rapid.T) guard.Policy {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"app:read", "a", "fly*", "yes", "null", "1", "public", "a,b", "a b", "ä", `q"x`}), 1, 3)
	lists := rapid.OneOf(rapid.Just([]string(nil)), rapid.Just([]string(nil)), names)
	p := guard.Policy{
		UserType: rapid.SampledFrom([]core.UserType{"", "", "human", "api", "robot"}).Draw(t, "type"), Org: rapid.SampledFrom([]core.OrgID{"", "", "org_1", "org 1"}).Draw(t, "org"),
		Require: lists.Draw(t, "all"), RequireAny: lists.Draw(t, "any"), EmailVerified: rapid.Bool().Draw(t, "email"), MFA: rapid.Bool().Draw(t, "mfa"),
		VouchedBy: rapid.SampledFrom([][]string{nil, nil, nil, {"postern"}, {"idp"}}).Draw(t, "vouched by"),
	}
	if age := rapid.SampledFrom([]time.Duration{-1, -1, 0, time.Second, 15 * time.Minute, 90 * time.Minute, 24 * time.Hour}).Draw(t, "within"); age >= 0 {
		p.SignedInWithin = new(guard.Duration(age))
	}
	return p
})

var drawnPaths = rapid.SliceOfN(rapid.SampledFrom([]string{"/", "/*", "/a", "/A/*", "/a/*/b", "/a.css", "/über uns", "/#1", "/a:b", "/@me", "/'a'", `/"a"`, "/a&b", "/~", "/null", "a", "/:id", "/a;b"}), 1, 3)

// drawnSettings are a policy, and rules that say otherwise.
var drawnSettings = rapid.Custom(func(t *rapid.T) guard.Settings {
	var s guard.Settings
	if rapid.Bool().Draw(t, "at the top") {
		s.Policy = drawnPolicies.Draw(t, "policy")
	}
	s.Optional = rapid.IntRange(0, 4).Draw(t, "optional") == 0
	if rapid.Bool().Draw(t, "some public") {
		s.Public = drawnPaths.Draw(t, "open")
	}
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		r := guard.Rule{Public: rapid.IntRange(0, 3).Draw(t, "public") == 0, Methods: rapid.SliceOfN(rapid.SampledFrom([]string{"GET", "POST", "DELETE", "get", "NO"}), 0, 2).Draw(t, "methods")}
		if len(r.Methods) == 0 {
			r.Methods = nil
		}
		if rapid.IntRange(0, 3).Draw(t, "paths") > 0 {
			r.Paths = drawnPaths.Draw(t, "path")
		}
		if !r.Public || rapid.IntRange(0, 9).Draw(t, "though public") == 0 {
			r.Policy = drawnPolicies.Draw(t, "policy")
		}
		s.Rules = append(s.Rules, r)
	}
	return s
})

// word is a setting as it is told: its name, and what it is: true, a text or texts.
type word struct {
	name string
	said any
}

// wordsOf returns what settings say but for their rules, or a rule but for its paths.
func wordsOf(public any, methods []string, optional bool, p guard.Policy) (all []word) {
	say := func(name string, is bool, said any) {
		if is {
			all = append(all, word{name, said})
		}
	}
	paths, _ := public.([]string)
	say("public", public == true || len(paths) > 0, public)
	say("method", len(methods) > 0, methods)
	say("optional", optional, true)
	say("user_type", p.UserType != "", string(p.UserType))
	say("vouched_by", p.VouchedBy != nil, p.VouchedBy)
	say("require", p.Require != nil, p.Require)
	say("require_any", p.RequireAny != nil, p.RequireAny)
	say("org", p.Org != "", string(p.Org))
	say("email_verified", p.EmailVerified, true)
	say("mfa", p.MFA, true)
	if p.SignedInWithin != nil {
		say("signed_in_within", true, time.Duration(*p.SignedInWithin).String())
	}
	return all
}

// inCaddyfile tells settings as a Caddyfile does.
func inCaddyfile(s guard.Settings) string {
	var b strings.Builder
	line := func(name string, args ...string) {
		b.WriteString(name)
		for _, arg := range args {
			b.WriteString(` "` + strings.ReplaceAll(arg, `"`, `\"`) + `"`)
		}
	}
	block := func(words []word) {
		b.WriteString(" {\n")
		for _, w := range words {
			switch said := w.said.(type) {
			case bool:
				line(w.name)
			case string:
				line(w.name, said)
			case []string:
				line(w.name, said...)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString(":8080\npostern_auth")
	block(wordsOf(s.Public, nil, s.Optional, s.Policy))
	for _, r := range s.Rules {
		line("rule", r.Paths...)
		block(wordsOf(r.Public, r.Methods, false, r.Policy))
		b.WriteString("}\n")
	}
	return b.String() + "}\n"
}

// inYAML tells settings as the file of the sidecar does.
func inYAML(s guard.Settings) string {
	told := func(words []word) (all []string) {
		for _, w := range words {
			text, _ := json.Marshal(w.said) // which is YAML too
			all = append(all, w.name+": "+string(text))
		}
		return all
	}
	var rules []string
	for _, r := range s.Rules {
		words := wordsOf(r.Public, r.Methods, false, r.Policy)
		if r.Paths != nil {
			words = append(words, word{"path", r.Paths})
		}
		rules = append(rules, "\n  - {"+strings.Join(told(words), ", ")+"}")
	}
	lines := append(told(wordsOf(s.Public, nil, s.Optional, s.Policy)), "upstream: http://127.0.0.1:3000")
	if len(rules) > 0 {
		lines = append(lines, "rules:"+strings.Join(rules, ""))
	}
	return strings.Join(lines, "\n") + "\n"
}

// fromCaddyfile reads what inCaddyfile tells.
func fromCaddyfile(text string) (string, error) {
	said := adapted(text)
	var tree struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Routes []struct{ Handle []json.RawMessage }
				}
			} `json:"http"`
		}
	}
	if err := json.Unmarshal([]byte(said), &tree); err != nil {
		return "", fmt.Errorf("%s", said)
	}
	for _, server := range tree.Apps.HTTP.Servers {
		var a Auth
		if err := json.Unmarshal(server.Routes[0].Handle[0], &a); err != nil {
			return "", err
		}
		if err := resolveTexts(&a.Settings); err != nil { // as when it is provisioned
			return "", err
		}
		return asJSON(a.Settings), nil
	}
	return "", fmt.Errorf("no server: %s", said)
}

func asJSON(s guard.Settings) string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestOneMeaning draws policies and rules, good ones and bad, tells each in Go, JSON, YAML and a Caddyfile, and holds that all four mean the same: what is
// read is the same, and so is whether it is taken, and what is said of it where not.
func TestOneMeaning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "postern.yaml")
	rapid.Check(t, func(t *rapid.T) {
		s := drawnSettings.Draw(t, "settings")
		want, complaint := asJSON(s), fmt.Sprint(s.Validate())

		var fromJSON guard.Settings
		if err := json.Unmarshal([]byte(want), &fromJSON); err != nil || asJSON(fromJSON) != want || fmt.Sprint(fromJSON.Validate()) != complaint {
			t.Fatalf("JSON %s reads as %s, %v, %v; want %s", want, asJSON(fromJSON), err, fromJSON.Validate(), complaint)
		}
		yaml := inYAML(s)
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := sidecar.Gather(sidecar.Source{File: file})
		if err != nil || asJSON(o.Guard) != want || fmt.Sprint(o.Guard.Validate()) != complaint {
			t.Fatalf("YAML\n%sreads as %s, %v; want %s", yaml, asJSON(o.Guard), err, want)
		}
		caddyfile := inCaddyfile(s)
		got, err := fromCaddyfile(caddyfile)
		first, _, _ := strings.Cut(complaint, "\n")
		if refused := err != nil && strings.Contains(err.Error(), first); complaint == "<nil>" && (err != nil || got != want) || complaint != "<nil>" && !refused {
			t.Fatalf("Caddyfile\n%sreads as %s, %v; want %s, %s", caddyfile, got, err, want, complaint)
		}
	})
}
