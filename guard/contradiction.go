package guard

import (
	"errors"
	"fmt"
	"slices"

	"github.com/postern-auth/postern/core"
)

// validateUse refuses settings that would do nothing beside the sources, which whoever set them would not notice. given is what was
// set, without defaults.
func (c *compiled) validateUse(given Settings) error {
	var errs []error
	if given.PassToken && !c.sources.bearer {
		errs = append(errs, errors.New("pass_token: there is no bearer token to pass on where from does not name bearer"))
	}
	if given.APIKeyHeader != "" && !c.sources.key {
		errs = append(errs, errors.New("api_key_header: API keys are taken only where from names api_key"))
	}
	return errors.Join(errs...)
}

// validateAdmission refuses policies that nobody could satisfy.
func (c *compiled) validateAdmission() error {
	var errs []error
	for _, p := range c.policies() {
		errs = append(errs, c.admitsNobody(p.where, p.Policy))
	}
	return errors.Join(errs...)
}

// policyOf is a Policy with what begins the complaints about it.
type policyOf struct {
	where string
	Policy
}

// policies are all that are set.
func (c *compiled) policies() []policyOf {
	all := []policyOf{{"", c.Policy}}
	for i, r := range c.Rules {
		all = append(all, policyOf{fmt.Sprintf("rule %d: ", i+1), r.Policy})
	}
	return all
}

// admitsNobody returns why nobody could be what p asks for, neither a user of the realm nor of an issuer, or nil. where begins its complaints.
func (c *compiled) admitsNobody(where string, p Policy) error {
	takes := func(name string) bool { return len(p.VouchedBy) == 0 || slices.Contains(p.VouchedBy, name) }
	var errs []error
	for _, o := range c.issuers {
		if !takes(o.Name) {
			continue
		}
		lacks := o.lacks(p)
		if len(lacks) == 0 {
			return nil
		}
		for _, setting := range lacks {
			errs = append(errs, fmt.Errorf("%s%s: as it is set up here, no user of the issuer %s could satisfy this", where, setting, o.Name))
		}
	}
	if takes(ownVoucher) {
		err := c.admitsNone(where, p)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// admitsNone returns why no user of a realm could be what p asks for, or nil.
func (c *compiled) admitsNone(where string, p Policy) error {
	var errs []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(where+format, args...))
		}
	}
	for _, list := range p.permissionLists() {
		for _, name := range list.names {
			complain(mayBePermission(name) && !core.IsPermission(name), "%s: %q is no permission; they have 1 to 62 letters, digits and * : ; . _ -", list.setting, name)
		}
	}
	keysAlone := c.sources == sourceSet{key: true}
	for _, signIn := range []struct {
		setting string
		asked   bool
	}{{"mfa", p.MFA}, {"signed_in_within", p.SignedInWithin != nil}} {
		complain(signIn.asked && p.UserType == core.UserAPI, "user_type api contradicts %s: an API key is no sign-in", signIn.setting)
		complain(signIn.asked && keysAlone, "%s asks for a sign-in, and from names api_key alone, which is none", signIn.setting)
	}
	complain(p.UserType == core.UserHuman && keysAlone, "user_type is human, and from names api_key alone, which people do not have")
	return errors.Join(errs...)
}

// lacks returns what of p no user of the issuer could be, by the names of the settings.
func (o *outside) lacks(p Policy) []string {
	tells := func(what string) bool { return len(o.claims[what]) > 0 }
	verifies := tells("email") && (o.Emails == EmailsTrusted || tells("email_verified"))
	var settings []string
	for _, s := range []struct {
		name  string
		lacks bool
	}{
		{"user_type", p.UserType != "" && p.UserType != o.UserType},
		{"org", p.Org != ""},
		{"require", len(p.Require) > 0 && !tells("permissions")},
		{"require_any", len(p.RequireAny) > 0 && !tells("permissions")},
		{"email_verified", p.EmailVerified && !verifies},
		{"mfa", p.MFA && len(o.MFAMethods) == 0 && len(o.MFAClasses) == 0},
		{"signed_in_within", p.SignedInWithin != nil && !tells("signed_in_at")},
	} {
		if s.lacks {
			settings = append(settings, s.name)
		}
	}
	return settings
}
