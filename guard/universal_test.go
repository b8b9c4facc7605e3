package guard

import (
	"encoding/binary"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestUniversal holds sums to what they are by definition, with numbers of any size: words of the text and of the key are added up modulo 2^64, the
// products of two and two modulo 2^128, and the upper 64 bits of what each half, multiplied, comes to are kept.
func TestUniversal(t *testing.T) {
	u := newUniversal()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, -1).Draw(t, "text")
		if rapid.Bool().Draw(t, "long") {
			text = append(make([]byte, rapid.IntRange(0, maxTokenLength-len(text)).Draw(t, "zeros")), text...)
		}
		kind := rapid.Uint64().Draw(t, "kind")
		low, high := u.sum(text, kind)
		if want := [2]uint64{u.defined(0, text, kind), u.defined(1, text, kind)}; [2]uint64{low, high} != want {
			t.Fatalf("sum(%x, %d) = %x, want %x", text, kind, [2]uint64{low, high}, want)
		}
	})
}

// defined is half of a sum.
func (u *universal) defined(half int, text []byte, kind uint64) uint64 {
	filled := append(append([]byte{}, text...), make([]byte, blockSize-len(text)%blockSize)...)
	words := make([]uint64, len(filled)/wordSize)
	_, _ = binary.Decode(filled, binary.LittleEndian, words)
	words = append(words, uint64(len(text)), kind)
	sum := new(big.Int)
	for i := 0; i < len(words); i += 2 {
		keys := u.keys[i+2*half:]
		sum.Add(sum, new(big.Int).Mul(bigOf(words[i]+keys[0]), bigOf(words[i+1]+keys[1])))
	}
	const all = 128
	sum.And(sum, mask(all))
	h := u.halves[half]
	low, upper := new(big.Int).And(sum, mask(64)), new(big.Int).Rsh(sum, 64)
	low.Mul(low, wideOf(h[0], h[1]))
	upper.Mul(upper, wideOf(h[2], h[3]))
	folded := low.Add(low, upper.Add(upper, wideOf(h[4], h[5])))
	return folded.And(folded, mask(all)).Rsh(folded, 64).Uint64()
}

func bigOf(n uint64) *big.Int { return new(big.Int).SetUint64(n) }

func wideOf(low, high uint64) *big.Int {
	return new(big.Int).Or(bigOf(low), new(big.Int).Lsh(bigOf(high), 64))
}

func mask(bits uint) *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), bits)
	return m.Sub(m, big.NewInt(1))
}

// TestUniversalTakesTheLongest sums a text as long as a credential may be.
func TestUniversalTakesTheLongest(t *testing.T) {
	u := newUniversal()
	text := make([]byte, maxTokenLength)
	one, _ := u.sum(text, kindToken)
	text[len(text)-1] = 1
	if other, _ := u.sum(text, kindToken); one == other {
		t.Error("the last byte of the longest text makes no difference")
	}
}
