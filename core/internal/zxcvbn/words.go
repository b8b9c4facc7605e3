package zxcvbn

import (
	_ "embed"
	"sort"
	"unicode/utf8"
)

//go:generate go run ./gen

// words holds the words that people use, as entries that are sorted by their hash: 640 KiB of the binary that are looked
// into where they lie.
//
//go:embed words.bin
var words string

const (
	hashSize  = 5  // bytes of a word's hash: two words share one once in ten million
	entrySize = 7  // and two of its rank
	longest   = 23 // characters of a word
)

// Entry returns a word of words.bin, which is made of them.
func Entry(hash uint64, rank int) string {
	return string([]byte{byte(hash >> 32), byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash), byte(rank >> 8), byte(rank)})
}

// rankOf returns the place of a word among those as frequent in its list, by its hash: 1 is the first guess, 0 is no word.
func rankOf(hash uint64) int {
	n := len(words) / entrySize
	i := sort.Search(n, func(i int) bool { return hashAt(i) >= hash })
	if i == n || hashAt(i) != hash {
		return 0
	}
	e := words[i*entrySize+hashSize:]
	return int(e[0])<<8 | int(e[1])
}

// hashAt returns the hash of the entry number i.
func hashAt(i int) uint64 {
	e := words[i*entrySize : i*entrySize+hashSize]
	return uint64(e[0])<<32 | uint64(e[1])<<24 | uint64(e[2])<<16 | uint64(e[3])<<8 | uint64(e[4])
}

// HashOf returns the hash of a word in lower case.
func HashOf(word string) uint64 {
	h := newHash
	for _, r := range word {
		h = h.add(r)
	}
	return h.sum()
}

// A running hash is that of the characters so far (FNV-1a), so that one pass hashes all words that begin at a place.
type running uint64

const newHash running = 14695981039346656037

func (h running) add(r rune) running {
	var buf [utf8.UTFMax]byte
	for _, b := range buf[:utf8.EncodeRune(buf[:], r)] {
		h = (h ^ running(b)) * 1099511628211
	}
	return h
}

// sum returns as many bits as are kept, mixed: FNV leaves the upper ones of short words alike.
func (h running) sum() uint64 {
	x := uint64(h)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return (x ^ x>>33) >> (64 - 8*hashSize)
}
