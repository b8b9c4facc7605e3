package core

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// typeAPIKey is the typ of a token that stands for an API key (Users API, "api_key_minutes"). Whatever takes session tokens
// alone, such as refreshing, refuses it by that.
const typeAPIKey = "api-key+jwt"

// keyMark tells in a token which key a credential was, so that one that takes its place ends the token. It reveals nothing
// of either.
func keyMark(sum string) string {
	mark := sha256.Sum256([]byte("postern api key token\x00" + sum))
	return base64.RawURLEncoding.EncodeToString(mark[:12])
}

// token returns a token that stands for an API key for as long as the realm says, or "" where it says nothing. Nothing is
// kept of it: it is worth what the key is worth at each moment. A key that is bound to addresses has none, since whoever
// checks a token by itself could not hold it to them.
func (k *APIKeys) token(ctx context.Context, state *realmState, h *held, now time.Time) (string, error) {
	lifetime := state.Settings.APIKeyTokens.Duration()
	if lifetime == 0 || h.APIKey.Addresses != nil {
		return "", nil
	}
	expires := now.Add(lifetime)
	if at := h.APIKey.ExpiresAt; !at.IsZero() && at.Before(expires) {
		expires = at.Time
	}
	said, err := k.d.claimsOf(state, h.user, now, expires)
	if err != nil {
		return "", err
	}
	said.Gen, said.Ticket, said.Credential, said.KeyMark = h.user.Generation, string(h.ID), h.ID, keyMark(h.APIKey.Digest)
	if err := said.tell(ctx, k.d, state, h.user, &h.joined, now); err != nil {
		return "", err
	}
	said.narrow(h.APIKey.Permissions)
	return k.d.sign(state, typeAPIKey, said, now)
}

// narrow leaves of the permissions those that a key carries, nil = all.
func (said *tokenClaims) narrow(only []string) {
	if only == nil {
		return
	}
	for i, m := range said.Memberships {
		said.Memberships[i].Permissions = slices.DeleteFunc(m.Permissions, func(p string) bool { return !slices.Contains(only, p) })
	}
}

// resolveToken says who a token stands for that stands for an API key: whoever the key stands for now. It fails like Resolve,
// and with ErrAPIKeyAddress where the key was bound to addresses since.
func (k *APIKeys) resolveToken(ctx context.Context, realm RealmID, text string, now time.Time) (Identity, error) {
	state, claims, err := k.d.verified(ctx, realm, typeAPIKey, text, now)
	if err != nil {
		return Identity{}, err
	}
	p, err := state.read(claims, now)
	if err != nil {
		return Identity{}, err
	}
	id, mark, err := keyClaims(claims)
	if err != nil {
		return Identity{}, err
	}
	if err := k.d.feed.confirm(ctx, state.Realm, now); err != nil {
		return Identity{}, err
	}
	h, err := k.d.heldBy(ctx, state.Realm, p.user, id)
	at, _ := state.owner(string(p.user))
	switch {
	case err == ErrCredentialNotFound:
		return Identity{}, k.d.missed(ctx, at, ErrInvalidToken.with("its API key is no longer good"))
	case err != nil:
		return Identity{}, err
	case h.APIKey == nil || keyMark(h.APIKey.Digest) != mark || h.user.Generation != p.gen:
		return Identity{}, ErrInvalidToken.with("its API key is no longer good")
	}
	if err := h.admits(h.APIKey.Digest, netip.Addr{}, now); err != nil {
		return Identity{}, err
	}
	if h.due(now) {
		k.d.saw(touch{realm: realm, user: h.user.ID, credential: h.ID})
	}
	who := h.identity(now)
	if p.expires.Before(who.ExpiresAt) {
		who.ExpiresAt = p.expires
	}
	return who, nil
}

// keyClaims takes from verified claims which credential they are about, and which key that was.
func keyClaims(claims jose.Claims) (id CredentialID, mark string, err error) {
	text, ok := claims.String("crd")
	mark, also := claims.String("crk")
	if !ok || !also || !validID(prefixCredential, text) {
		return "", "", ErrInvalidToken
	}
	return CredentialID(text), mark, nil
}

// isKeyToken reports whether a text has the form of a token that stands for an API key, which proves nothing yet.
func isKeyToken(text string) bool {
	token, err := jose.Parse(text)
	return err == nil && token.Type() == typeAPIKey
}
