package sidecar

import (
	"bytes"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestReplacedAlike has another certificate take the place of one, with a key, in files of the same size and of the same time, as those have
// that are unpacked from an image.
func TestReplacedAlike(t *testing.T) {
	folder, at := t.TempDir(), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	put := func(serial int64) (cert, key string) {
		cert, key = makeCertificate(t, folder, serial)
		for _, file := range []string{cert, key} {
			text, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, append(text, bytes.Repeat([]byte("\n"), 4096-len(text))...), 0o600)
			}
			if err == nil {
				err = os.Chtimes(file, at, at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return cert, key
	}
	cert, key := put(1)
	c, err := loadCertificate(cert, key, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	put(2)
	c.refresh()
	if got := c.pair.Load().Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("serial number = %d; want that of the other certificate, 2", got)
	}
}

// TestOutOfTime warns of a certificate that clients refuse, and of no other.
func TestOutOfTime(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := &x509.Certificate{NotBefore: from, NotAfter: from.Add(24 * time.Hour)}
	for after, want := range map[time.Duration]string{-time.Second: "not good before 2026-01-01 00:00:00 UTC", time.Hour: "", 24 * time.Hour: "", 25 * time.Hour: "expired on 2026-01-02 00:00:00 UTC"} {
		if got := outOfTime(cert, from.Add(after)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("outOfTime %s after its start = %q; want %q", after, got, want)
		}
	}
}

// TestReplacedByOneOutOfTime has a certificate that expired take the place of a good one, of which the log warns, and a good one that of that.
func TestReplacedByOneOutOfTime(t *testing.T) {
	logs, logged := observer.New(zapcore.WarnLevel)
	folder := t.TempDir()
	cert, key := makeCertificate(t, folder, 1)
	c, err := loadCertificate(cert, key, zap.New(logs))
	if err != nil {
		t.Fatal(err)
	}
	makeCertificateUntil(t, folder, 2, time.Now().Add(-time.Hour))
	c.refresh()
	if got := logged.TakeAll(); len(got) != 1 || !strings.Contains(got[0].Message, "expired on") {
		t.Errorf("a certificate that expired is read again, and the log warns of %v; want that it expired", got)
	}
	makeCertificate(t, folder, 3)
	c.refresh()
	if got := logged.TakeAll(); len(got) != 0 {
		t.Errorf("a good certificate is read again, and the log warns of %v; want nothing", got)
	}
}

// TestProtectedKey names a key that only who knows a password can read, in both forms that there are: whoever set it up must hear what to do.
func TestProtectedKey(t *testing.T) {
	cert, key := makeCertificate(t, t.TempDir(), 1)
	for _, text := range []string{"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"} {
		if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadCertificate(cert, key, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "protected by a password") {
			t.Errorf("loadCertificate with the key %.40q = %v; want to hear of the password", text, err)
		}
	}
}
