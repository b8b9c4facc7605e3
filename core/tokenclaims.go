package core

import (
	"context"
	"slices"
	"time"
)

// tokenClaims are the claims of a session token: the registered ones (RFC 7519 §4.1), ours, those that the Users
// API's clients read, and the user as Work-API clients know it.
type tokenClaims struct {
	Issuer      string            `json:"iss"`
	Subject     UserID            `json:"sub"`
	Audience    RealmID           `json:"aud"`
	IssuedAt    int64             `json:"iat"`
	Expires     int64             `json:"exp"`
	ID          string            `json:"jti"`
	Session     SessionID         `json:"sid,omitempty"`
	Gen         int               `json:"gen"`
	UID         UserID            `json:"uid"`
	Username    string            `json:"un"`
	FirstName   *string           `json:"fn"` // null where there is none, as in the user
	LastName    *string           `json:"ln"`
	Name        string            `json:"n"`
	Ticket      string            `json:"tk"`            // the session or, of an API key's token, the credential
	Credential  CredentialID      `json:"crd,omitempty"` // this and the next of an API key's token alone: see keyMark
	KeyMark     string            `json:"crk,omitempty"`
	Custom      Custom            `json:"cs,omitzero"` // where the realm asks for TokenCustom, if only to say that there are none
	Memberships []tokenMembership `json:"m,omitzero"`  // likewise where it asks for TokenMemberships or TokenOrgs
	User        tokenUser         `json:"user"`
}

// tokenUser is the user as Work-API clients know it.
type tokenUser struct {
	ID          UserID `json:"id"`
	ArbitraryID string `json:"arbitrary_id,omitempty"`
}

// tokenMembership is a membership as the Users API's clients read it.
type tokenMembership struct {
	Org         OrgID    `json:"oid,omitempty"` // none where it is in no org
	Permissions []string `json:"p,omitzero"`    // this and the next by TokenMemberships, if only to say that there are none
	Custom      Custom   `json:"cs,omitzero"`
	OrgName     string   `json:"o,omitempty"` // this and the next by TokenOrgs
	OrgCustom   Custom   `json:"ocs,omitzero"`
}

// orNone returns custom attributes of which the claims say that there are none rather than nothing: programs look into them.
func (c Custom) orNone() Custom {
	if c == nil {
		return Custom{}
	}
	return c
}

// nameOrNull returns a first or last name for a token.
func nameOrNull(name *string) *string {
	if *name == "" {
		return nil
	}
	return name
}

// TokenField is something that a realm's session tokens may tell (Users API, "jwt_fields").
type TokenField string

// What tokens may tell, as of the moment when they were made. Slim ones tell none of it.
const (
	TokenCustom      TokenField = "custom"      // the user's custom attributes: cs
	TokenMemberships TokenField = "memberships" // m, with oid, p and cs of each membership that counts
	TokenOrgs        TokenField = "orgs"        // m, with oid, o and ocs of each that is in an org
)

// tokenFields are all of them.
var tokenFields = []TokenField{TokenCustom, TokenMemberships, TokenOrgs}

// tell adds to the claims what the realm asks for. It reads the store only where that takes it: the user's memberships,
// unless they were read already, and their orgs.
func (said *tokenClaims) tell(ctx context.Context, d *deps, state *realmState, user *User, known *joined, now time.Time) error {
	asks := func(f TokenField) bool { return slices.Contains(state.Settings.TokenFields, f) }
	if asks(TokenCustom) {
		said.Custom = user.Custom.orNone()
	}
	if !asks(TokenMemberships) && !asks(TokenOrgs) {
		return nil
	}
	if known == nil {
		var err error
		if known, err = d.joined(ctx, state.Realm, user.ID); err != nil {
			return err
		}
	}
	counting, _ := known.granted(now)
	orgs := map[OrgID]*Org{}
	if asks(TokenOrgs) {
		var err error
		if orgs, _, err = (&Orgs{d}).readAll(ctx, state.Realm, orgsOf(counting)); err != nil {
			return err
		}
	}
	said.Memberships = []tokenMembership{}
	for _, one := range counting {
		told := tokenMembership{Org: one.Org}
		if asks(TokenMemberships) {
			told.Permissions, told.Custom = append([]string{}, one.Permissions...), one.Custom.orNone()
		}
		if org := orgs[one.Org]; org != nil {
			told.OrgName, told.OrgCustom = org.Name, org.Custom.orNone()
		} else if !asks(TokenMemberships) || asks(TokenOrgs) && one.Org != "" {
			continue // nothing to say of no org, nor of one that was deleted this moment
		}
		said.Memberships = append(said.Memberships, told)
	}
	return nil
}

// orgsOf returns the orgs that memberships are in.
func orgsOf(list []*Membership) []OrgID {
	var ids []OrgID
	for _, one := range list {
		if one.Org != "" {
			ids = append(ids, one.Org)
		}
	}
	return ids
}
