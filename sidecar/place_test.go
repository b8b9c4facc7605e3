package sidecar

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListenersThatMeet finds, however they are spelled, two listeners on one address, and an app that is where one of them is.
func TestListenersThatMeet(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	tests := []struct {
		listen, other string
		meet          bool
	}{
		{"127.0.0.1:9000", "127.0.0.1:9000", true},
		{":9000", "0.0.0.0:9000", true},
		{":9000", "[::]:9000", true},
		{":9000", "localhost:9000", true},
		{"10.0.0.7:9000", ":9000", true},
		{"[::1]:9000", "0.0.0.0:9000", true},
		{"localhost:9000", "127.0.0.1:9000", true},
		{"LOCALHOST:9000", "[::ffff:127.0.0.1]:9000", true},
		{"App.internal:9000", "app.internal:9000", true},
		{"[::1]:9000", "[0:0:0:0:0:0:0:1]:9000", true},
		{":http", ":80", true},
		{":9000", ":9001", false},
		{"127.0.0.1:9000", "127.0.0.2:9000", false},
		{"localhost:9000", "[::1]:9000", false},
		{":0", ":0", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"unix:" + folder + "/a.sock", "unix:a.sock", true},
		{"unix:" + folder + "/a.sock", "unix:" + link + "/./a.sock", true},
		{"unix:./a.sock", "unix:b.sock", false},
		{"unix:a.sock", ":9000", false},
	}
	for _, tt := range tests {
		for _, name := range []string{"api_listen", "forward_auth_listen", "admin_listen"} {
			given := map[string]string{"upstream": "http://app.example.com", "listen": tt.listen, "api_listen": "off", "trusted_proxies": "private"}
			given[name] = tt.other
			_, err := Load(Source{Given: given})
			want := "listen (" + tt.listen + ") and " + name + " (" + tt.other + ") are the same address; give each one of its own"
			if !tt.meet && err != nil || tt.meet && (err == nil || err.Error() != want) {
				t.Errorf("Load(listen %s, %s %s) = %v; want that they meet: %t", tt.listen, name, tt.other, err, tt.meet)
			}
		}
	}
}

// TestThreeListenersThatMeet are complained of once each.
func TestThreeListenersThatMeet(t *testing.T) {
	_, err := Load(Source{Given: map[string]string{"upstream": "http://app.example.com", "listen": ":9000", "api_listen": ":9000", "admin_listen": ":9000"}})
	if err == nil || strings.Count(err.Error(), "are the same address") != 2 {
		t.Errorf("Load = %v; want two complaints", err)
	}
}

// TestAppWhereWeListen finds an app to which a request would come back to us.
func TestAppWhereWeListen(t *testing.T) {
	for _, tt := range []struct {
		upstream, listen string
		meet             bool
	}{
		{"http://127.0.0.1:8080", "", true}, // the default
		{"h2c://localhost:8080", "127.0.0.1:8080", true},
		{"http://127.0.0.1:8081", ":8080", true}, // the API
		{"http://[::1]:8080", ":8080", true},
		{"https://127.0.0.1", ":443", true},
		{"http://127.0.0.1/x", ":80", true},
		{"http://10.0.0.7:8080", "10.0.0.7:8080", true},
		{"unix:/run/a.sock", "unix:/run/../run/a.sock", true},
		{"http://10.0.0.7:8080", ":8080", false},
		{"http://app:8080", ":8080", false},
		{"http://127.0.0.1:3000", ":8080", false},
		{"unix:/run/b.sock", "unix:/run/a.sock", false},
	} {
		_, err := Load(Source{Given: map[string]string{"upstream": tt.upstream, "listen": tt.listen}})
		if !tt.meet && err != nil || tt.meet && (err == nil || !strings.HasPrefix(err.Error(), "upstream ("+tt.upstream+") and ")) {
			t.Errorf("Load(upstream %s, listen %s) = %v; want that they meet: %t", tt.upstream, tt.listen, err, tt.meet)
		}
	}
}
