package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/fastjson"
	"github.com/postern-auth/postern/internal/jose"
)

// typeSession is the typ of a session token, which no other kind of token has (RFC 8725 §3.11).
const typeSession = "session+jwt"

// ErrTokenTooLong says that what a token would tell of a user makes it longer than any client could send.
var ErrTokenTooLong = &Error{Kind: KindInvalid, Code: "token_too_long", Detail: "the token would be longer than 8 KiB: take some of the realm's jwt_fields out of it"}

// errCookieTooLong is ErrTokenTooLong of a slim token.
var errCookieTooLong = ErrTokenTooLong.with("the token would be too long for a cookie")

// maxSlimToken bounds slim tokens, in bytes. Browsers drop a cookie whose name and value are longer than 4 KiB together.
const maxSlimToken = 4<<10 - 256

// minting is what a token is made of.
type minting struct {
	user    *User
	session *Session
	now     time.Time
	joined  *joined // nil = to be read where the realm asks for it
	slim    bool    // it only says who it is, so that it fits into a cookie
}

// mint returns a new token of a session. It lives for the session's token lifetime, and never longer
// than the session may. It fails with ErrTokenTooLong.
func (d *deps) mint(ctx context.Context, state *realmState, m minting) (string, error) {
	user, session := m.user, m.session
	expires := m.now.Add(session.Lifetime.Duration())
	if session.Until.Before(expires) {
		expires = session.Until.Time
	}
	said, err := d.claimsOf(state, user, m.now, expires)
	if err != nil {
		return "", err
	}
	said.Session, said.Gen, said.Ticket = session.ID, session.Generation, string(session.ID)
	if !m.slim {
		if err := said.tell(ctx, d, state, user, m.joined, m.now); err != nil {
			return "", fmt.Errorf("core: mint: %w", err)
		}
	}
	token, err := d.sign(state, typeSession, said, m.now)
	if m.slim && (err == ErrTokenTooLong || len(token) > maxSlimToken) {
		said.shorten()
		token, err = d.sign(state, typeSession, said, m.now)
	}
	if m.slim && (err == ErrTokenTooLong || len(token) > maxSlimToken) {
		return "", errCookieTooLong
	}
	return token, err
}

// shorten leaves out what is long in few users' tokens, who could not sign in with a browser else. A guard has it from the store.
func (c *tokenClaims) shorten() {
	c.FirstName, c.LastName, c.Name, c.User.ArbitraryID = nil, nil, "", ""
}

// claimsOf returns what every token says of a user.
func (d *deps) claimsOf(state *realmState, user *User, now, expires time.Time) (*tokenClaims, error) {
	id, err := d.ids.text(idLength)
	if err != nil {
		return nil, err
	}
	return &tokenClaims{
		Issuer: state.Issuer, Subject: user.ID, Audience: state.ID, IssuedAt: now.Unix(), Expires: expires.Unix(), ID: id,
		UID: user.ID, Username: user.Username, FirstName: nameOrNull(&user.FirstName), LastName: nameOrNull(&user.LastName), Name: user.Name(),
		User: tokenUser{user.ID, user.ArbitraryID},
	}, nil
}

// sign makes a token of claims. It fails with ErrTokenTooLong.
func (d *deps) sign(state *realmState, kind string, said *tokenClaims, now time.Time) (string, error) {
	claims, err := fastjson.Marshal(said)
	if err != nil {
		return "", fmt.Errorf("core: mint: %w", err)
	}
	key, err := state.keys.current(useSession, now)
	if err != nil {
		return "", err
	}
	token, err := key.Sign(kind, claims)
	switch {
	case errors.Is(err, jose.ErrTooLong):
		return "", ErrTokenTooLong
	case err != nil:
		return "", fmt.Errorf("core: mint: %w", err)
	}
	return token, nil
}

// proven is what a token says, once its signature, kind, realm and times are checked. Whether
// the session is alive is another question.
type proven struct {
	realm   *realmState
	session SessionID // "" in a token of another kind
	user    UserID
	gen     int
	issued  time.Time
	expires time.Time
}

// prove checks a session token. realm "" takes the realm from the token, which only says whose keys to
// try. Anything wrong with it is ErrInvalidToken; a good one of a realm that is inactive is ErrRealmInactive.
func (d *deps) prove(ctx context.Context, realm RealmID, text string, now time.Time) (*proven, error) {
	state, claims, err := d.verified(ctx, realm, typeSession, text, now)
	if err != nil {
		return nil, err
	}
	p, err := state.read(claims, now)
	if err != nil {
		return nil, err
	}
	sid, ok := claims.String("sid")
	if !ok || !validID(prefixSession, sid) {
		return nil, ErrInvalidToken
	}
	p.session = SessionID(sid)
	return p, nil
}

// verified checks the signature of a token of some kind, and returns whose it is and what it says.
func (d *deps) verified(ctx context.Context, realm RealmID, kind, text string, now time.Time) (*realmState, jose.Claims, error) {
	token, err := jose.Parse(text)
	if err != nil || token.Type() != kind {
		return nil, jose.Claims{}, ErrInvalidToken
	}
	audience, _ := token.Unverified().String("aud")
	if realm != "" && audience != string(realm) {
		return nil, jose.Claims{}, ErrInvalidToken
	}
	state, err := d.realms.state(ctx, RealmID(audience))
	switch {
	case err == ErrRealmNotFound && realm != "": // whoever names it has found it before
		return nil, jose.Claims{}, d.missed(ctx, Partition{Realm: realm}, ErrInvalidToken)
	case err == ErrRealmNotFound:
		return nil, jose.Claims{}, d.missedRealm(ctx, ErrInvalidToken)
	case err == ErrRealmResetting:
		return nil, jose.Claims{}, ErrInvalidToken
	case err != nil:
		return nil, jose.Claims{}, err
	}
	state, key, err := d.realms.verifier(ctx, state, token.KeyID(), now)
	if err != nil {
		return nil, jose.Claims{}, err
	}
	claims, err := token.Verify(key)
	if err != nil {
		return nil, jose.Claims{}, ErrInvalidToken
	}
	return state, claims, nil
}

// read takes from verified claims what is needed, and refuses what is missing, another's or expired.
func (s *realmState) read(claims jose.Claims, now time.Time) (*proven, error) {
	issuer, okIss := claims.String("iss")
	sub, okSub := claims.String("sub")
	_, okJti := claims.String("jti")
	gen, okGen := claims.Int("gen")
	iat, okIat := claims.Int("iat")
	exp, okExp := claims.Int("exp")
	if !okIss || !okSub || !okJti || !okGen || !okIat || !okExp || !s.issued(issuer) || !validID(prefixUser, sub) {
		return nil, ErrInvalidToken
	}
	expires := time.Unix(exp, 0).UTC()
	if !now.Before(expires) {
		return nil, ErrInvalidToken.with("it has expired")
	}
	issued := time.Unix(iat, 0).UTC()
	if issued.After(now.Add(maxClockSkew)) {
		return nil, ErrInvalidToken.with("it was issued in the future")
	}
	if s.State == StateInactive {
		return nil, ErrRealmInactive
	}
	return &proven{realm: s, user: UserID(sub), gen: int(gen), issued: issued, expires: expires}, nil
}

// issued reports whether issuer is, or was, this realm's.
func (r *Realm) issued(issuer string) bool {
	if issuer == r.Issuer {
		return true
	}
	for _, former := range r.FormerIssuers {
		if issuer == former {
			return true
		}
	}
	return false
}

// IsSessionToken reports whether a text has the form of a session token, which proves nothing yet.
func IsSessionToken(text string) bool {
	token, err := jose.Parse(text)
	return err == nil && token.Type() == typeSession
}
