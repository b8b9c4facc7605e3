package userfiles

import (
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/httpapi/wire"
)

// kratosIdentity is an identity of Ory Kratos, as its admin API lists them with ?include_credential=password, and
// 'kratos list identities --format json' does.
type kratosIdentity struct {
	ID        string                     `json:"id"`
	State     string                     `json:"state"`
	Traits    map[string]json.RawMessage `json:"traits"`
	Addresses []struct {
		Value    string `json:"value"`
		Verified bool   `json:"verified"`
		Via      string `json:"via"`
	} `json:"verifiable_addresses"`
	Credentials map[string]struct {
		Identifiers []string `json:"identifiers"`
		Config      struct {
			HashedPassword string `json:"hashed_password"`
		} `json:"config"`
	} `json:"credentials"`
	MetadataPublic map[string]json.RawMessage `json:"metadata_public"`
	MetadataAdmin  map[string]json.RawMessage `json:"metadata_admin"`
	Organization   string                     `json:"organization_id"` // where Ory sells them
	CreatedAt      string                     `json:"created_at"`
}

// organization returns the one that an identity is of as a fact about it.
func (k kratosIdentity) organization() map[string]json.RawMessage {
	if k.Organization == "" {
		return nil
	}
	return map[string]json.RawMessage{"organization_id": text(k.Organization)}
}

// readKratos reads identities of Kratos. Their traits have the form that each deployment gives them; those of the usual
// names (email, username, name, and phone) find their place, the others become custom attributes.
func readKratos(r io.Reader, _ Options, emit Emit) error {
	return each(r, "identities", func(k kratosIdentity) error {
		if k.ID == "" || k.Traits == nil {
			return foreign("an id and traits")
		}
		email, username := k.take("email"), k.take("username")
		first, last := k.names()
		line := wire.UserLine{
			Source: "kratos:" + k.ID, Reference: k.ID, UserType: "human", State: state(k.State != "inactive"),
			Username: username, Email: email, EmailVerification: "none", FirstName: first, LastName: last,
			CreatedAt: at(k.CreatedAt), Custom: customOf(k.Traits, k.MetadataPublic, k.MetadataAdmin, k.organization()),
			Password: hashed(kratosHash(k.Credentials["password"].Config.HashedPassword)),
		}
		for _, a := range k.Addresses {
			if a.Via == "email" && strings.EqualFold(a.Value, email) { // which is in lower case, as the trait need not be
				line.EmailVerification = verified(a.Verified)
			}
		}
		note := ""
		for _, kind := range []string{"totp", "webauthn", "passkey", "lookup_secret", "oidc"} {
			_, there := k.Credentials[kind]
			note = notes(note, noteIf(there, "a credential of the kind "+kind+" is not imported"))
		}
		return emit(line, note)
	})
}

// kratosHash returns a hash as it is, but for scrypt: where others have the logarithm of its cost (ln=14), Kratos has the cost (ln=16384).
func kratosHash(hash string) string {
	rest, ok := strings.CutPrefix(hash, "$scrypt$ln=")
	if !ok {
		return hash
	}
	cost, parameters, _ := strings.Cut(rest, ",")
	n, err := strconv.ParseUint(cost, 10, 32)
	if err != nil || bits.OnesCount64(n) != 1 {
		return hash
	}
	return fmt.Sprintf("$scrypt$ln=%d,%s", bits.TrailingZeros64(n), parameters)
}

// take takes a trait that is a text.
func (k kratosIdentity) take(name string) string {
	var s string
	if json.Unmarshal(k.Traits[name], &s) == nil {
		delete(k.Traits, name)
	}
	return s
}

// names takes the name: one text, or a first and a last.
func (k kratosIdentity) names() (first, last string) {
	var name struct{ First, Last string }
	if json.Unmarshal(k.Traits["name"], &name) == nil {
		delete(k.Traits, "name")
		return name.First, name.Last
	}
	return split(k.take("name"))
}
