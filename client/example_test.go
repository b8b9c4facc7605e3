package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/httpapi"
)

// startPostern starts a Postern over a store in a temporary folder, and returns where it is and a management key for its one
// realm, as POSTERN_URL and POSTERN_KEY would say in a back end.
func startPostern() (url, realm, key string, stop func()) {
	dir := must(os.MkdirTemp("", "example"))
	store := must(boltstore.Open(boltstore.Options{Path: filepath.Join(dir, "postern.db")}))
	core, realm, key, err := setUp(context.Background(), store, time.Now)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(must(httpapi.New(httpapi.Options{Core: core})))
	return server.URL, realm, key, func() {
		server.Close()
		_ = store.Close()
		_ = os.RemoveAll(dir)
	}
}

// must returns what an example cannot do without.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exampleClient returns a client of a Postern of its own.
func exampleClient() (c *client.Client, stop func()) {
	url, realm, key, stop := startPostern()
	return must(client.New(client.Options{URL: url, Key: key, Realm: realm})), stop
}

// A back end makes a user and signs them in.
func Example() {
	url, realm, key, stop := startPostern() // https://auth.example.com, and a key of its own, in a back end
	defer stop()
	ctx := context.Background()

	c, err := client.New(client.Options{URL: url, Key: key, Realm: realm})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: "four words make it long"})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := c.Users.Authenticate(ctx, "ann", "four words make it long", client.From(client.Origin{IP: "192.0.2.1"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(in.User.Username, in.Token != "")
	// Output: ann true
}

// What went wrong is told by kind, and attribute by attribute.
func ExampleError() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	_, err := c.Users.Get(ctx, "nobody")
	fmt.Println(errors.Is(err, client.ErrNotFound))

	_, err = c.Users.Create(ctx, client.UserCreate{UserType: "human", Email: "ann@example.com"})
	if e, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(e.Kind, e.Status, e.Field("username"))
	}
	// Output:
	// true
	// invalid 422 Username can't be blank
}

// An update sets what it names, and clears what it names as empty.
func ExampleUsers_Update() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	must(c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", FirstName: "Ann", Reference: "c-1"}))

	ann, err := c.Users.Update(ctx, "ann", client.UserUpdate{FirstName: new("Anna"), Reference: new("")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ann.Name, ann.Reference == nil, *ann.Email)
	// Output: Anna true ann@example.com
}

// A loop over all users asks for them page by page.
func ExampleUsers_All() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	for _, name := range []string{"ann", "ben", "cat"} {
		must(c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: name, Email: name + "@example.com"}))
	}

	for user, err := range c.Users.All(ctx, client.UserListOptions{State: "active"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(user.Username)
	}
	// Output:
	// ann
	// ben
	// cat
}

// A page of users, for a list that people leaf through.
func ExampleUsers_List() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	for _, name := range []string{"ann", "ben", "cat"} {
		must(c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: name, Email: name + "@example.com"}))
	}

	page, err := c.Users.List(ctx, client.UserListOptions{Page: client.Page{Max: 2}, Sort: "username"})
	if err != nil {
		fmt.Println(err)
		return
	}
	last := page.Collection[len(page.Collection)-1]
	fmt.Println(last.Username, page.MoreResults) // the next page has Page{After: last.ID, Max: 2}
	// Output: ben true
}

// The user knows the old password. All of their sessions end, but for one if it is named.
func ExampleUsers_UpdatePassword() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	must(c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: "four words make it long"}))

	err := c.Users.UpdatePassword(ctx, "ann", client.PasswordUpdate{CurrentPassword: "not the old one at all", Password: "five other words are longer"})
	if e, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(e.Kind, e.Detail)
	}
	// Output: invalid Current password does not match
}
