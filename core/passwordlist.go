package core

import (
	"bufio"
	"crypto/sha1" // as the published lists have it; nothing is proven by it
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxListedPasswords is how many passwords a PasswordList may hold, 80 MB of memory.
const MaxListedPasswords = 10_000_000

// PasswordList is a list of passwords that nobody may choose, beside those that are refused anyway: an organisation's own words, or
// what was found in leaks. Only hashes are kept, of eight bytes. Make it with ReadPasswordList. Safe for concurrent use.
type PasswordList struct {
	hashes []uint64 // sorted, each once
}

// ReadPasswordList reads a list: on each line a password, in whatever case, or the SHA-1 of one in hex, which a colon and a number may
// follow, as in the lists of Have I Been Pwned. Empty lines are passed over. It fails for a list of nothing, for more than
// MaxListedPasswords, and for lines of more than 1,024 bytes; no error tells a password.
func ReadPasswordList(from io.Reader) (*PasswordList, error) {
	l := &PasswordList{}
	lines := bufio.NewScanner(from)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" {
			continue
		}
		if len(line) > maxPasswordLength {
			return nil, fmt.Errorf("line %d has more than %d bytes, which no password has", number, maxPasswordLength)
		}
		if len(l.hashes) == MaxListedPasswords {
			return nil, fmt.Errorf("there are more than %d passwords", MaxListedPasswords)
		}
		sum, ok := publishedHash(line)
		if !ok {
			sum = listedHash(strings.ToLower(line))
		}
		l.hashes = append(l.hashes, sum)
	}
	if err := lines.Err(); err != nil { // one that is no text has lines without an end
		return nil, fmt.Errorf("it cannot be read as lines: %w", err)
	}
	if len(l.hashes) == 0 {
		return nil, errors.New("there is no password in it")
	}
	slices.Sort(l.hashes)
	l.hashes = slices.Clip(slices.Compact(l.hashes))
	return l, nil
}

// Len returns how many passwords are listed. Nil lists none.
func (l *PasswordList) Len() int {
	if l == nil {
		return 0
	}
	return len(l.hashes)
}

// holds reports whether a password is listed: as it is, or what it is a disguise of.
func (l *PasswordList) holds(password string) bool {
	if l.Len() == 0 {
		return false
	}
	for _, form := range append(commonForms(repeated(strings.ToLower(password))), password) {
		if _, found := slices.BinarySearch(l.hashes, listedHash(form)); found {
			return true
		}
	}
	return false
}

// listedHash returns the beginning of a password's SHA-1, as a number.
func listedHash(password string) uint64 {
	sum := sha1.Sum([]byte(password))
	return binary.BigEndian.Uint64(sum[:])
}

// publishedHash returns the same of a line that has a SHA-1, and maybe how often its password was found; false of other lines.
func publishedHash(line string) (sum uint64, ok bool) {
	text, count, _ := strings.Cut(line, ":")
	if len(text) != 2*sha1.Size || strings.Trim(count, "0123456789") != "" {
		return 0, false
	}
	bytes, err := hex.DecodeString(text)
	if err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(bytes), true
}
