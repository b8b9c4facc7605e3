package sidecar

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestPlainHTTPIsWarnedOf holds that the log tells of each address where secrets cross a network in the clear, and of no other.
func TestPlainHTTPIsWarnedOf(t *testing.T) {
	cert, key := makeCertificate(t, t.TempDir(), 1)
	for _, tt := range []struct {
		name     string
		change   func(*Options)
		app, api int
	}{
		{"loopback", func(*Options) {}, 0, 0},
		{"both beyond", func(o *Options) { o.Listen, o.APIListen = "0.0.0.0:0", "0.0.0.0:0" }, 1, 1},
		{"the app with TLS", func(o *Options) {
			o.Listen, o.APIListen, o.TLSCert, o.TLSKey = "0.0.0.0:0", "0.0.0.0:0", cert, key
		}, 0, 1},
		{"a proxy in front", func(o *Options) {
			o.Listen, o.APIListen, o.TrustedProxies = "0.0.0.0:0", "0.0.0.0:0", []string{"10.0.0.1"}
		}, 0, 0},
		{"no API", func(o *Options) { o.Listen, o.APIListen = "0.0.0.0:0", off }, 1, 0},
	} {
		v := serve(t, http.NotFoundHandler(), tt.change)
		redistest.Eventually(t, "it serves", func() bool { return v.logged.FilterMessage("serving").Len() == 1 })
		app := v.logged.FilterMessageSnippet("the guarded address is plain HTTP").Len()
		api := v.logged.FilterMessageSnippet("the API is plain HTTP").Len()
		if app != tt.app || api != tt.api {
			t.Errorf("%s: warned %d times of the app and %d times of the API; want %d and %d", tt.name, app, api, tt.app, tt.api)
		}
	}
}
