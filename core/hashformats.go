package core

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strings"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// What an imported hash may cost.
const (
	maxBcryptCost   = 15
	maxArgon2Memory = 256 << 10 // KiB
	maxArgon2Passes = 10
	maxArgon2Lanes  = 16
	maxArgon2Work   = 1 << 20 // KiB in all passes
	maxScryptLogN   = 17
	maxScryptR      = 8
	maxScryptWork   = 1 << 20   // N * r * p
	maxPBKDF2Work   = 4_000_000 // iterations in all blocks
	maxSHARounds    = 1_000_000
	maxSHAPassword  = 512 // bytes; crypt(3) takes no more
	maxPHPassLog    = 17
)

// equal compares in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// argon2Hash is any Argon2: "$argon2i$v=19$m=65536,t=3,p=4$<salt>$<hash>". Without "v=" it is of the version before
// 2016.
type argon2Hash struct {
	argon2.Params
	salt, hash []byte
}

func parseArgon2(f *hashText) importedHash {
	h := argon2Hash{Params: argon2.Params{Version: argon2.Version10}}
	h.Kind = map[string]argon2.Kind{"argon2d": argon2.D, "argon2i": argon2.I, "argon2id": argon2.ID}[f.part(1)]
	if version, ok := strings.CutPrefix(f.part(2), "v="); ok {
		f.require(version == "16" || version == "19")
		if version == "19" {
			h.Version = argon2.Version13
		}
		f.parts = append(f.parts[:2:2], f.parts[3:]...)
	}
	f.require(len(f.parts) == 5)
	p := f.parameters(f.part(2), "m", "t", "p")
	h.Memory = uint32(f.number(p[0], 8, maxArgon2Memory))
	h.Passes = uint32(f.number(p[1], 1, maxArgon2Passes))
	h.Lanes = uint32(f.number(p[2], 1, maxArgon2Lanes))
	f.require(h.Memory >= 8*h.Lanes && h.Memory*h.Passes <= maxArgon2Work)
	h.salt, h.hash = f.bytes(f.part(3), 1, 64), f.bytes(f.part(4), 4, 128)
	return h
}

func (h argon2Hash) matches(password []byte) bool {
	m := argon2.Memory{Pause: giveWay} // not the hasher's, which would stay as large
	return equal(m.Key(h.Params, password, h.salt, uint32(len(h.hash))), h.hash)
}

// bcryptHash is "$2b$12$<salt and hash>". It looks at the first 72 bytes of a password, like all bcrypt.
type bcryptHash string

func parseBcrypt(f *hashText) importedHash {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	f.require(len(f.parts) == 4 && len(f.part(2)) == 2 && only(f.part(3), alphabet, 53, 53))
	f.number(strings.TrimPrefix(f.part(2), "0"), 4, maxBcryptCost)
	return bcryptHash(f.text)
}

func (h bcryptHash) matches(password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), password) == nil
}

// bcryptLength is how many bytes of a password bcrypt looks at. A shorter one is told from any longer one.
const bcryptLength = 72

// readsAll reports whether a hash that matches a password says that this is the password, and not only how it begins.
func readsAll(h importedHash, password []byte) bool {
	_, short := h.(bcryptHash)
	return !short || len(password) < bcryptLength
}

// wordPressHash is WordPress's since 6.8: "$wp" and the bcrypt hash of what HMAC-SHA-384 makes of the password.
type wordPressHash struct{ of bcryptHash }

func parseWordPress(f *hashText) importedHash {
	inner := &hashText{text: strings.TrimPrefix(f.text, "$wp"), parts: append(f.parts[:1:1], f.parts[2:]...)}
	f.require(inner.part(1) == "2y")
	hash, ok := parseBcrypt(inner).(bcryptHash)
	f.require(ok && !inner.bad)
	return wordPressHash{hash}
}

func (h wordPressHash) matches(password []byte) bool {
	mac := hmac.New(sha512.New384, []byte("wp-sha384"))
	_, _ = mac.Write(password)
	return h.of.matches([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))))
}

// scryptHash is "$scrypt$ln=16,r=8,p=1$<salt>$<hash>" (PHC).
type scryptHash struct {
	logN, r, p int
	salt, hash []byte
}

func parseScrypt(f *hashText) importedHash {
	f.require(len(f.parts) == 5)
	p := f.parameters(f.part(2), "ln", "r", "p")
	h := scryptHash{logN: f.number(p[0], 1, maxScryptLogN), r: f.number(p[1], 1, maxScryptR), p: f.number(p[2], 1, maxScryptWork)}
	f.require(int64(h.r)*int64(h.p)<<h.logN <= maxScryptWork) // where int has 32 bits they would overflow
	h.salt, h.hash = f.bytes(f.part(3), 1, 64), f.bytes(f.part(4), 16, 128)
	return h
}

func (h scryptHash) matches(password []byte) bool {
	key, err := scrypt.Key(password, h.salt, 1<<h.logN, h.r, h.p, len(h.hash))
	return err == nil && equal(key, h.hash)
}

// firebaseHash is Firebase's own use of scrypt, as Kratos writes it:
// "$firescrypt$ln=14,r=8,p=1$<salt>$<hash>$<salt separator>$<signer key>". ln is Firebase's mem_cost, r its rounds. The
// hash is the project's signer key, encrypted under what scrypt makes of the password.
type firebaseHash struct {
	scryptHash
	signer []byte
}

func parseFirebase(f *hashText) importedHash {
	f.require(len(f.parts) == 7)
	p := f.parameters(f.part(2), "ln", "r", "p")
	return f.firebase(p[0], p[1], p[2], f.part(3), f.part(4), f.part(5), f.part(6))
}

// parseSupabaseFirebase reads the same as Supabase writes it: "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=<key>$<salt>$<hash>".
func parseSupabaseFirebase(f *hashText) importedHash {
	f.require(len(f.parts) == 5)
	p := f.parameters(f.part(2), "v", "n", "r", "p", "ss?", "sk")
	f.require(p[0] == "1")
	return f.firebase(p[1], p[2], p[3], f.part(3), f.part(4), p[4], p[5])
}

func (f *hashText) firebase(n, r, p, salt, sum, separator, signer string) importedHash {
	f.require(p == "1")
	h := firebaseHash{signer: f.bytes(signer, 1, 128)}
	h.logN, h.r, h.p = f.number(n, 1, maxScryptLogN), f.number(r, 1, maxScryptR), 1
	h.salt = append(f.bytes(salt, 1, 64), f.bytes(separator, 0, 64)...)
	h.hash = f.bytes(sum, len(h.signer), len(h.signer))
	return h
}

func (h firebaseHash) matches(password []byte) bool {
	key, err := scrypt.Key(password, h.salt, 1<<h.logN, h.r, h.p, 32)
	if err != nil {
		return false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	sum := make([]byte, len(h.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(sum, h.signer)
	return equal(sum, h.hash)
}

// pbkdf2Hash is PBKDF2 (RFC 8018): "$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>" (PHC), "$pbkdf2-sha256$29000$<salt>$<hash>"
// (passlib) or "pbkdf2_sha256$600000$<salt as text>$<hash>" (Django).
type pbkdf2Hash struct {
	digest     func() hash.Hash
	iterations int
	salt, hash []byte
}

// digests are the hash functions, by the names that the formats have for them.
var digests = map[string]func() hash.Hash{"": sha1.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

func parsePBKDF2(f *hashText) importedHash {
	f.require(len(f.parts) == 5)
	name, cost := strings.TrimPrefix(strings.TrimPrefix(f.part(1), "pbkdf2"), "-"), f.part(2)
	h := pbkdf2Hash{salt: f.bytes(f.part(3), 1, 128), hash: f.bytes(f.part(4), 16, 128)}
	if strings.HasPrefix(cost, "i=") {
		p := f.parameters(cost, "i", "l?")
		cost = p[0]
		f.require(p[1] == "" || f.number(p[1], 16, 128) == len(h.hash))
	}
	return f.pbkdf2(h, name, cost)
}

func parseDjango(f *hashText) importedHash {
	f.require(len(f.parts) == 4 && f.part(2) != "" && f.part(0) != "pbkdf2_")
	h := pbkdf2Hash{salt: []byte(f.part(2)), hash: f.bytes(f.part(3), 16, 128)}
	return f.pbkdf2(h, strings.TrimPrefix(f.part(0), "pbkdf2_"), f.part(1))
}

func (f *hashText) pbkdf2(h pbkdf2Hash, digest, iterations string) importedHash {
	h.digest = digests[digest]
	if h.digest == nil {
		return nil
	}
	size := h.digest().Size()
	h.iterations = f.number(iterations, 1, maxPBKDF2Work)
	f.require((len(h.hash)+size-1)/size*h.iterations <= maxPBKDF2Work)
	return h
}

func (h pbkdf2Hash) matches(password []byte) bool {
	key, err := pbkdf2.Key(h.digest, string(password), h.salt, h.iterations, len(h.hash))
	return err == nil && equal(key, h.hash)
}

// shaCryptHash is SHA-crypt: "$6$rounds=656000$<salt>$<hash>", of SHA-256 ($5$) or SHA-512 ($6$); 5000 rounds where it
// names none.
type shaCryptHash struct {
	digest     func() hash.Hash
	rounds     int
	salt, hash string
}

func parseSHACrypt(f *hashText) importedHash {
	h := shaCryptHash{digest: sha256.New, rounds: 5000}
	size := 43
	if f.part(1) == "6" {
		h.digest, size = sha512.New, 86
	}
	if rounds, ok := strings.CutPrefix(f.part(2), "rounds="); ok {
		h.rounds = f.number(rounds, 1000, maxSHARounds)
		f.parts = append(f.parts[:2:2], f.parts[3:]...)
	}
	h.salt, h.hash = f.part(2), f.part(3)
	f.require(len(f.parts) == 4 && only(h.salt, cryptAlphabet, 0, 16) && only(h.hash, cryptAlphabet, size, size))
	return h
}

func (h shaCryptHash) matches(password []byte) bool {
	if len(password) > maxSHAPassword {
		return false
	}
	return equal(crypt.KeySHACrypt(h.digest, password, []byte(h.salt), h.rounds), []byte(h.hash))
}

// md5CryptHash is md5crypt: "$1$<salt>$<hash>".
type md5CryptHash struct{ salt, hash string }

func parseMD5Crypt(f *hashText) importedHash {
	h := md5CryptHash{f.part(2), f.part(3)}
	f.require(len(f.parts) == 4 && only(h.salt, cryptAlphabet, 0, 8) && only(h.hash, cryptAlphabet, 22, 22))
	return h
}

func (h md5CryptHash) matches(password []byte) bool {
	return len(password) > 0 && equal(crypt.KeyMD5Crypt(password, []byte(h.salt)), []byte(h.hash))
}

// phpassHash is the portable hash of phpass, as WordPress ($P$) and phpBB ($H$) kept it: a character that stands for the
// binary logarithm of the rounds, 8 of salt, 22 of hash.
type phpassHash struct {
	log        int
	salt, hash string
}

func parsePHPass(f *hashText) importedHash {
	body := f.part(2)
	f.require(len(f.parts) == 3 && only(body, cryptAlphabet, 31, 31))
	if f.bad {
		return nil
	}
	h := phpassHash{strings.IndexByte(cryptAlphabet, body[0]), body[1:9], body[9:]}
	f.require(h.log >= 7 && h.log <= maxPHPassLog)
	return h
}

func (h phpassHash) matches(password []byte) bool {
	sum := md5.Sum(append([]byte(h.salt), password...))
	buf := make([]byte, len(sum)+len(password))
	copy(buf[len(sum):], password)
	for range 1 << h.log {
		copy(buf, sum[:])
		sum = md5.Sum(buf)
	}
	return equal([]byte(cryptBase64(sum[:])), []byte(h.hash))
}

// cryptBase64 writes bytes as crypt(3) does: three at a time, the lowest six bits first.
func cryptBase64(b []byte) string {
	var out []byte
	for len(b) > 0 {
		n := min(len(b), 3)
		var v uint
		for i := range n {
			v |= uint(b[i]) << (8 * i)
		}
		for range n + 1 {
			out = append(out, cryptAlphabet[v&63])
			v >>= 6
		}
		b = b[n:]
	}
	return string(out)
}

// ldapHash is one round of SHA over the password and a salt (RFC 2307 and what came of it): "{SSHA}<base64 of hash and
// salt>", {SHA} without a salt, and those of SHA-2.
type ldapHash struct {
	digest     func() hash.Hash
	salt, hash []byte
}

func parseLDAP(f *hashText) importedHash {
	scheme, text, _ := strings.Cut(strings.TrimPrefix(f.text, "{"), "}")
	name, salted := strings.CutPrefix(scheme, "SS")
	if !salted {
		name = strings.TrimPrefix(scheme, "S")
	}
	digest := map[string]func() hash.Hash{"HA": sha1.New, "HA256": sha256.New, "HA512": sha512.New}[name]
	b, err := base64.StdEncoding.DecodeString(text)
	if digest == nil || err != nil {
		return nil
	}
	size := digest().Size()
	f.require(len(b) >= size && len(b) <= size+64 && (len(b) > size) == salted)
	if f.bad {
		return nil
	}
	return ldapHash{digest: digest, hash: b[:size], salt: b[size:]}
}

func (h ldapHash) matches(password []byte) bool {
	d := h.digest()
	_, _ = d.Write(password)
	_, _ = d.Write(h.salt)
	return equal(d.Sum(nil), h.hash)
}
