package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// A Core over an embedded store: an empty store is set up, a user is made and signs in, and a session that was ended proves nothing.
// A host would also have Run run, which keeps what is remembered true; without it everything is read from the store.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "postern")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(folder, "postern.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	c, err := core.New(core.Options{Store: store, MasterKey: newMasterKey()}) // keep the master key: what it sealed opens with no other
	if err != nil {
		log.Fatal(err)
	}
	secret, err := c.ManagementKeys.NewSecret() // put it in a safe place before it counts
	if err != nil {
		log.Fatal(err)
	}
	if err := c.SetUp(ctx, secret); err != nil {
		log.Fatal(err)
	}
	realm, _, err := c.First(ctx, secret)
	if err != nil {
		log.Fatal(err)
	}

	human, name, email, password := core.UserHuman, "ann", "ann@example.com", "four words make it long"
	if _, err := c.Users.Create(ctx, realm.ID, core.UserChange{Type: &human, Username: &name, Email: &email, Password: &password}, core.Request{}); err != nil {
		log.Fatal(err)
	}
	_, err = c.Passwords.Authenticate(ctx, realm.ID, name, "four words make it wrong", core.Request{})
	fmt.Println(errors.Is(err, core.ErrWrongPassword), err)

	in, err := c.Passwords.Authenticate(ctx, realm.ID, name, password, core.Request{})
	if err != nil {
		log.Fatal(err)
	}
	who, err := c.Sessions.Resolve(ctx, realm.ID, in.Token)
	fmt.Println(who.Username, err)

	if err := c.Sessions.Delete(ctx, realm.ID, in.Session.ID, core.Request{}); err != nil {
		log.Fatal(err)
	}
	_, err = c.Sessions.Resolve(ctx, realm.ID, in.Token)
	fmt.Println(errors.Is(err, core.ErrInvalidToken), err)
	// Output:
	// true authentication failed
	// ann <nil>
	// true the token is not valid: its session is over
}

// newMasterKey makes a master key that nobody keeps.
func newMasterKey() *core.MasterKey {
	random := make([]byte, core.MasterKeySize)
	_, _ = rand.Read(random) // never fails
	key, err := core.NewMasterKey(random)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

// A log hides what was sent in the wrong place, whether or not it is good.
func ExampleLooksLikeSecret() {
	for _, text := range []string{"ann", "kli_2fPq7Yt0sWmVbNc5XzRk1e0A", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"} {
		fmt.Println(core.LooksLikeSecret(text))
	}
	// Output:
	// false
	// true
	// true
}
