package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/fastjson"
	"github.com/postern-auth/postern/internal/jose"
)

// typeAssertion is the typ of an assertion, which no other kind of token has (RFC 8725 §3.11).
const typeAssertion = "assertion+jwt"

// assertionLifetime is how long an assertion is good for, in seconds.
const assertionLifetime = 60

// assertionClaims are what an application is told about a user: the claims of OpenID Connect where it has some (Core §5.1,
// RFC 8176), and our own.
type assertionClaims struct {
	Issuer        string       `json:"iss"`
	Subject       UserID       `json:"sub"`
	Audience      string       `json:"aud"`
	IssuedAt      int64        `json:"iat"`
	Expires       int64        `json:"exp"`
	ID            string       `json:"jti"`
	Realm         RealmID      `json:"realm"`
	Session       SessionID    `json:"sid,omitempty"`
	Credential    CredentialID `json:"credential,omitempty"`
	AuthTime      int64        `json:"auth_time,omitempty"`
	Methods       []string     `json:"amr,omitempty"`
	Type          UserType     `json:"user_type"`
	Username      string       `json:"preferred_username,omitempty"`
	Name          string       `json:"name,omitempty"`
	FirstName     string       `json:"given_name,omitempty"`
	LastName      string       `json:"family_name,omitempty"`
	Email         string       `json:"email,omitempty"`
	EmailVerified *bool        `json:"email_verified,omitempty"`
	ArbitraryID   string       `json:"arbitrary_id,omitempty"`
	Reference     string       `json:"reference,omitempty"`
	Orgs          []orgClaim   `json:"orgs,omitempty"`
}

// orgClaim is what somebody may do in an org.
type orgClaim struct {
	ID          OrgID    `json:"id"`
	Permissions []string `json:"permissions"`
}

// Assert tells an application, named by the audience that it expects, who somebody is: a JWT that is good for a minute,
// signed by the realm's EdDSA key for assertions, whose public half is in the realm's key set. who must have been
// resolved just now. It fails with ErrRealmNotFound, and ErrTokenTooLong where there is too much to tell.
func (r *Realms) Assert(ctx context.Context, who Identity, audience string) (token string, expires time.Time, err error) {
	now, err := r.d.clock.now()
	if err != nil {
		return "", time.Time{}, err
	}
	state, err := r.state(ctx, who.Realm)
	if err != nil {
		return "", time.Time{}, err
	}
	id, err := r.d.ids.text(idLength)
	if err != nil {
		return "", time.Time{}, err
	}
	claims, err := fastjson.Marshal(newAssertion(state.Issuer, audience, id, &who, now))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("core: assert: %w", err)
	}
	key, err := state.keys.current(useAssertion, now)
	if err != nil {
		return "", time.Time{}, err
	}
	token, err = key.Sign(typeAssertion, claims)
	if errors.Is(err, jose.ErrTooLong) {
		return "", time.Time{}, ErrTokenTooLong
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("core: assert: %w", err)
	}
	return token, time.Unix(now.Unix()+assertionLifetime, 0).UTC(), nil
}

// newAssertion returns the claims about who.
func newAssertion(issuer, audience, id string, who *Identity, now time.Time) assertionClaims {
	c := assertionClaims{
		Issuer: issuer, Subject: who.User, Audience: audience, IssuedAt: now.Unix(), Expires: now.Unix() + assertionLifetime, ID: id,
		Realm: who.Realm, Session: who.Session, Credential: who.Credential, Type: who.Type,
		Username: who.Username, Name: who.Name, FirstName: who.FirstName, LastName: who.LastName, Email: who.Email,
		ArbitraryID: who.ArbitraryID, Reference: who.Reference,
	}
	if !who.SignedInAt.IsZero() {
		c.AuthTime = who.SignedInAt.Unix()
	}
	if who.MFA {
		c.Methods = []string{"mfa"}
	}
	if who.Email != "" {
		c.EmailVerified = &who.EmailVerified
	}
	for _, o := range who.Orgs {
		c.Orgs = append(c.Orgs, orgClaim{o.Org, who.Permitted(o.Permissions)})
	}
	return c
}

// Permitted returns those of some permissions, which the user has in an org, that i may use: an API key may be for fewer.
func (i *Identity) Permitted(permissions []string) []string {
	list := []string{}
	for _, p := range permissions {
		if i.Only == nil || slices.Contains(i.Only, p) {
			list = append(list, p)
		}
	}
	return list
}
