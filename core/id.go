package core

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"
)

// The names that users, realms, sessions and their like go by are typed, so that one cannot be
// passed for another. Each is a prefix and 22 base62 characters.
type (
	RealmID         string // rl_
	UserID          string // usr_
	SessionID       string // kss_
	CredentialID    string // crd_
	ManagementKeyID string // mk_
	APTKeyID        string // apk_
	EventID         string // ev_
	OrgID           string // org_
	MembershipID    string // mb_
	AppHookID       string // hk_
	NotificationID  string // ent_
	AuthProviderID  string // ap_
	LoginPolicyID   string // lpl_
	JWTKeyID        string // jky_
	JobID           string // job_
)

// The prefixes of ids and secrets (Users API, "IDs and secrets").
const (
	prefixRealm         = "rl_"
	prefixUser          = "usr_"
	prefixSession       = "kss_"
	prefixCredential    = "crd_"
	prefixManagementKey = "mk_"
	prefixAPTKey        = "apk_"
	prefixEvent         = "ev_"
	prefixOrg           = "org_"
	prefixMembership    = "mb_"
	prefixAppHook       = "hk_"
	prefixNotification  = "ent_"
	prefixAuthProvider  = "ap_"
	prefixLoginPolicy   = "lpl_"
	prefixJWTKey        = "jky_"
	prefixJob           = "job_"

	prefixManagementSecret = "ko_"
	prefixLoginToken       = "kli_"
	prefixEmailToken       = "kv_"
	prefixPasswordToken    = "kpw_"
	prefixSignupToken      = "utk_"
	prefixJWTSecret        = "jsk_"
	prefixDevice           = "dv_" // the text that a device is known by
	prefixAPIKey           = "ak_" // where the realm chose none
)

// What secrets begin with. An API key of somebody's choice must not begin like the first ones: where a call shows it, it would be taken
// for one of them.
var (
	shownSecrets = []string{prefixManagementSecret, prefixLoginToken, prefixEmailToken, prefixPasswordToken, prefixSignupToken}
	otherSecrets = []string{prefixJWTSecret, prefixDevice, prefixAPIKey}
)

// LooksLikeSecret reports whether a text has the form of a secret that Postern gives out, a JWT among them, whether or not it is one.
// It is for those who show what callers sent, as logs do. An API key that does not begin as they do by default is not known by its form.
func LooksLikeSecret(text string) bool {
	isJWT := strings.HasPrefix(text, "ey") && strings.Count(text, ".") >= 2 // RFC 7515 §3.1: a JSON object in base64url first
	return isJWT || beginsLike(text, shownSecrets) || beginsLike(text, otherSecrets)
}

// LooksLikeManagementKey reports whether a text begins as the secrets of management keys do, by which one that is sent as a bearer is
// told from a token.
func LooksLikeManagementKey(text string) bool { return strings.HasPrefix(text, prefixManagementSecret) }

// beginsLike reports whether a text begins with one of some prefixes.
func beginsLike(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

const (
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" // in ASCII order
	idLength     = 22                                                               // characters after the prefix
	bucketLength = 2                                                                // of them, at the end
	bucketCount  = 62 * 62
)

// bucket is where in a realm an entity lives: 0 to 3843. What a user owns copies the user's bucket,
// so that it is in the user's partition whatever their number.
type bucket int

// text returns the two characters that end an id.
func (b bucket) text() string { return string([]byte{base62[b/62], base62[b%62]}) }

// bucketOf reads the bucket from the end of an id or a secret.
func bucketOf(id string) (bucket, bool) {
	if len(id) < bucketLength {
		return 0, false
	}
	hi := strings.IndexByte(base62, id[len(id)-2])
	lo := strings.IndexByte(base62, id[len(id)-1])
	return bucket(hi*62 + lo), hi >= 0 && lo >= 0
}

// validID reports whether id is prefix and idLength base62 characters.
func validID(prefix, id string) bool {
	body, ok := strings.CutPrefix(id, prefix)
	return ok && len(body) == idLength && isBase62(body)
}

// isBase62 reports whether s has base62 characters only.
func isBase62(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(base62, s[i]) < 0 {
			return false
		}
	}
	return true
}

// source makes ids and secrets. Ids grow in ASCII order with the time they are made at, and within one
// process also when made in the same millisecond. Safe for concurrent use.
type source struct {
	random io.Reader
	now    func() time.Time

	mu     sync.Mutex
	hi, lo uint64 // the last id made, 119 bits: 48 of milliseconds, 71 of randomness
}

// id returns a new id in the given bucket.
func (s *source) id(prefix string, b bucket) (string, error) {
	hi, lo, err := s.next()
	if err != nil {
		return "", err
	}
	return prefix + encode(hi, lo, idLength-bucketLength) + b.text(), nil
}

// bucket returns a random bucket, for an entity that owns itself.
func (s *source) bucket() (bucket, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return 0, errors.Join(ErrInternal, err)
	}
	return bucket(binary.BigEndian.Uint64(b[:]) % bucketCount), nil
}

// next returns 119 bits that are greater than all it returned before.
func (s *source) next() (hi, lo uint64, err error) {
	var r [16]byte
	if _, err := io.ReadFull(s.random, r[:]); err != nil {
		return 0, 0, errors.Join(ErrInternal, err)
	}
	ms := uint64(s.now().UnixMilli()) & (1<<48 - 1)
	hi = ms<<7 | uint64(r[0])&0x7f // 48 + 7 bits above the low 64
	lo = binary.BigEndian.Uint64(r[8:])

	s.mu.Lock()
	defer s.mu.Unlock()
	if hi>>7 <= s.hi>>7 { // same millisecond, or a clock that stepped back: go on from the last
		var carry uint64
		lo, carry = bits.Add64(s.lo, lo>>16|1, 0) // a random step, so that ids stay hard to guess
		hi = s.hi + carry
	}
	s.hi, s.lo = hi, lo
	return hi, lo, nil
}

// idFrom returns what the ids made at a time, less their prefix, are not less than.
func idFrom(t time.Time) string {
	ms := uint64(max(0, t.UnixMilli())) & (1<<48 - 1)
	return encode(ms<<7, 0, idLength-bucketLength)
}

// secret returns prefix, 22 random base62 characters (130 bits) and the bucket.
func (s *source) secret(prefix string, b bucket) (string, error) {
	text, err := s.text(idLength)
	return prefix + text + b.text(), err
}

// operation returns a new operation id for a Transaction.
func (s *source) operation() (string, error) { return s.text(idLength) }

// text returns n random base62 characters.
func (s *source) text(n int) (string, error) {
	out := make([]byte, 0, n)
	var buf [32]byte
	for len(out) < n {
		if _, err := io.ReadFull(s.random, buf[:]); err != nil {
			return "", errors.Join(ErrInternal, err)
		}
		for _, b := range buf {
			if b < 248 && len(out) < n { // 248 = 4 * 62: beyond it some characters would come more often
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out), nil
}

// checksumLength is how many characters a generated key ends with, so that garbage costs no lookup.
const checksumLength = 6

// checksum returns the characters that must follow body in a generated key.
func checksum(body string) string {
	return encode(0, uint64(crc32.ChecksumIEEE([]byte(body))), checksumLength)
}

// hasChecksum reports whether key ends with the checksum of what precedes it.
func hasChecksum(key string) bool {
	if len(key) <= checksumLength {
		return false
	}
	body, sum := key[:len(key)-checksumLength], key[len(key)-checksumLength:]
	return checksum(body) == sum
}

// encode writes the 128-bit number hi:lo as n base62 digits, zero-padded: at most idLength of them.
func encode(hi, lo uint64, n int) string {
	var out [idLength]byte
	for i := n - 1; i >= 0; i-- {
		var rem uint64
		hi, rem = hi/62, hi%62
		lo, rem = bits.Div64(rem, lo, 62)
		out[i] = base62[rem]
	}
	return string(out[:n])
}
