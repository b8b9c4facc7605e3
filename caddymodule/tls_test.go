package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// loadTLS loads a Caddyfile of which the site speaks TLS with the certificate of httptest: HTTP/2 and, by UDP on the same port, HTTP/3.
func (w *world) loadTLS(caddyfile string) {
	w.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		w.Fatal(err)
	}
	file := filepath.Join(w.TempDir(), "both.pem")
	both := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	if err := os.WriteFile(file, both, 0o600); err != nil {
		w.Fatal(err)
	}
	caddyfile = strings.Replace(caddyfile, "admin off", "admin off\n\tauto_https off", 1)
	w.load(strings.Replace(caddyfile, "http://"+w.site+" {", "https://"+w.site+" {\n\ttls "+file+" "+file, 1))
}

// TestHostOverHTTP2 runs the table that all hosts run over HTTP/2.
func TestHostOverHTTP2(t *testing.T) {
	http2 := new(http.Protocols)
	http2.SetHTTP2(true)
	newWorld(t).runTable("", &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: http2})
}
