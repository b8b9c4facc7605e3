package userfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// FirebaseHashes are a project's password hash parameters.
type FirebaseHashes struct {
	SignerKey, SaltSeparator string // base64
	Rounds, MemCost          int
}

// hashParameter is a line of them, as the console shows them.
var hashParameter = regexp.MustCompile(`(?m)^\s*"?(\w+)"?\s*:\s*"?([^\s",]+)"?,?\s*$`)

// ParseFirebaseHashes reads the parameters as the console shows them: hash_config { algorithm: SCRYPT, ... }.
func ParseFirebaseHashes(config string) (FirebaseHashes, error) {
	values := map[string]string{}
	for _, m := range hashParameter.FindAllStringSubmatch(config, -1) {
		values[m[1]] = m[2]
	}
	if algorithm := values["algorithm"]; algorithm != "SCRYPT" {
		return FirebaseHashes{}, fmt.Errorf("the hash_config has the algorithm %q; SCRYPT is the one that Firebase exports", algorithm)
	}
	rounds, err1 := strconv.Atoi(values["rounds"])
	cost, err2 := strconv.Atoi(values["mem_cost"])
	h := FirebaseHashes{values["base64_signer_key"], values["base64_salt_separator"], rounds, cost}
	if err1 != nil || err2 != nil || h.SignerKey == "" {
		return FirebaseHashes{}, errors.New("the hash_config lacks base64_signer_key, rounds or mem_cost")
	}
	return h, nil
}

// firebaseUser is a user in what 'firebase auth:export --format=json' writes.
type firebaseUser struct {
	LocalID          string       `json:"localId"`
	Email            string       `json:"email"`
	EmailVerified    bool         `json:"emailVerified"`
	PasswordHash     string       `json:"passwordHash"`
	Salt             string       `json:"salt"`
	DisplayName      string       `json:"displayName"`
	Phone            string       `json:"phoneNumber"`
	Disabled         bool         `json:"disabled"`
	CreatedAt        firebaseTime `json:"createdAt"`
	LastSignedInAt   firebaseTime `json:"lastSignedInAt"`
	CustomAttributes string       `json:"customAttributes"` // JSON in a text
	Providers        []struct {
		ProviderID string `json:"providerId"`
	} `json:"providerUserInfo"`
	MFA []json.RawMessage `json:"mfaInfo"`
}

// firebaseTime is a time in milliseconds: a text in what Firebase exports, a number in many files that were made for it to import.
type firebaseTime string

// UnmarshalJSON takes either.
func (t *firebaseTime) UnmarshalJSON(b []byte) error {
	*t = firebaseTime(strings.Trim(string(b), `"`))
	return nil
}

// standardBase64 turns the alphabet for URLs, which some versions write, into the usual one.
var standardBase64 = strings.NewReplacer("-", "+", "_", "/")

// readFirebase reads users of Firebase.
func readFirebase(r io.Reader, o Options, emit Emit) error {
	return each(r, "users", func(u firebaseUser) error {
		if u.LocalID == "" {
			return foreign("a localId")
		}
		first, last := split(u.DisplayName)
		var claims map[string]json.RawMessage
		_ = json.Unmarshal([]byte(u.CustomAttributes), &claims) // a text that is none says nothing
		line := wire.UserLine{
			Source: "firebase:" + u.LocalID, Reference: u.LocalID, UserType: "human", State: state(!u.Disabled),
			Email: u.Email, EmailVerification: verified(u.EmailVerified), FirstName: first, LastName: last,
			CreatedAt: millis(string(u.CreatedAt)), LastLoginAt: millis(string(u.LastSignedInAt)), Custom: customOf(phone(u.Phone), claims),
		}
		note := noteIf(len(u.MFA) > 0, "second factors are not imported")
		switch {
		case u.PasswordHash != "" && o.Firebase.SignerKey == "":
			return errors.New("it has password hashes, and they need the project's hash_config")
		case u.PasswordHash != "":
			line.Password = hashed(fmt.Sprintf("$firescrypt$ln=%d,r=%d,p=1$%s$%s$%s$%s", o.Firebase.MemCost, o.Firebase.Rounds,
				standardBase64.Replace(u.Salt), standardBase64.Replace(u.PasswordHash), o.Firebase.SaltSeparator, o.Firebase.SignerKey))
		}
		for _, p := range u.Providers {
			note = notes(note, unlinked(p.ProviderID, "password", "phone"))
		}
		return emit(line, note)
	})
}

// millis reads a time in milliseconds; the zero time where there is none.
func millis(s string) wire.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms == 0 {
		return wire.Time{}
	}
	return wire.Time{Time: time.UnixMilli(ms).UTC()}
}
