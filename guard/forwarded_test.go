package guard_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestForwardedClient holds whose address it is that API keys are bound to: what a client says of itself stands in front of what our
// proxies add, and is passed over.
func TestForwardedClient(t *testing.T) {
	tens := netip.MustParsePrefix("10.0.0.0/8")
	for forwarded, want := range map[string]string{
		"203.0.113.9":                           "203.0.113.9:0",
		"192.0.2.1, 203.0.113.9":                "203.0.113.9:0",
		"192.0.2.1, 203.0.113.9, 10.0.0.7":      "203.0.113.9:0",
		"10.0.0.8, 203.0.113.9, 10.0.0.7":       "203.0.113.9:0",
		"192.0.2.1\n203.0.113.9\n10.0.0.7":      "203.0.113.9:0",
		"10.0.0.7":                              "10.0.0.7:0",
		"192.0.2.1, unknown":                    "",
		"192.0.2.1, unknown, 10.0.0.7":          "",
		"192.0.2.1, , 10.0.0.7":                 "",
		"203.0.113.9,":                          "",
		"unknown, 203.0.113.9, 10.0.0.7":        "203.0.113.9:0",
		"[2001:db8::1], 10.0.0.7":               "[2001:db8::1]:0",
		"[10.0.0.7":                             "",
		"2001:db8::1":                           "[2001:db8::1]:0",
		"":                                      "",
		"192.0.2.1, 203.0.113.9:4000, 10.0.0.7": "203.0.113.9:0",
		"[2001:db8::1%x]:4000, 10.0.0.7:80":     "[2001:db8::1]:0",
	} {
		from := guard.ParseForwarded(http.Header{"X-Forwarded-For": strings.Split(forwarded, "\n")}, tens.Contains)
		if got := from.RemoteAddr(); got != want {
			t.Errorf("the client of %q is %q; want %q", forwarded, got, want)
		}
	}
}
