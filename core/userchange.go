package core

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Custom holds custom attributes: scalars or arrays of scalars, as the JSON that was sent.
type Custom map[string]json.RawMessage

// isCustomKey is the rule for names of custom attributes (Users API, "Custom attributes").
func isCustomKey(s string) bool { return only(s, lettersAndDigits+"_", 1, 64) }

// maxCustomSize bounds custom attributes, in bytes of JSON.
const maxCustomSize = 16 << 10

// validate refuses names and values that the API does not allow.
func (c Custom) validate() error {
	size := 0
	for name, value := range c {
		if !isCustomKey(name) {
			return invalid("custom", "Custom keys must have 1 to 64 letters, digits and underscores")
		}
		size += len(name) + plainLength(value)
		var v any
		if err := json.Unmarshal(value, &v); err != nil || !flat(v) {
			return invalid("custom", "Custom values must be strings, numbers, booleans, null or arrays of those")
		}
	}
	if size > maxCustomSize {
		return invalid("custom", "Custom is too large (maximum is 16 KiB)")
	}
	return nil
}

// flat reports whether v is a scalar or an array of scalars.
func flat(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return false
	case []any:
		for _, e := range v {
			switch e.(type) {
			case map[string]any, []any:
				return false
			}
		}
	}
	return true
}

// UserChange is what a caller wants to set of a user. What is nil stays as it is.
type UserChange struct {
	Type                 *UserType // of a new user only
	State                *State
	Username             *string
	Email                *string
	EmailVerification    *EmailVerification
	FirstName, LastName  *string // of a human user
	Name                 *string // of an api user
	Reference            *string
	Custom               *Custom // replaces all of it
	Password             *string
	PasswordConfirmation *string // checked where given
	HasPassword          *bool   // a password is to be set only where there is one (true), or none (false); nil = either
	PasswordHash         *string // instead of Password: a hash that another system made, of a kind in docs/passwords.md
	APIKey               *string // of an api user, the first; "" or GenerateAPIKey makes one

	// Of a new user only: what to make them a member of.
	Org         *OrgChange // an org that is made with them
	OrgIDs      []OrgID    // orgs that are there; at most MaxMemberships
	Permissions *[]string  // in each of them; with neither, of a membership in no org
}

// apply sets what in asks for, normalised.
func (u *User) apply(in UserChange) error {
	var errs fieldErrors
	if in.State != nil {
		errs.check(*in.State == StateActive || *in.State == StateInactive, "state", "State must be active or inactive")
		u.State = *in.State
	}
	if in.Username != nil && (*in.Username != "" || u.Type == UserHuman) {
		name, err := normaliseUsername(*in.Username)
		errs.add(err)
		u.Username = name
	}
	if in.Email != nil {
		u.Email = ""
		if *in.Email != "" {
			email, err := normaliseEmail(*in.Email)
			errs.add(err)
			u.Email = email
		}
	}
	if v := in.EmailVerification; v != nil {
		errs.check(*v == EmailNone || *v == EmailRequested || *v == EmailVerified, "email_verification", "Email verification must be none, requested or verified")
		u.EmailVerification = *v
	}
	errs.personal(u, &u.FirstName, in.FirstName, "first_name", "First name")
	errs.personal(u, &u.LastName, in.LastName, "last_name", "Last name")
	errs.text(&u.Reference, in.Reference, "reference", "Reference")
	if u.Type == UserAPI {
		errs.name(&u.APIName, in.Name, "name", "Name")
	}
	if in.Custom != nil {
		errs.add(in.Custom.validate())
		u.Custom = *in.Custom
	}
	return errs.err()
}

// errPasswordThere says that a user has what another call is about to make.
var errPasswordThere = invalid("user_id", "User has a password already")

// passwordFits refuses to set a password where there is none to replace, or one that is not to be. It is asked before a
// change is worth a hash, and again of the user that the change is made of.
func (u *User) passwordFits(in UserChange) error {
	_, there := u.has(CredentialPassword)
	switch {
	case in.HasPassword == nil || *in.HasPassword == there:
		return nil
	case there:
		return errPasswordThere
	}
	return ErrCredentialNotFound
}

// applyNew sets what in says of a new user, and refuses one that lacks what its type requires, all at once: it is for
// somebody who filled in a form.
func (u *User) applyNew(in UserChange) error {
	var errs fieldErrors
	errs.check(u.Type == UserHuman || u.Type == UserAPI, "user_type", "User type must be human or api")
	errs.add(u.apply(in))
	errs.check(u.Username != "" || u.Type == UserAPI || errs.about("username"), "username", "Username can't be blank")
	errs.check(u.Email != "" || u.Type == UserAPI || errs.about("email"), "email", "Email can't be blank")
	return errs.err()
}

// completeChange refuses a change that takes away what the type requires. What was never there, as in users
// that an APT made, may stay away.
func (u *User) completeChange(before *User) error {
	var errs fieldErrors
	errs.check(u.Username != "", "username", "Username can't be blank")
	errs.check(u.Email != "" || u.Type == UserAPI || before.Email == "", "email", "Email can't be blank")
	return errs.err()
}

// maxTextLength bounds names and references, in characters.
const maxTextLength = 255

// fieldErrors gathers complaints about attributes, in order.
type fieldErrors []FieldError

// check complains unless ok.
func (f *fieldErrors) check(ok bool, attribute, message string) {
	if !ok {
		*f = append(*f, FieldError{attribute, message})
	}
}

// about reports whether there is a complaint about an attribute.
func (f fieldErrors) about(attribute string) bool {
	return slices.ContainsFunc(f, func(e FieldError) bool { return e.Attribute == attribute })
}

// add takes over the complaints of err, which is nil or KindInvalid.
func (f *fieldErrors) add(err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		*f = append(*f, e.Fields...)
	}
}

// text sets *to to what is asked for, if anything.
func (f *fieldErrors) text(to, from *string, attribute, label string) {
	if from == nil {
		return
	}
	if utf8.RuneCountInString(*from) > maxTextLength {
		f.check(false, attribute, label+" is too long (maximum is 255 characters)")
	}
	if !utf8.ValidString(*from) || strings.ContainsRune(*from, 0) {
		f.check(false, attribute, label+" contains characters that are not allowed")
	}
	*to = *from
}

// name is text for what people read: one of blanks alone is none, so that nothing is called by it.
func (f *fieldErrors) name(to, from *string, attribute, label string) {
	f.text(to, from, attribute, label)
	if strings.TrimSpace(*to) == "" {
		*to = ""
	}
}

// personal is name for what only people have (Users API, "Fields", human only). Api users may be sent back as they were got.
func (f *fieldErrors) personal(u *User, to, from *string, attribute, label string) {
	if from != nil && u.Type == UserAPI && *from != "" && *from != *to {
		f.check(false, attribute, label+" is for human users only")
		return
	}
	f.name(to, from, attribute, label)
}

// err returns all complaints as one KindInvalid error, or nil.
func (f fieldErrors) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Code: "validation", Fields: f}
}
