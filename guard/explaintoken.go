package guard

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// claimed is what a session token says of itself, which proves nothing.
type claimed struct {
	From any     `json:"iss"`
	For  any     `json:"aud"` // the realm, in one of ours
	Ends float64 `json:"exp"` // seconds since the epoch
}

// readClaimed reads it. It reports false where a credential is no such token.
func readClaimed(credential string) (c claimed, ok bool) {
	parts := strings.Split(credential, ".")
	if len(parts) != 3 {
		return c, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	return c, err == nil && json.Unmarshal(text, &c) == nil
}

// explainToken says, for those who run a Guard, what a token says of itself that was refused without a reason, since whoever shows a token is told
// none, and of an API key that was refused for the address alone, which there is none of here; "" where there was a reason.
func (g *Guard) explainToken(credential string, v *Verdict) string {
	if v.Decision == Deny && v.Refusal.Reason == core.ErrAPIKeyAddress.Code {
		return "The key is bound to addresses, and nobody shows it here: from one of them the request might pass.\n"
	}
	if v.Decision == CannotKnow {
		return g.explainKeys(credential, v)
	}
	if unexplained := judgeError(core.ErrInvalidToken, SourceBearer); v.Decision != Deny || v.Refusal.Detail != unexplained.Refusal.Detail {
		return ""
	}
	c, ok := readClaimed(credential)
	home := g.home.Load()
	isOurs := home != nil && c.For == string(home.realm)
	ends := time.Unix(int64(max(0, min(c.Ends, 1<<40))), 0).UTC().Format(time.RFC3339)
	switch {
	case !ok && !g.c.sources.key:
		return "It is no session token. If it is an API key: these are taken only where from names api_key.\n"
	case !ok:
		return "It is no session token.\n"
	case len(g.foreign) > 0 && !isOurs:
		return g.explainForeign(credential, c)
	case home != nil && !isOurs:
		return fmt.Sprintf("It says that it is for %q, and this guard lets in whom the realm %s knows.\n", fmt.Sprint(c.For), home.realm)
	case c.Ends < float64(g.now().Unix()):
		return fmt.Sprintf("It says that it ended at %s.\n", ends)
	}
	return fmt.Sprintf("It says that it is for this realm, and good until %s. Then its signature is not the realm's, or its session is not there, as after a restore.\n", ends)
}

// explainForeign says what keeps a token from being one of the issuers elsewhere, before anybody looked for the key that it is signed with.
func (g *Guard) explainForeign(credential string, c claimed) string {
	from, _ := c.From.(string)
	if f := g.foreign[from]; f != nil {
		_, err := jose.ParseForeign(credential)
		return fmt.Sprintf("It says that it is of the issuer %s, of whom no token of this form is taken: %v.\n", f.Name, err)
	}
	return fmt.Sprintf("It says that it is of the issuer %q, and this guard takes tokens of %q, to the letter, and of its realm.\n",
		from, slices.Sorted(maps.Keys(g.foreign)))
}

// explainKeys says what is missing to verify a token of an issuer elsewhere; "" where that is not what keeps it from being judged.
func (g *Guard) explainKeys(credential string, v *Verdict) string {
	c, _ := readClaimed(credential)
	from, _ := c.From.(string)
	f := g.foreign[from]
	switch {
	case f != nil && v.Refusal.Reason == errIssuerAway.Code:
		return fmt.Sprintf("The keys of the issuer %s could not be fetched, and the log says why.\n", f.Name)
	case f != nil && v.Refusal.Reason == errNewerKey.Code:
		keys := f.keys.Keys()
		return fmt.Sprintf("It is signed with none of the keys of the issuer %s that are known, %d of %s. There may be a newer one, so they are fetched again.\n",
			f.Name, keys.Len(), keys.At.UTC().Format(time.RFC3339))
	}
	return ""
}
