package guard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"unsafe"
)

// tag stands for a credential in memory: 128 bits that depend on every byte of it, and where it is looked for.
type tag struct {
	low, high uint64
	home      uint32 // 31 bits
}

// tagger makes tags, with GMAC (NIST SP 800-38D) under a key that is drawn when it is made and that nobody learns. Whoever does
// not hold a credential cannot show another with its tag: GMAC is a universal hash, so a text of at most 8 KiB, whoever chose
// it, meets a given other one with a chance of at most 2^-119. So a credential need not be kept to be known again. To look for a
// tag is to look at one line of memory; to compare whole tokens, among many, is to wait for a dozen. Safe for concurrent use.
type tagger struct {
	gmac    cipher.AEAD
	seed    maphash.Seed // of homes
	buffers sync.Pool    // of *[16]byte
}

// nonces keep API keys and session tokens apart. That each is used again and again would tell the key to those who saw
// tags; these never leave the cache.
var (
	tokenNonce = []byte("sessiontoken")
	keyNonce   = []byte("guardAPIkeys")
)

func newTagger() (*tagger, error) {
	var key [16]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("a key for the memory of tokens: %w", err)
	}
	gmac, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("a key for the memory of tokens: %w", err)
	}
	return &tagger{gmac: gmac, seed: maphash.MakeSeed(), buffers: sync.Pool{New: func() any { return new([16]byte) }}}, nil
}

// tag returns the tag of a session token, or of an API key.
func (t *tagger) tag(text string, byKey bool) tag { return t.tagAt(t.home(text, byKey), text, byKey) }

// lastBytes of a session token are from its signature, whatever it is signed with.
const lastBytes = 32

// home returns where a credential is looked for, in a fraction of the time that its tag takes, so that the memory there comes while that is made. It
// proves nothing: what is found there has the tag, or is another. Of a session token it depends on the last bytes alone. Many that end
// alike would be looked for one behind the other, but only good ones are kept, and nobody can make good ones end alike: the end is of a
// signature. API keys may be chosen by their owners, and count in whole.
func (t *tagger) home(text string, byKey bool) uint32 {
	if from := len(text) - lastBytes; from > 0 && !byKey {
		text = text[from:]
	}
	return uint32(maphash.String(t.seed, text)) >> 1
}

// tagAt returns the tag of a session token, or of an API key, whose home is known.
func (t *tagger) tagAt(home uint32, text string, byKey bool) tag {
	nonce := tokenNonce
	if byKey {
		nonce = keyNonce
	}
	// The bytes of the text as they lie there: nothing writes to what is only authenticated, and a copy costs as much as the tag.
	bytes := unsafe.Slice(unsafe.StringData(text), len(text))
	out := t.buffers.Get().(*[16]byte)
	t.gmac.Seal(out[:0], nonce, nil, bytes)
	made := tag{binary.LittleEndian.Uint64(out[:8]), binary.LittleEndian.Uint64(out[8:]), home}
	t.buffers.Put(out)
	return made
}
