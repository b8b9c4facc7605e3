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
		app := v.logged.FilterMessageSnippet("listen: the guarded address ").Len()
		api := v.logged.FilterMessageSnippet("api_listen: the API at ").Len()
		if app != tt.app || api != tt.api {
			t.Errorf("%s: warned %d times of the app and %d times of the API; want %d and %d", tt.name, app, api, tt.app, tt.api)
		}
	}
}

// TestPlainHTTPIsWarnedOfBeforehand holds that 'postern check', which opens nothing, knows which addresses other machines reach.
func TestPlainHTTPIsWarnedOfBeforehand(t *testing.T) {
	for listen, beyond := range map[string]bool{
		"127.0.0.1:8080": false, "127.0.0.2:8080": false, "[::1]:8080": false, "[::ffff:127.0.0.1]:8080": false, "localhost:8080": false, "unix:/run/postern.sock": false,
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, "192.0.2.7:8080": true, "app.internal:8080": true,
	} {
		o := Options{Upstream: "http://127.0.0.1:1", Data: "data", Listen: listen, APIListen: off}
		if err := o.validate(); err != nil {
			t.Errorf("listen %s: %v", listen, err)
		}
		if got := o.Warnings(); (len(got) == 1) != beyond {
			t.Errorf("listen %s: warned %q; want it: %t", listen, got, beyond)
		}
	}
}
