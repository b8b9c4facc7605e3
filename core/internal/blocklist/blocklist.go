// Package blocklist knows the passwords that most people choose. core refuses them as new passwords.
//
// The list is that of zxcvbn-ts (npm @zxcvbn-ts/language-common, MIT, see LICENSE.zxcvbn-ts), some 49,000 of them, kept
// as sorted hashes: 240 KiB of the binary that are looked into where they lie.
package blocklist

import (
	"crypto/sha256"
	_ "embed"
	"sort"
)

//go:generate go run ./gen

// hashes are the first size bytes of the SHA-256 of each password, sorted.
//
//go:embed passwords.bin
var hashes string

// size of a hash in bytes. That a password nobody uses shares one with a common one happens once in 22 million.
const size = 5

// Contains reports whether a password, in lower case, is one that many people use.
func Contains(password string) bool {
	sum := sha256.Sum256([]byte(password))
	want := string(sum[:size])
	n := len(hashes) / size
	i := sort.Search(n, func(i int) bool { return at(i) >= want })
	return i < n && at(i) == want
}

// at returns the hash number i.
func at(i int) string { return hashes[i*size : (i+1)*size] }
