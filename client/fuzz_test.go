package client_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
)

// FuzzPath holds that a name never leaves its segment, and is read as what it was.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"ann", "", ".", "..", "a/../b", "a+b", "{user}", "%2e%2e", "a?b#c", "\x00", "\xff", "ünï"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		path, ok := client.Path(name)
		if !ok {
			if name != "" && name != "." && name != ".." {
				t.Errorf("%q is refused", name)
			}
			return
		}
		u, err := url.Parse("https://example.com" + path)
		if err != nil {
			t.Fatalf("%q makes the path %q: %v", name, path, err)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 5 || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q makes the path %q", name, path)
		}
		for _, unescape := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if got, err := unescape(segments[3]); err != nil || got != name {
				t.Errorf("%q makes the path %q, which is read as %q, %v", name, path, got, err)
			}
		}
	})
}

// FuzzBaseURL holds that a URL that is taken leads to the host that it names, encrypted or not beyond this machine.
func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{"https://auth.example.com/v1", "http://localhost:8470", "http://127.0.0.1.example.com", "http://[::1]/", "https://a@b/", "//x", "https://example.com/v1/v1/", "https://v1", "https://:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		base, err := client.BaseURL(text, false)
		if err != nil {
			if base != "" {
				t.Errorf("BaseURL(%q) = %q, %v", text, base, err)
			}
			return
		}
		given, _ := url.Parse(text)
		u, err := url.Parse(base + "/v1/users/ann")
		if err != nil || u.Host != given.Host || u.User != nil || !strings.HasSuffix(u.Path, "/v1/users/ann") || u.RawQuery != "" {
			t.Fatalf("BaseURL(%q) = %q, which makes %v, %v", text, base, u, err)
		}
		host := strings.ToLower(u.Hostname())
		if u.Scheme != "https" && !strings.Contains(host, "localhost") && !strings.HasPrefix(host, "127.") && !strings.Contains(host, ":") {
			t.Errorf("BaseURL(%q) = %q, which is plain HTTP", text, base)
		}
	})
}

// FuzzReadToken holds that whatever a token says of itself, it is believed to last no longer than a year, and not less than nothing.
func FuzzReadToken(f *testing.F) {
	f.Add("e30.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.e30")
	f.Add("e30.eyJpYXQiOi05MjIzMzcyMDM2ODU0Nzc1ODA4LCJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9.")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if got := client.ReadToken(text); got < 0 || got > 365*24*time.Hour {
			t.Errorf("a token of %q lasts %s", text, got)
		}
	})
}
