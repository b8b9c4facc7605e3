package core

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestHOTP computes the codes of RFC 4226, Appendix D.
func TestHOTP(t *testing.T) {
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := hotp([]byte("12345678901234567890"), uint64(counter), 6); got != want {
			t.Errorf("hotp(%d) = %s; want %s", counter, got, want)
		}
	}
}

// TestTOTP computes the codes of RFC 6238, Appendix B, for SHA-1.
func TestTOTP(t *testing.T) {
	for at, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
		2000000000: "69279037", 20000000000: "65353130"} {
		if got := hotp([]byte("12345678901234567890"), uint64(totpStep(time.Unix(at, 0))), 8); got != want {
			t.Errorf("code at %d = %s; want %s", at, got, want)
		}
	}
}

// TestOATHTool compares with another implementation, oathtool of Debian: with what version 2.6.7 said to the secrets and times of
// testdata/oathtool.txt, and, where it is installed, with what it says to them now. Where CI=true it must be.
func TestOATHTool(t *testing.T) {
	recorded, err := os.ReadFile("testdata/oathtool.txt")
	if err != nil {
		t.Fatal(err)
	}
	tool, err := exec.LookPath("oathtool")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no oathtool: apt-get install oathtool")
	}
	lines := strings.Split(strings.TrimSpace(string(recorded)), "\n")
	if len(lines) < 40 {
		t.Errorf("%d codes of oathtool are recorded; want 40", len(lines))
	}
	for _, line := range lines {
		var secret, at, want string
		if _, err := fmt.Sscan(line, &secret, &at, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if tool != "" {
			out, err := exec.Command(tool, "--totp", "--base32", "--now", at, secret).Output()
			if err != nil {
				t.Fatalf("oathtool: %v", err)
			}
			want = strings.TrimSpace(string(out))
		}
		key, bad := base32.StdEncoding.DecodeString(secret)
		when, err := time.Parse(time.RFC3339, at)
		if err := errors.Join(bad, err); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got := hotp(key, uint64(totpStep(when)), totpDigits); got != want || base32Secret(key) != secret {
			t.Errorf("code of %s at %s = %s; oathtool says %s", base32Secret(key), at, got, want)
		}
	}
}

// FuzzTOTPMatch tries whatever text as a code: what is accepted is the code of a step near now that is later than the last.
func FuzzTOTPMatch(f *testing.F) {
	key := []byte("12345678901234567890")
	f.Add("755224", int64(15), int64(-1))
	f.Add("287082", int64(59), int64(1))
	f.Add("", int64(59), int64(0))
	f.Fuzz(func(t *testing.T, code string, at, last int64) {
		now := time.Unix(at%(1<<40), 0)
		step, ok := totpMatch(key, code, now, last)
		if !ok {
			return
		}
		if hotp(key, uint64(step), 6) != code || step <= last || max(step-totpStep(now), totpStep(now)-step) > 1 {
			t.Errorf("totpMatch(%q, %d, last %d) = %d", code, at, last, step)
		}
		if _, again := totpMatch(key, code, now, step); again && hotp(key, uint64(step)+1, 6) != code && hotp(key, uint64(step)+2, 6) != code {
			t.Errorf("totpMatch(%q) takes a code twice", code)
		}
	})
}

// FuzzBareCode holds recovery codes to one form: however one is written, it is the code that was made.
func FuzzBareCode(f *testing.F) {
	f.Add("abcde-fgh12")
	f.Add("O0 Il-1")
	f.Add("\xbd\xbdİİ")
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > 21 { // no code is: it is cut, and what is not ASCII may grow beyond that once more
			return
		}
		if bare := bareCode(code); bareCode(bare) != bare {
			t.Errorf("bareCode(%q) = %q, which is %q", code, bare, bareCode(bare))
		}
	})
}

func TestProvisioningURI(t *testing.T) {
	key := []byte("a secret of 20 bytes")
	u, err := url.Parse(provisioningURI("Shop & Co: East", "ann+x@example.com", key))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil || string(secret) != string(key) || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("issuer") != "Shop & Co: East" ||
		u.Path != "/Shop & Co: East:ann+x@example.com" || strings.Contains(u.RawQuery, "+") {
		t.Errorf("provisioningURI = %s", u)
	}
}
