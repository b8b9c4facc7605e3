package jose_test

import (
	"crypto/rand"
	"fmt"

	"github.com/postern-auth/postern/internal/jose"
)

// A token is looked at by the gate, verified under a key that was chosen by what it says of itself, and only then
// read.
func Example() {
	key, err := jose.Generate(jose.EdDSA, rand.Reader)
	if err != nil {
		panic(err)
	}
	compact, err := key.Sign("session", []byte(`{"sub":"usr_2TqAw8Yc4Zn0bV6sXe1uKd","exp":1795021600}`))
	if err != nil {
		panic(err)
	}

	keys := map[string]*jose.PublicKey{key.ID(): key.Public()}
	token, err := jose.Parse(compact)
	if err != nil {
		panic(err)
	}
	known, ok := keys[token.KeyID()]
	if !ok || token.Type() != "session" {
		panic("not a session token of ours")
	}
	claims, err := token.Verify(known)
	if err != nil {
		panic(err)
	}
	sub, _ := claims.String("sub")
	exp, _ := claims.Int("exp")
	fmt.Println(sub, exp)

	_, err = jose.Parse(compact + "=")
	fmt.Println(err)
	// Output:
	// usr_2TqAw8Yc4Zn0bV6sXe1uKd 1795021600
	// malformed token: not three parts in base64url
}
