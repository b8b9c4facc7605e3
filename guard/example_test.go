package guard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// With a core.Core c, the Options are Realms: c.Realms, Resolver: c.Sessions, Feed: guard.FeedOf(c.Feed), Now: c.Now.
// Here something simpler stands in for it.
func Example() {
	c := newWorld()
	c.knows("eyJhbGciOi...", core.Identity{User: "usr_1", Username: "ann"})

	g, err := guard.New(guard.Options{Realms: c, Resolver: c, Feed: c, Now: c.time})
	if err != nil {
		panic(err)
	}
	defer g.Close()
	app := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := guard.FromContext(r.Context())
		fmt.Fprintf(w, "Hello %s (%s)", who.Username, r.Header.Get("X-Postern-User-Id"))
	}))

	for _, token := range []string{"eyJhbGciOi...", "garbage"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Postern-User-Id", "forged")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 Hello ann (usr_1)
	// 401 {"title":"Unauthorized","status":401,"detail":"The token is not valid. Sign in again.","code":"invalid_token"}
}

// What a client claims of itself stands first and is not believed.
func ExampleParseForwarded() {
	ours := netip.MustParsePrefix("10.0.0.0/8")
	from := guard.ParseForwarded(http.Header{
		"X-Forwarded-For":   {"6.6.6.6, 203.0.113.9:4711, 10.0.0.2"},
		"X-Forwarded-Proto": {"https"},
		"X-Forwarded-Host":  {"evil.example", "app.example.com"}, // twice: one of them may be the client's
	}, ours.Contains)
	fmt.Println(from.RemoteAddr(), from.For)
	fmt.Printf("%q %q\n", from.Proto, from.Host)
	// Output:
	// 203.0.113.9:0 [203.0.113.9 10.0.0.2]
	// "https" ""
}
