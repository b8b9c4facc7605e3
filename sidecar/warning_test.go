package sidecar

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestTooManyProxies holds that networks which clients are in too are warned of, and no others.
func TestTooManyProxies(t *testing.T) {
	for network, warned := range map[string]bool{
		"0.0.0.0/0": true, "::/0": true, "128.0.0.0/1": true, "2000::/3": true, "10.1.2.3/0": true,
		"10.0.0.0/8": false, "private": false, "fc00::/7": false, "192.0.2.1": false, "::ffff:192.0.2.1": false, "unix": false,
	} {
		o := Options{Upstream: "http://127.0.0.1:1", Data: "data", TrustedProxies: []string{"192.0.2.7", network}}
		if err := o.validate(); err != nil {
			t.Errorf("trusted_proxies %s: %v", network, err)
		}
		if got := o.Warnings(); (len(got) == 1) != warned || warned && !strings.HasPrefix(got[0], "trusted_proxies: ") {
			t.Errorf("trusted_proxies %s: warned %q; want it: %t", network, got, warned)
		}
	}
	if _, err := parseProxies([]string{"::ffff:192.0.2.0/120"}); err == nil {
		t.Error("a network that would hold nobody is taken")
	}
	if p, err := parseProxies([]string{"::ffff:192.0.2.1"}); err != nil || !p.trust("192.0.2.1:5") {
		t.Errorf("an address of IPv4 as IPv6 spells it (%v) is not trusted", err)
	}
}

// TestWarningsAreLogged holds that the log tells of them at the start, and when the settings are read again.
func TestWarningsAreLogged(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.TrustedProxies = []string{"0.0.0.0/0"} })
	told := func() int { return v.logged.FilterMessageSnippet("trusted_proxies: 0.0.0.0/0").Len() }
	redistest.Eventually(t, "the start warns", func() bool { return told() == 1 })
	o := v.o
	o.TrustedProxies = []string{"::/0"}
	v.must(v.Reload(t.Context(), o))
	if n := v.logged.FilterMessageSnippet("trusted_proxies: ::/0").Len(); n != 1 {
		t.Errorf("a reload warned %d times; want once", n)
	}
}
