package userfiles

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/httpapi/wire"
)

// keycloakUser is a user in what 'kc.sh export' writes: <realm>-users-0.json, or a realm in one file.
type keycloakUser struct {
	ID            string                     `json:"id"`
	Created       int64                      `json:"createdTimestamp"` // milliseconds
	Username      string                     `json:"username"`
	Enabled       bool                       `json:"enabled"`
	EmailVerified bool                       `json:"emailVerified"`
	FirstName     string                     `json:"firstName"`
	LastName      string                     `json:"lastName"`
	Email         string                     `json:"email"`
	Attributes    map[string]json.RawMessage `json:"attributes"`
	Groups        []string                   `json:"groups"` // paths
	Credentials   []keycloakCredential       `json:"credentials"`
	Federated     []json.RawMessage          `json:"federatedIdentities"`
	ServiceClient string                     `json:"serviceAccountClientId"`
}

// keycloakCredential is a credential, of which two members are JSON in texts.
type keycloakCredential struct {
	Type           string `json:"type"`
	SecretData     string `json:"secretData"`
	CredentialData string `json:"credentialData"`
}

// readKeycloak reads users of Keycloak. Accounts of services are passed over: they belong to clients, not to people.
func readKeycloak(r io.Reader, _ Options, emit Emit) error {
	return each(r, "users", func(u keycloakUser) error {
		if u.ID == "" || u.Username == "" {
			return foreign("an id and a username")
		}
		if u.ServiceClient != "" {
			return nil
		}
		for name, value := range u.Attributes { // each is an array, most with one value
			var one []json.RawMessage
			if json.Unmarshal(value, &one) == nil && len(one) == 1 {
				u.Attributes[name] = one[0]
			}
		}
		line := wire.UserLine{
			Source: "keycloak:" + u.ID, Reference: u.ID, UserType: "human", State: state(u.Enabled),
			Username: u.Username, Email: u.Email, EmailVerification: verified(u.EmailVerified), FirstName: u.FirstName, LastName: u.LastName,
			CreatedAt: millis(strconv.FormatInt(u.Created, 10)), Custom: customOf(u.Attributes, u.groups()),
		}
		note := noteIf(len(u.Federated) > 0, "links to other providers are not imported")
		for _, c := range u.Credentials {
			if c.Type == "password-history" { // former ones, which may not be used again
				continue
			}
			if c.Type != "password" {
				note = notes(note, "a credential of the kind "+c.Type+" is not imported")
				continue
			}
			hash, err := c.hash()
			if err != nil {
				note = notes(note, err.Error())
			}
			line.Password = hashed(hash)
		}
		return emit(line, note)
	})
}

// groups returns what an operator has put a user into as a fact about the user.
func (u keycloakUser) groups() map[string]json.RawMessage {
	if len(u.Groups) == 0 {
		return nil
	}
	list, _ := json.Marshal(u.Groups) // strings can always be
	return map[string]json.RawMessage{"groups": list}
}

// hash returns a password's hash as text.
func (c keycloakCredential) hash() (string, error) {
	var secret struct{ Value, Salt string }
	var data struct {
		Iterations int                 `json:"hashIterations"`
		Algorithm  string              `json:"algorithm"`
		More       map[string][]string `json:"additionalParameters"`
	}
	if json.Unmarshal([]byte(c.SecretData), &secret) != nil || json.Unmarshal([]byte(c.CredentialData), &data) != nil {
		return "", fmt.Errorf("a password that cannot be read is not imported")
	}
	value, salt := strings.TrimRight(secret.Value, "="), strings.TrimRight(secret.Salt, "=")
	more := func(name string) string { return strings.Join(data.More[name], "") }
	switch data.Algorithm {
	case "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512":
		return fmt.Sprintf("$%s$i=%d$%s$%s", data.Algorithm, data.Iterations, salt, value), nil
	case "argon2":
		version := map[string]string{"1.0": "16", "1.3": "19"}[more("version")]
		return fmt.Sprintf("$argon2%s$v=%s$m=%s,t=%d,p=%s$%s$%s", more("type"), version, more("memory"), data.Iterations, more("parallelism"), salt, value), nil
	}
	return "", fmt.Errorf("a password hash of the kind %s is not imported", data.Algorithm)
}
