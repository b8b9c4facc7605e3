package guard

import "strings"

// bookSize is how many bytes a book has, unless it was made for one long text.
const bookSize = 8 << 10

// longText is how many bytes a text may have that shares a book: so little of a book is left over where the next does not fit.
const longText = bookSize / 4

// shelf keeps texts in books, which hold no pointers: where there would be an object for each text, the garbage collector has one book for
// dozens. A book is written once, from its beginning to its end, and given up as a whole; whoever holds a text that lies in it
// holds the book. So a text never changes, and may be read while others are written. The shelf itself is not safe for concurrent use.
type shelf struct {
	books []book
	free  []uint32        // numbers of books that are given up
	open  strings.Builder // the book that is written, whose room is made beforehand and never moves
	last  uint32          // its number

	wanted int // how many bytes are, of all books
}

// book is what was written to one.
type book struct {
	text   string // "" = nothing, or it is given up
	wanted int    // how many bytes of it are
}

// spot is where a text lies in a shelf. No text is empty, and so no spot is zero.
type spot struct {
	book   uint32
	length uint32
	at     uint16
}

// get returns the text at a spot.
func (s *shelf) get(p spot) string { return s.books[p.book].text[p.at:][:p.length] }

// fits reports whether a text has room in the open book, or none to look for there.
func (s *shelf) fits(length int) bool {
	return length > longText || s.open.Len()+length <= s.open.Cap()
}

// turn opens a new book, and returns the number of the one that was open. It reports false where there was none.
func (s *shelf) turn() (closed uint32, was bool) {
	closed, was = s.last, s.open.Cap() > 0
	s.open = strings.Builder{}
	s.open.Grow(bookSize)
	s.last = s.number()
	return closed, was
}

// put keeps a text that fits.
func (s *shelf) put(text string) spot {
	if len(text) > longText {
		n := s.number()
		s.books[n] = book{strings.Clone(text), len(text)}
		s.wanted += len(text)
		return spot{book: n, length: uint32(len(text))}
	}
	at := s.open.Len()
	s.open.WriteString(text)
	p := &s.books[s.last]
	p.text, p.wanted = s.open.String(), p.wanted+len(text)
	s.wanted += len(text)
	return spot{book: s.last, length: uint32(len(text)), at: uint16(at)}
}

// number returns the number of a book that is made.
func (s *shelf) number() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		n := s.free[last]
		s.free = s.free[:last]
		return n
	}
	s.books = append(s.books, book{})
	return uint32(len(s.books) - 1)
}

// unwant notes that a text is not wanted any more.
func (s *shelf) unwant(p spot) {
	s.books[p.book].wanted -= int(p.length)
	s.wanted -= int(p.length)
}

// sparse reports whether less than half of a book is wanted, so that the rest should move. The open book never is.
func (s *shelf) sparse(n uint32) bool {
	return !(n == s.last && s.open.Cap() > 0) && s.books[n].text != "" && s.books[n].wanted < min(bookSize, len(s.books[n].text))/2
}

// give gives a book up, of which nothing is wanted that is not elsewhere by now. The open one is kept.
func (s *shelf) give(n uint32) {
	s.wanted -= s.books[n].wanted
	s.books[n] = book{}
	s.free = append(s.free, n)
}
