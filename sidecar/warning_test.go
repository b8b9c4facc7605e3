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

// TestUnreadVariables holds that a variable which was to ask for something, under a name that nothing reads, is told of. Those that Kubernetes makes for
// services whose names begin like ours are neither mistakes nor told of.
func TestUnreadVariables(t *testing.T) {
	ofKubernetes := []string{"POSTERN_PORT=tcp://10.0.0.1:80", "POSTERN_SERVICE_HOST=10.0.0.1", "POSTERN_SERVICE_PORT_HTTP=80", "POSTERN_PORT_80_TCP_ADDR=10.0.0.1", "POSTERN_DATA_SERVICE_HOST=10.0.0.1", "POSTERN_DATA_PORT_80_TCP=x"}
	o, err := Load(Source{Environ: append(ofKubernetes, "POSTERN_UPSTREAM=http://a", "POSTERN_SMTP_PORT=25", "POSTERN_SMTP_HOST=mail", "POSTERN_SMTP_FROM=a@b.example", "POSTERN_MFA_NEEDED=true")})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "POSTERN_MFA_NEEDED in the environment is no setting") {
		t.Errorf("Warnings = %q; want one of POSTERN_MFA_NEEDED", got)
	}
	if o.SMTP.Port != 25 {
		t.Errorf("smtp_port = %d, want 25", o.SMTP.Port)
	}
}
