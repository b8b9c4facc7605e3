package sidecar

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// TestLocate holds that only those who are trusted say where a request comes from, and that of what they pass on, what the
// client claimed is not believed.
func TestLocate(t *testing.T) {
	tests := []struct {
		name    string
		trusted []string
		remote  string
		sent    http.Header
		client  string // RemoteAddr from then on
		chain   string
		proto   string
		host    string
	}{
		{"nobody is trusted", nil, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"1.1.1.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"}},
			"10.0.0.9:5", "10.0.0.9", "http", "app"},
		{"a stranger", []string{"10.0.0.0/8"}, "192.0.2.1:5", http.Header{"X-Forwarded-For": {"1.1.1.1"}}, "192.0.2.1:5", "192.0.2.1", "http", "app"},
		{"a proxy", []string{"10.0.0.0/8"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"1.1.1.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"www"}},
			"1.1.1.1:0", "1.1.1.1, 10.0.0.9", "https", "www"},
		{"a proxy in front of a proxy", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"6.6.6.6, 1.1.1.1", "192.168.1.1"}},
			"1.1.1.1:0", "1.1.1.1, 192.168.1.1, 10.0.0.9", "http", "app"},
		{"a claim that is no address", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"1.1.1.1, unknown"}}, "", "unknown, 10.0.0.9", "http", "app"},
		{"a proxy that says nothing of whom it is for", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {" "}, "X-Forwarded-Proto": {"https"}}, "10.0.0.9:5", "10.0.0.9", "https", "app"},
		{"a claim before one that is no address", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"1.1.1.1, unknown, 10.0.0.8"}},
			"", "unknown, 10.0.0.8, 10.0.0.9", "http", "app"},
		{"proxies that write ports", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-For": {"6.6.6.6, [2001:db8::1]:443, 192.168.1.1:80"}},
			"[2001:db8::1]:0", "2001:db8::1, 192.168.1.1, 10.0.0.9", "http", "app"},
		{"an odd scheme and host", []string{"private"}, "10.0.0.9:5", http.Header{"X-Forwarded-Proto": {"javascript"}, "X-Forwarded-Host": {"a<b"}},
			"10.0.0.9:5", "10.0.0.9", "http", "app"},
		{"IPv4 within IPv6", []string{"10.0.0.9"}, "[::ffff:10.0.0.9]:5", http.Header{"X-Forwarded-For": {"2001:db8::1"}},
			"[2001:db8::1]:0", "2001:db8::1, ::ffff:10.0.0.9", "http", "app"},
		{"a socket that is trusted", []string{"unix"}, "@", http.Header{"X-Forwarded-For": {"1.1.1.1"}}, "1.1.1.1:0", "1.1.1.1", "http", "app"},
		{"a socket that is not", []string{"private"}, "@", http.Header{"X-Forwarded-For": {"1.1.1.1"}}, "@", "", "http", "app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parseProxies(tt.trusted)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "http://app/", nil)
			r.RemoteAddr, r.Header = tt.remote, tt.sent
			r = p.locate(r)
			told := http.Header{}
			setForwarded(told, r)
			if r.RemoteAddr != tt.client {
				t.Errorf("RemoteAddr = %q; want %q", r.RemoteAddr, tt.client)
			}
			for name, want := range map[string]string{"X-Forwarded-For": tt.chain, "X-Forwarded-Proto": tt.proto, "X-Forwarded-Host": tt.host} {
				if got := told.Get(name); got != want {
					t.Errorf("%s = %q; want %q", name, got, want)
				}
			}
		})
	}
}

// FuzzLocate holds that whatever is claimed, a client is an address or not known, and that what the app is told has no other word in it.
func FuzzLocate(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.1", "https")
	f.Add(",,::1%eth0,", "x")
	f.Fuzz(func(t *testing.T, chain, proto string) {
		p, _ := parseProxies([]string{"private"})
		r := httptest.NewRequest("GET", "http://app/", nil)
		r.RemoteAddr, r.Header = "10.0.0.1:7", http.Header{"X-Forwarded-For": {chain}, "X-Forwarded-Proto": {proto}}
		r = p.locate(r)
		told := http.Header{}
		setForwarded(told, r)
		if got := told.Get("X-Forwarded-Proto"); got != "http" && got != "https" {
			t.Errorf("X-Forwarded-Proto %q became %q", proto, got)
		}
		if _, err := netip.ParseAddr(addressOf(r)); err != nil && r.RemoteAddr != "" {
			t.Errorf("X-Forwarded-For %q made the client %q", chain, r.RemoteAddr)
		}
		for hop := range strings.SplitSeq(told.Get("X-Forwarded-For"), ", ") {
			if _, err := netip.ParseAddr(hop); err != nil && hop != "unknown" {
				t.Errorf("X-Forwarded-For %q became %q", chain, told.Get("X-Forwarded-For"))
			}
		}
	})
}
