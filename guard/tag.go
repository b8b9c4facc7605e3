package guard

import (
	"hash/maphash"
	"unsafe"
)

// tag stands for a credential in memory: 128 bits that depend on every byte of it, and where it is looked for.
type tag struct {
	low, high uint64
	home      uint32 // 31 bits
}

// tagger makes tags, under keys that are drawn when it is made and that nobody learns. Whoever does not hold a credential cannot show
// another with its tag (see universal). So a credential need not be kept to be known again. To look for a tag is to look at one line of
// memory; to compare whole tokens, among many, is to wait for a dozen. Safe for concurrent use.
type tagger struct {
	hash *universal
	seed maphash.Seed // of homes
}

func newTagger() *tagger { return &tagger{newUniversal(), maphash.MakeSeed()} }

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

// What a credential may be. An API key is no session token that reads alike.
const (
	kindToken uint64 = iota
	kindKey
)

// tag returns the tag of q's credential, whose home is known.
func (t *tagger) tag(q *question) tag {
	kind := kindToken
	if q.byKey {
		kind = kindKey
	}
	// The bytes of the text as they lie there: a copy costs as much as the tag, and nothing writes to them.
	low, high := t.hash.sum(unsafe.Slice(unsafe.StringData(q.token), len(q.token)), kind)
	return tag{low, high, q.home}
}
