// Command realms makes a realm for each algorithm of session tokens over a data folder that no Postern has open, and
// prints them as a JSON array. scripts/interop calls it, as there is no other way yet to make such realms.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/jose"
)

// made is a realm as scripts see it.
type made struct {
	Alg             jose.Alg     `json:"alg"`
	ID              core.RealmID `json:"id"`
	Issuer          string       `json:"issuer"`
	EnvironmentGUID string       `json:"environment_guid"`
	Assertion       string       `json:"assertion"` // good for a minute
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: realms DATA-FOLDER")
		os.Exit(2)
	}
	realms, err := makeRealms(context.Background(), os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(realms)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "realms:", err)
		os.Exit(1)
	}
}

// makeRealms makes two realms with the default algorithm, so that one's tokens can be shown to the other, and one
// with each of the rest.
func makeRealms(ctx context.Context, data string) (realms []made, err error) {
	master, err := assembly.ReadMasterKey(filepath.Join(data, assembly.MasterKeyFile))
	if err != nil {
		return nil, err
	}
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(data, "postern.db")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, err := core.New(core.Options{Store: store, MasterKey: master})
	if err != nil {
		return nil, err
	}
	for i, alg := range []jose.Alg{jose.EdDSA, jose.EdDSA, jose.RS256, jose.ES256, jose.HS256} {
		in := core.NewRealm{Name: fmt.Sprintf("interop %d %s", i, alg), Settings: core.RealmSettings{TokenAlg: alg}}
		realm, err := c.Realms.Create(ctx, in, core.Request{})
		if err != nil {
			return nil, fmt.Errorf("a realm with %s: %w", alg, err)
		}
		who := core.Identity{Realm: realm.ID, User: "usr_0000000000000000000000", Type: core.UserHuman, Username: "ann"}
		assertion, _, err := c.Realms.Assert(ctx, who, "https://app.example.com")
		if err != nil {
			return nil, fmt.Errorf("an assertion of a realm with %s: %w", alg, err)
		}
		realms = append(realms, made{Assertion: assertion, Alg: alg, ID: realm.ID, Issuer: realm.Issuer, EnvironmentGUID: realm.EnvironmentGUID})
	}
	return realms, nil
}
