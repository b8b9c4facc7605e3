package sidecar

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

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
