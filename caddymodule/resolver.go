package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// resolver replaces the placeholders of a configuration, and collects what is wrong with it.
type resolver struct {
	replacer *caddy.Replacer
	errs     []error
	files    [][]byte // what was read from files that the configuration names
}

// complain notes what is wrong, unless err is nil.
func (r *resolver) complain(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// text returns a value with its placeholders replaced. One that comes out empty was forgotten: that is a
// complaint, and not the default.
func (r *resolver) text(name, value string) string {
	resolved := strings.TrimSpace(r.replacer.ReplaceKnown(value, ""))
	if value != "" && resolved == "" {
		r.complain(fmt.Errorf("%s: %s is empty, or cannot be read", name, value))
	}
	return resolved
}

// secret is text for a value that must not stand in the configuration itself.
func (r *resolver) secret(name, value string) string {
	if !isSecretSafe(value) {
		r.complain(secretError(name))
		return ""
	}
	return r.text(name, value)
}

// url is text for a URL, in which a password must not stand.
func (r *resolver) url(name, value string) string {
	if !isURLSafe(value) {
		r.complain(secretError(name))
		return ""
	}
	return r.text(name, value)
}

// placeholder is the place of something that is resolved when Caddy starts, and never shown.
var placeholder = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// isSecretSafe reports whether a value is nothing but placeholders.
func isSecretSafe(value string) bool { return placeholder.ReplaceAllString(value, "") == "" }

// isURLSafe reports whether the passwords of a URL, if there are any, are nothing but placeholders.
func isURLSafe(value string) bool {
	_, rest, _ := strings.Cut(placeholder.ReplaceAllString(value, ""), "://")
	rest, parameters, _ := strings.Cut(rest, "?")
	if query, err := url.ParseQuery(parameters); err != nil || query.Get("sentinel_password") != "" {
		return false
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return true
	}
	_, password, _ := strings.Cut(rest[:at], ":")
	return password == ""
}

// secretError says how to give a secret, without repeating it.
func secretError(name string) error {
	return errors.New(name + " holds a secret, which whoever reads the configuration would see;" +
		" give it as {env.NAME} or {file./path} ({$NAME} would be written into the configuration, too)")
}
