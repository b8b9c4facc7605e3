package core

import (
	"errors"
	"time"
)

// decoy is a user who is nobody, with a name and a password, as records say them. Whoever signs in under a name that is nobody's has these read: it
// takes some ten microseconds, which can be told where no hash hides it.
type decoy struct{ name, user, password Record }

// What a decoy goes by. No id is made of zeros alone.
const (
	decoyID    UserID  = "usr_0000000000000000000000"
	decoyRealm RealmID = "rl_0000000000000000000000"
	decoyName          = "somebody"
)

// newDecoy returns one that is about as long as users are.
func newDecoy(hash string) (decoy, error) {
	var failed error
	record := func(v entity) Record {
		value, err := encodeEntity(v)
		failed = errors.Join(failed, err)
		return Record{Value: value, Version: 1, Schema: schema}
	}
	made := Instant{time.Unix(0, 0)}
	d := decoy{
		name: record(&nameClaim{Realm: decoyRealm, User: decoyID, Name: decoyName}),
		user: record(&User{ID: decoyID, Realm: decoyRealm, Type: UserHuman, State: StateActive, Username: decoyName, Email: "somebody@example.com", FirstName: "Some", LastName: "Body",
			Credentials: []CredentialRef{{ID: passwordID(decoyID), Type: CredentialPassword}}, CreatedAt: made, LastLoginAt: made}),
		password: record(&password{Realm: decoyRealm, User: decoyID, Hash: hash, CreatedAt: made}),
	}
	return d, failed
}

// readName reads the claim of a name.
func (d *decoy) readName(at Partition) error {
	_, err := decode(nameKey(at, decoyName), d.name, &nameClaim{})
	return err
}

// readUser reads a user and their password.
func (d *decoy) readUser(at Partition) error {
	if _, err := decode(userKey(at, decoyID), d.user, &User{}); err != nil {
		return err
	}
	_, err := decode(passwordKey(at, decoyID), d.password, &password{})
	return err
}
