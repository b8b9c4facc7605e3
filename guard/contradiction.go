package guard

import (
	"errors"
	"fmt"

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
	if len(c.Issuers) > 0 { // whose users may be anything
		return nil
	}
	errs := []error{c.admitsNobody("", c.Policy)}
	for i, r := range c.Rules {
		errs = append(errs, c.admitsNobody(fmt.Sprintf("rule %d: ", i+1), r.Policy))
	}
	return errors.Join(errs...)
}

// admitsNobody returns why no user of a realm could be what p asks for, or nil. where begins its complaints.
func (c *compiled) admitsNobody(where string, p Policy) error {
	var errs []error
	for _, list := range p.permissionLists() {
		for _, name := range list.names {
			if mayBePermission(name) && !core.IsPermission(name) {
				errs = append(errs, fmt.Errorf("%s%s: %q is no permission; they have 1 to 62 letters, digits and * : ; . _ -", where, list.setting, name))
			}
		}
	}
	keysAlone := c.sources == sourceSet{key: true}
	signIn := p.MFA || p.SignedInWithin != nil
	switch {
	case signIn && p.UserType == core.UserAPI:
		errs = append(errs, fmt.Errorf("%suser_type api contradicts mfa and signed_in_within: an API key is no sign-in", where))
	case signIn && keysAlone:
		errs = append(errs, fmt.Errorf("%smfa and signed_in_within ask for a sign-in, and from names api_key alone, which is none", where))
	case p.UserType == core.UserHuman && keysAlone:
		errs = append(errs, fmt.Errorf("%suser_type is human, and from names api_key alone, which people do not have", where))
	}
	return errors.Join(errs...)
}
