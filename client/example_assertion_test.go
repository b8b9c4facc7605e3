package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/postern-auth/postern/client"
)

// An application behind a guard believes nobody who only says who they are.
func ExampleAssertionVerifier() {
	url, realm, key, stop := startPostern()
	defer stop()
	manager := must(client.New(client.Options{URL: url, Key: key, Realm: realm}))
	issuer := must(manager.Realms.Get(context.Background(), realm)).Issuer // from your configuration

	c, err := client.New(client.Options{URL: url}) // public keys need no key
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := c.AssertionVerifier(client.AssertionOptions{Realm: realm, Issuer: issuer, Audience: "https://app.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := func(w http.ResponseWriter, r *http.Request) {
		who, err := verifier.Verify(r.Context(), r.Header.Get("X-Postern-Assertion"))
		switch {
		case errors.Is(err, client.ErrAssertion):
			http.Error(w, "this came past the guard", http.StatusUnauthorized)
		case err != nil: // the keys cannot be had
			http.Error(w, "try again in a moment", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "hello,", who.Username)
		}
	}

	w := httptest.NewRecorder()
	app(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 401 this came past the guard
}
