package sidecar

import (
	"bytes"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
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
