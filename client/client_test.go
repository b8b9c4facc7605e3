package client_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/client"
)

// TestNew refuses options that cannot be meant, before anybody is called.
func TestNew(t *testing.T) {
	for _, test := range []struct {
		o    client.Options
		want string // part of the error, "" = none
	}{
		{client.Options{URL: "https://auth.example.com"}, ""},
		{client.Options{URL: "https://auth.example.com/v1/"}, ""},
		{client.Options{URL: "https://example.com/auth", Key: "ko_key"}, ""},
		{client.Options{URL: "http://127.0.0.1:8470"}, ""},
		{client.Options{URL: "http://[::1]:8470"}, ""},
		{client.Options{URL: "http://localhost:8470"}, ""},
		{client.Options{URL: "http://postern.localhost"}, ""},
		{client.Options{URL: "http://postern:8470", AllowPlainHTTP: true}, ""},
		{client.Options{}, "URL must be like"},
		{client.Options{URL: "auth.example.com"}, "URL must be like"},
		{client.Options{URL: "ftp://auth.example.com"}, "URL must be like"},
		{client.Options{URL: "https:auth.example.com"}, "URL must be like"},
		{client.Options{URL: "https:///v1"}, "URL must be like"},
		{client.Options{URL: "https://auth.example.com\n"}, "URL must be like"},
		{client.Options{URL: "https://ann:secret@auth.example.com"}, "must not hold a name or password"},
		{client.Options{URL: "https://auth.example.com/?realm=x"}, "query or a fragment"},
		{client.Options{URL: "https://auth.example.com/?"}, "query or a fragment"},
		{client.Options{URL: "https://auth.example.com/#v1"}, "query or a fragment"},
		{client.Options{URL: "http://auth.example.com"}, "plain HTTP"},
		{client.Options{URL: "http://127.0.0.1.example.com"}, "plain HTTP"},
		{client.Options{URL: "http://10.0.0.1"}, "plain HTTP"},
		{client.Options{URL: "https://auth.example.com", Key: "ko_secret\n"}, "Key holds a character"},
		{client.Options{URL: "https://auth.example.com", Realm: "a\r\nb"}, "Realm holds a character"},
		{client.Options{URL: "https://auth.example.com", Tries: -1}, "negative"},
		{client.Options{URL: "http://auth.example.com", Tries: -1}, "plain HTTP"},
		{client.Options{URL: "http://auth.example.com", Tries: -1}, "negative"},
	} {
		c, err := client.New(test.o)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("New(%+v) = %v", test.o, err)
		case test.want != "" && (err == nil || c != nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("New(%+v) = %v, %v; want an error with %q", test.o, c, err, test.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("New(%+v) = %v, which tells a secret", test.o, err)
		}
	}
}

// TestClientHidesItsKey prints a Client in every way.
func TestClientHidesItsKey(t *testing.T) {
	c, err := client.New(client.Options{URL: "https://auth.example.com", Key: "ko_secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, c) + fmt.Sprintf(format, *c); strings.Contains(text, "ko_secret") {
			t.Errorf("a Client as %s is %s", format, text)
		}
	}
}
