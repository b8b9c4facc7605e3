package guard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// isZero reports whether p lets every active user in.
func (p Policy) isZero() bool {
	return p.UserType == "" && len(p.VouchedBy) == 0 && len(p.Require) == 0 && len(p.RequireAny) == 0 && p.Org == "" && !p.EmailVerified && !p.MFA && p.SignedInWithin == nil
}

// policy is a Policy as a Guard uses it.
type policy struct {
	Policy
	any    bool          // isZero
	within time.Duration // SignedInWithin; 0 = it is not asked for
	tooOld Refusal       // says how fresh a sign-in must be
}

// newPolicy checks a Policy and prepares it. where begins its complaints.
func newPolicy(where string, p Policy) (policy, error) {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(where+format, args...)) }
	if p.UserType != "" && p.UserType != core.UserHuman && p.UserType != core.UserAPI {
		complain("user_type is %q; it must be human or api", p.UserType)
	}
	for _, list := range p.permissionLists() {
		for _, name := range list.names {
			if !mayBePermission(name) {
				complain("%s: %q is no permission", list.setting, name)
			}
		}
	}
	for _, name := range p.VouchedBy {
		if !isPlainName(name) {
			complain("vouched_by: %q is no name of an issuer", name)
		}
	}
	if p.Org != "" && !strings.HasPrefix(string(p.Org), "org_") {
		complain("org is %q; give the id of an org, org_...", p.Org)
	}
	if p.VouchedBy != nil && len(p.VouchedBy) == 0 {
		complain("vouched_by names nobody; leave it out, or name postern or an issuer")
	}
	if p.RequireAny != nil && len(p.RequireAny) == 0 {
		complain("require_any names no permission; leave it out, or name some")
	}
	if err := checkAge("signed_in_within", p.SignedInWithin); err != nil {
		complain("%w", err)
	}
	ready := p.ready()
	ready.tooOld = refuseTooOld
	ready.tooOld.stepUp = fmt.Sprintf("max_age=%d", ready.within/time.Second)
	ready.tooOld.Challenge += ", " + ready.tooOld.stepUp
	return ready, errors.Join(errs...)
}

// permissionList is a setting that names permissions.
type permissionList struct {
	setting string
	names   []string
}

// permissionLists are those of p.
func (p Policy) permissionLists() []permissionList {
	return []permissionList{{"require", p.Require}, {"require_any", p.RequireAny}}
}

// mayBePermission reports whether anybody could call a permission so. A comma at an end is one that separates, where nothing reads it.
func mayBePermission(name string) bool {
	return name != "" && strings.Trim(strings.TrimSpace(name), ",") == name
}

// ready returns p as it judges.
func (p Policy) ready() policy {
	ready := policy{Policy: p, any: p.isZero()}
	if p.SignedInWithin != nil {
		ready.within = time.Duration(*p.SignedInWithin)
	}
	return ready
}

// challengeStepUp asks for another sign-in (RFC 9470 §3).
const challengeStepUp = challenge + `, error="insufficient_user_authentication"`

// Refusals of users who are known. Where signing in again would help they are 401, with a hint how.
var (
	refuseUserType = Refusal{Status: http.StatusForbidden, Reason: "wrong_user_type", another: true,
		Detail: "This is not for users of your type."}

	refuseVoucher = Refusal{Status: http.StatusForbidden, Reason: "wrong_issuer", another: true,
		Detail: "This is for users who sign in elsewhere."}

	refuseOutsider = Refusal{Status: http.StatusForbidden, Reason: "not_a_member", another: true,
		Detail: "This is for the members of an organisation that you do not belong to."}

	refusePermission = Refusal{Status: http.StatusForbidden, Reason: "missing_permission", another: true,
		Detail: "This needs a permission that you do not have. Ask whoever runs this service."}

	refuseUnverified = Refusal{Status: http.StatusForbidden, Reason: "email_not_verified", another: true,
		Detail: "This needs a verified e-mail address. Verify yours and try again."}

	refuseNoMFA = Refusal{Status: http.StatusUnauthorized, Reason: "mfa_required", Challenge: challengeStepUp + `, acr_values="mfa"`, stepUp: "acr_values=mfa",
		Detail: "This needs a sign-in with a second factor. Sign in again, with one."}

	refuseKeyWithoutMFA = Refusal{Status: http.StatusForbidden, Reason: "mfa_required",
		Detail: "This needs a sign-in with a second factor, which an API key is not."}

	refuseTooOld = Refusal{Status: http.StatusUnauthorized, Reason: "sign_in_too_old", Challenge: challengeStepUp,
		Detail: "This needs a sign-in of a moment ago. Sign in again."}

	refuseUnknownSignIn = Refusal{Status: http.StatusForbidden, Reason: "sign_in_too_old",
		Detail: "This needs a sign-in of a moment ago, and the issuer of the token does not say when that was. Ask whoever runs this service."}

	refuseKeyWithoutSignIn = Refusal{Status: http.StatusForbidden, Reason: "sign_in_too_old",
		Detail: "This needs a sign-in of a moment ago, which an API key is not."}
)

// judge returns why p does not let who in, or nil. What no sign-in would change comes first.
func (p *policy) judge(who *core.Identity, now time.Time) *Refusal {
	if p.any {
		return nil
	}
	byKey := who.Credential != ""
	switch {
	case p.UserType != "" && who.Type != p.UserType:
		return &refuseUserType
	case len(p.VouchedBy) > 0 && !slices.Contains(p.VouchedBy, voucher(who)):
		return &refuseVoucher
	case p.Org != "" && !slices.ContainsFunc(who.Orgs, func(o core.OrgAccess) bool { return o.Org == p.Org }):
		return &refuseOutsider
	case !p.permits(who):
		return &refusePermission
	case p.EmailVerified && !who.EmailVerified:
		return &refuseUnverified
	case p.MFA && !who.MFA && byKey:
		return &refuseKeyWithoutMFA
	case p.MFA && !who.MFA:
		return &refuseNoMFA
	case p.within == 0:
		return nil
	case byKey:
		return &refuseKeyWithoutSignIn
	case who.SignedInAt.IsZero(): // another sign-in would not help
		return &refuseUnknownSignIn
	case now.Sub(who.SignedInAt) > p.within:
		return &p.tooOld
	}
	return nil
}

// Admits reports whether who is what p asks for, at now. p must be one that Settings.Validate accepts.
func (p Policy) Admits(who *core.Identity, now time.Time) bool {
	ready := p.ready()
	return ready.judge(who, now) == nil
}

// Validate returns all complaints about p at once.
func (p Policy) Validate() error {
	_, err := newPolicy("", p)
	return err
}

// permits reports whether who has the permissions that p asks for.
func (p *policy) permits(who *core.Identity) bool {
	for _, name := range p.Require {
		if !p.has(who, name) {
			return false
		}
	}
	for _, name := range p.RequireAny {
		if p.has(who, name) {
			return true
		}
	}
	return len(p.RequireAny) == 0
}

// has reports whether who has a permission: in p's org, or where that names none, in any. An API key may have fewer than
// its user.
func (p *policy) has(who *core.Identity, permission string) bool {
	if who.Only != nil && !slices.Contains(who.Only, permission) {
		return false
	}
	for i := range who.Orgs {
		if (p.Org == "" || who.Orgs[i].Org == p.Org) && slices.Contains(who.Orgs[i].Permissions, permission) {
			return true
		}
	}
	return false
}
