package sidecar_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/sidecar"
)

// A sidecar in front of an app, over the embedded store, as 'postern serve' runs it. An empty store is set up, with its first management key
// in a file. By that key a back end makes a user and signs them in; nobody else gets to the app.
func Example() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello", r.Header.Get("X-Postern-Username"))
	}))
	defer app.Close()
	data, err := os.MkdirTemp("", "postern")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(data)

	ctx, stop := context.WithCancel(context.Background())
	s, err := sidecar.Open(ctx, sidecar.Options{Upstream: app.URL, Listen: "127.0.0.1:0", Data: data, MakeMasterKey: true})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	key, err := os.ReadFile(filepath.Join(data, "management.key"))
	if err != nil {
		log.Fatal(err)
	}
	api, err := client.New(client.Options{URL: s.APIURL(), Key: strings.TrimSpace(string(key)), Realm: "default"})
	if err != nil {
		log.Fatal(err)
	}
	const password = "four words make it long"
	if _, err := api.Users.Create(ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: password}); err != nil {
		log.Fatal(err)
	}
	in, err := api.Users.Authenticate(ctx, "ann", password)
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{"garbage", in.Token} {
		fmt.Println(get(s.GuardURL(), token))
	}

	stop()
	fmt.Println(<-ended)
	// Output:
	// 401 {"title":"Unauthorized","status":401,"detail":"The token is not valid. Sign in again.","code":"invalid_token"}
	// 200 Hello ann
	// <nil>
}

// get asks for a page with a session token and returns the status and what came.
func get(url, token string) string {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(body)))
}
