package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// resolveTexts replaces the placeholders in all texts of settings, a pointer to what a configuration holds, and returns all complaints at once.
// It goes by how the settings look in JSON, so that a setting that is added is not forgotten. Names, such as those of headers, stay.
func resolveTexts(settings any) error {
	r := &resolver{replacer: caddy.NewReplacer()}
	before, err := treeOf(settings)
	if err != nil {
		return err
	}
	after := eachText("", before, func(name, value string) string {
		r.complain(checkPlaceholders(name, value))
		return r.text(name, value)
	})
	if err := errors.Join(r.errs...); err != nil {
		return err
	}
	text, err := json.Marshal(after)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, settings)
}

// checkParsed has a Caddyfile's settings checked, so that a complaint names the line. Those that hold placeholders are complete, and are
// checked, only where Caddy provisions them.
func checkParsed(d *caddyfile.Dispenser, settings any, check func() error) error {
	tree, err := treeOf(settings)
	incomplete := false
	eachText("", tree, func(name, value string) string {
		err = errors.Join(err, checkPlaceholders(name, value))
		incomplete = incomplete || placeholder.MatchString(value)
		return value
	})
	if err == nil && !incomplete {
		err = check()
	}
	if err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// anyPlaceholder is what Caddy takes for one.
var anyPlaceholder = regexp.MustCompile(`\{[^{}]+\}`)

// checkPlaceholders refuses placeholders that have no value before a request comes.
func checkPlaceholders(name, value string) error {
	if unknown := anyPlaceholder.FindString(placeholder.ReplaceAllString(value, "")); unknown != "" {
		return fmt.Errorf("%s: %s has no value when a configuration is loaded; there are {env.NAME} and {file./path}", name, unknown)
	}
	return nil
}

// treeOf returns settings as JSON has them.
func treeOf(settings any) (tree any, err error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	return tree, json.Unmarshal(text, &tree)
}

// eachText returns a tree with every text replaced by what f makes of it and the name of the setting that it is in.
func eachText(name string, tree any, f func(name, value string) string) any {
	switch tree := tree.(type) {
	case string:
		return f(name, tree)
	case []any:
		for i := range tree {
			tree[i] = eachText(name, tree[i], f)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(tree)) { // so that complaints come in one order
			tree[key] = eachText(key, tree[key], f)
		}
	}
	return tree
}
