package core

import (
	"crypto/hmac"
	"crypto/sha1" // RFC 6238 §1.2; the one that every authenticator app has
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// One-time codes are those that every authenticator app makes: SHA-1, six digits, thirty seconds.
const (
	totpDigits  = 6
	totpPeriod  = 30 * time.Second
	totpSkew    = 1  // steps that a phone's clock may be off, either way
	totpKeySize = 20 // bytes of a secret (RFC 4226 §4, R6)
)

// hotp returns the code of a counter (RFC 4226 §5.3).
func hotp(key []byte, counter uint64, digits int) string {
	mac := hmac.New(sha1.New, key)
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], counter)
	mac.Write(text[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	modulus := uint32(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, number%modulus)
}

// totpStep returns the step that a time is in (RFC 6238 §4.2).
func totpStep(at time.Time) int64 { return at.Unix() / int64(totpPeriod/time.Second) }

// totpMatch returns the step that a code is of: now's, or one next to it, and later than the last one that was accepted, so
// that a code counts once (RFC 6238 §5.2). It takes the same time whatever the code.
func totpMatch(key []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	for at := totpStep(now) - totpSkew; at <= totpStep(now)+totpSkew; at++ {
		same := subtle.ConstantTimeCompare([]byte(hotp(key, uint64(at), totpDigits)), []byte(code)) == 1
		if same && at > last && !ok {
			step, ok = at, true
		}
	}
	return step, ok
}

// base32Secret writes a secret as authenticator apps read it.
func base32Secret(key []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key)
}

// provisioningURI returns what a QR code for an authenticator app holds (Key URI Format of Google Authenticator).
func provisioningURI(issuer, account string, key []byte) string {
	query := url.Values{"secret": {base32Secret(key)}, "issuer": {issuer}, "algorithm": {"SHA1"},
		"digits": {fmt.Sprint(totpDigits)}, "period": {fmt.Sprint(int(totpPeriod.Seconds()))}}
	// Apps take a plus for a plus.
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(account) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}
