package redisstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/proctest"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	redistest.Start(t, "unixsocket "+dir+"/s")
	s := open(t, options("unix://"+dir+"/s?db=3"))
	put(t, s, core.Partition{}, "n", "x")
	if r := get(t, s, core.Key{Name: "n"})[0]; string(r.Value) != "x" {
		t.Errorf("Get = %q; want x", r.Value)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir, roots := certificate(t)
	_, port, _ := net.SplitHostPort(proctest.Free(t))
	redistest.Start(t, "tls-port "+port, "tls-cert-file "+dir+"/cert.pem", "tls-key-file "+dir+"/key.pem",
		"tls-ca-cert-file "+dir+"/cert.pem", "tls-auth-clients no", "user default on >pw+% ~* &* +@all")
	url := "rediss://:pw+%25@127.0.0.1:" + port
	trusting := func(url string) *redisstore.Store {
		o := options(url)
		o.TLS = &tls.Config{RootCAs: roots}
		return open(t, o)
	}
	s := trusting(url)
	for range 3 {
		put(t, s, core.Partition{}, "n", "x")
	}
	if r := get(t, s, core.Key{Name: "n"})[0]; string(r.Value) != "x" {
		t.Errorf("Get = %q; want x", r.Value)
	}
	stranger := open(t, options(url))
	if _, err := stranger.Apply(t.Context(), create("op", "m")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply through TLS with an unknown certificate = %v; want ErrUnavailable", err)
	}
	guesser := trusting(strings.Replace(url, "pw", "wp", 1))
	if _, err := guesser.Apply(t.Context(), create("op", "m")); !errors.Is(err, core.ErrUnavailable) || strings.Contains(err.Error(), "wp+") {
		t.Errorf("Apply with a wrong password = %v; want ErrUnavailable, and no password", err)
	}
}

// certificate makes a self-signed certificate for 127.0.0.1: a folder with cert.pem and key.pem, and who trusts it.
func certificate(t *testing.T) (dir string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, roots = t.TempDir(), x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return dir, roots
}
