package guard

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// universal hashes texts of at most maxTokenLength bytes to 128 bits, under keys that are drawn at random and that nobody learns. Two texts,
// chosen by somebody who has not seen a hash, meet with a chance of at most 2^-124.
//
// It is NH, a sum of products of the text's words, each added to a word of the key (Black, Halevi, Krawczyk, Krovetz, Rogaway, "UMAC: Fast
// and Secure Message Authentication", 1999), with words of 64 bits as in VMAC. Two texts of as many words meet with a chance of at
// most 2^-64; where one has more, only if its last product is one certain number, which is below 2^-63. A second sum has keys that lie
// one product further on (UMAC's Toeplitz extension), so that its last product has two words of the key to itself: it meets by itself. Each of the
// sums, of 128 bits, is then multiplied by random numbers and the upper half of that kept, in which two meet with a chance of
// 2^-64 (Kaser, Lemire, "Strongly universal string hashing is fast", 2014, Multilinear). All that is half of what GMAC costs, whose
// multiplications wait for each other.
type universal struct {
	keys   [(maxTokenLength+blockSize)/wordSize + 4]uint64 // of text and filling, and twice two words, for the length and the second sum
	halves [2]halver
}

const (
	wordSize  = 8
	blockSize = 8 * wordSize // what is added up in one go
)

// newUniversal draws the keys.
func newUniversal() *universal {
	u := new(universal)
	random := make([]byte, binary.Size(u.keys)+binary.Size(u.halves))
	rand.Read(random) // never fails
	for _, all := range [][]uint64{u.keys[:], u.halves[0][:], u.halves[1][:]} {
		for i := range all {
			all[i], random = binary.LittleEndian.Uint64(random), random[wordSize:]
		}
	}
	return u
}

// sum returns the hash of a text of a kind.
func (u *universal) sum(text []byte, kind uint64) (low, high uint64) {
	length, keys := uint64(len(text)), u.keys[:]
	var one, two wide
	for ; len(text) >= blockSize; text, keys = text[blockSize:], keys[blockSize/wordSize:] {
		one = one.block((*block)(text), keys)
		two = two.block((*block)(text), keys[2:])
	}
	var last block
	copy(last[:], text)
	one, two = one.block(&last, keys), two.block(&last, keys[2:])
	keys = keys[blockSize/wordSize:]
	one, two = one.product(length+keys[0], kind+keys[1]), two.product(length+keys[2], kind+keys[3])
	return u.halves[0].half(one), u.halves[1].half(two)
}

// block is so much of a text.
type block [blockSize]byte

// word returns one of a block's words.
func (b *block) word(i int) uint64 { return binary.LittleEndian.Uint64(b[i*wordSize:]) }

// wide is a number of 128 bits. What does not fit into it is dropped.
type wide struct{ high, low uint64 }

// product returns w with the product of two numbers added to it.
func (w wide) product(a, b uint64) wide {
	high, low := bits.Mul64(a, b)
	low, carry := bits.Add64(w.low, low, 0)
	high, _ = bits.Add64(w.high, high, carry)
	return wide{high, low}
}

// block returns w with the products of a block's words under keys added to it.
func (w wide) block(b *block, keys []uint64) wide {
	k := (*[8]uint64)(keys)
	return w.product(b.word(0)+k[0], b.word(1)+k[1]).product(b.word(2)+k[2], b.word(3)+k[3]).
		product(b.word(4)+k[4], b.word(5)+k[5]).product(b.word(6)+k[6], b.word(7)+k[7])
}

// halver is a random number of 128 bits for each half of another and one to begin with, the low words first.
type halver [6]uint64

// half brings a number of 128 bits down to 64.
func (h *halver) half(w wide) uint64 {
	sum := wide{high: h[5], low: h[4]}.product(w.low, h[0]).product(w.high, h[2])
	return sum.high + w.low*h[1] + w.high*h[3]
}
