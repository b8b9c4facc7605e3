// Package argon2 computes Argon2 hashes (RFC 9106) in memory that is used again, on the goroutine that asks.
//
// The package of that name beside the standard library makes a goroutine for each lane and slice, and takes new memory
// for each hash. Both are in the way here: a goroutine of its own cannot be given to a thread of low priority, so that a
// flood of sign-ins is felt by everybody else, and memory that is new each time makes the garbage collector run
// once a hash. What is computed is the same to the byte, which the tests hold; besides, this package knows Argon2d and
// the version of before 2016, for hashes that come from elsewhere.
//
// The block function, in the files blamka and blake2b, is that of golang.org/x/crypto/argon2 (LICENSE.golang), unchanged but for
// the question whether the processor has AVX2: then it is ours, in blamka_avx2, which takes less than half of the time.
package argon2

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// Kind is which memory a hash looks at.
type Kind int

// The kinds, by their numbers in RFC 9106 §3.1.
const (
	D Kind = iota
	I
	ID
)

// The versions.
const (
	Version10 = 0x10 // of before 2016, whose texts name no version
	Version13 = 0x13 // RFC 9106
)

// Params are what a hash costs.
type Params struct {
	Kind    Kind
	Version int    // Version10 or Version13
	Memory  uint32 // KiB, at least 8 for each lane
	Passes  uint32 // at least 1
	Lanes   uint32 // at least 1; computed one after the other
}

const (
	blockLength = 128 // words
	syncPoints  = 4
)

type block [blockLength]uint64

// Memory is what hashes are computed in. The zero Memory is ready for use, by one goroutine at a time. It grows to
// what the greatest hash takes, and keeps what the last one left there, until it is used again or dropped.
type Memory struct {
	blocks []block

	// Pause is called after every 256 blocks, which take a tenth of a millisecond, with AVX2 half of that: whoever computes may
	// let others have the processor there. nil is nobody.
	Pause func()
}

// pauseEvery is how many blocks are filled between two pauses.
const pauseEvery = 256

// Key returns the hash of a password, length bytes of it (at least 4). The caller bounds what p asks for.
func (m *Memory) Key(p Params, password, salt []byte, length uint32) []byte {
	lane := max(p.Memory/(syncPoints*p.Lanes), 2) * syncPoints // blocks
	h := &filling{Params: p, lane: lane, blocks: m.take(lane * p.Lanes), pause: m.Pause}
	h.begin(password, salt, length)
	for pass := range p.Passes {
		for slice := range uint32(syncPoints) {
			for lane := range p.Lanes {
				h.segment(pass, slice, lane)
			}
		}
	}
	return h.end(length)
}

// take returns n blocks that hold anything.
func (m *Memory) take(n uint32) []block {
	if uint32(len(m.blocks)) < n {
		m.blocks = nil // so that both are not there at once
		m.blocks = make([]block, n)
	}
	return m.blocks[:n]
}

// filling is the memory of one hash while it is computed.
type filling struct {
	Params
	lane   uint32  // blocks of a lane
	blocks []block // lane after lane
	pause  func()  // nil = none
}

// begin fills the first two blocks of each lane (RFC 9106 §3.2, steps 1 to 4).
func (h *filling) begin(password, salt []byte, length uint32) {
	var h0 [blake2b.Size + 8]byte
	b2, _ := blake2b.New512(nil) // fails for long keys only
	number := func(n uint32) { _, _ = b2.Write(binary.LittleEndian.AppendUint32(nil, n)) }
	for _, n := range []uint32{h.Lanes, length, h.Memory, h.Passes, uint32(h.Version), uint32(h.Kind)} {
		number(n)
	}
	for _, text := range [][]byte{password, salt, nil, nil} { // no secret, no associated data
		number(uint32(len(text)))
		_, _ = b2.Write(text)
	}
	b2.Sum(h0[:0])
	var bytes [8 * blockLength]byte
	for lane := range h.Lanes {
		binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], lane)
		for i := range uint32(2) {
			binary.LittleEndian.PutUint32(h0[blake2b.Size:], i)
			blake2bHash(bytes[:], h0[:])
			b := &h.blocks[lane*h.lane+i]
			for j := range b {
				b[j] = binary.LittleEndian.Uint64(bytes[8*j:])
			}
		}
	}
}

// segment fills a quarter of a lane in one pass (steps 5 and 6).
func (h *filling) segment(pass, slice, lane uint32) {
	length := h.lane / syncPoints
	blind := h.Kind == I || h.Kind == ID && pass == 0 && slice < syncPoints/2
	var addresses, in, zero block
	next := func() {
		in[6]++
		processBlock(&addresses, &in, &zero)
		processBlock(&addresses, &addresses, &zero)
	}
	if blind {
		in = block{uint64(pass), uint64(lane), uint64(slice), uint64(len(h.blocks)), uint64(h.Passes), uint64(h.Kind)}
	}
	first := uint32(0)
	if pass == 0 && slice == 0 {
		first = 2 // begin filled them
		if blind {
			next()
		}
	}
	for i := first; i < length; i++ {
		at := lane*h.lane + slice*length + i
		before := at - 1
		if i == 0 && slice == 0 {
			before += h.lane // the last of the lane
		}
		random := h.blocks[before][0]
		if blind {
			if i%blockLength == 0 {
				next()
			}
			random = addresses[i%blockLength]
		}
		if i%pauseEvery == pauseEvery-1 && h.pause != nil {
			h.pause()
		}
		other := h.reference(random, pass, slice, lane, i)
		if pass == 0 || h.Version == Version10 {
			processBlock(&h.blocks[at], &h.blocks[before], &h.blocks[other])
		} else {
			processBlockXOR(&h.blocks[at], &h.blocks[before], &h.blocks[other])
		}
	}
}

// reference returns which block a random number stands for (RFC 9106 §3.4.2).
func (h *filling) reference(random uint64, pass, slice, lane, i uint32) uint32 {
	length := h.lane / syncPoints
	other := uint32(random>>32) % h.Lanes
	if pass == 0 && slice == 0 {
		other = lane
	}
	count, start := 3*length, ((slice+1)%syncPoints)*length
	if pass == 0 {
		count, start = slice*length, 0
	}
	if lane == other {
		count += i
	}
	if i == 0 || lane == other {
		count--
	}
	x := random & 0xffffffff
	x = (x * x) >> 32
	x = (x * uint64(count)) >> 32
	return other*h.lane + uint32((uint64(start)+uint64(count)-(x+1))%uint64(h.lane))
}

// end returns the hash of the last blocks of all lanes (step 7 and 8).
func (h *filling) end(length uint32) []byte {
	last := h.blocks[h.lane-1]
	for lane := uint32(1); lane < h.Lanes; lane++ {
		for i, word := range h.blocks[lane*h.lane+h.lane-1] {
			last[i] ^= word
		}
	}
	var bytes [8 * blockLength]byte
	for i, word := range last {
		binary.LittleEndian.PutUint64(bytes[8*i:], word)
	}
	key := make([]byte, length)
	blake2bHash(key, bytes[:])
	return key
}
