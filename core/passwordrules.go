package core

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/postern-auth/postern/core/internal/blocklist"
	"github.com/postern-auth/postern/core/internal/zxcvbn"
)

// maxPasswordLength is the longest password, in bytes. Longer ones are refused, never cut.
const maxPasswordLength = 1024

// preparePassword brings a password to the form that is hashed (RFC 8265 §4.2, OpaqueString).
func preparePassword(text string) ([]byte, error) {
	if len(text) > maxPasswordLength {
		return nil, invalid("password", "Password is too long (maximum is 1024 bytes)")
	}
	if text == "" {
		return nil, invalid("password", "Password can't be blank")
	}
	prepared, err := precis.OpaqueString.String(text)
	if err != nil || len(prepared) > maxPasswordLength || !utf8.ValidString(text) {
		return nil, invalid("password", "Password contains characters that are not allowed")
	}
	return []byte(prepared), nil
}

// What is said of a password that would be guessed early.
const (
	saidSequence = "Password is a repetition or a sequence, which is easy to guess"
	saidAboutYou = "Password is too much like the name, the address or this service's name"
	saidCommon   = "Password is one that many people use, which is easy to guess"
	saidListed   = "Password is on the list of those that must not be used here"
	saidWeak     = "Password is too easy to guess; make it longer, best with words that have nothing to do with each other"
)

// checkPassword is the function of that name, which refuses what an operator's list holds too.
func (d *deps) checkPassword(realm *Realm, user *User, in UserChange) ([]byte, error) {
	prepared, err := checkPassword(realm, user, in)
	if err == nil && d.refused.holds(string(prepared)) {
		return nil, invalid("password", saidListed)
	}
	return prepared, err
}

// checkPassword refuses a new password of user that breaks the realm's rules (NIST SP 800-63B-4 §3.1.1.2): what is cheap
// to see comes first, and all of it is linear in the password, or bounded. It looks at nothing that is stored of anybody else.
func checkPassword(realm *Realm, user *User, in UserChange) ([]byte, error) {
	if !realm.Settings.offers(ProviderPassword) {
		return nil, errNoPasswords
	}
	prepared, err := preparePassword(*in.Password)
	if err != nil {
		return nil, err
	}
	if least := realm.Settings.PasswordMinLength; utf8.RuneCount(prepared) < least {
		return nil, invalid("password", fmt.Sprintf("Password is too short (minimum is %d characters)", least))
	}
	if in.PasswordConfirmation != nil && *in.PasswordConfirmation != *in.Password {
		return nil, invalid("password_confirmation", "Password confirmation does not match")
	}
	for _, kind := range realm.Settings.PasswordRequired {
		if !strings.ContainsFunc(string(prepared), func(r rune) bool { return kindOf(r) == kind }) {
			return nil, invalid("password", saidRequired[kind])
		}
	}
	about := wordsAbout(realm, user)
	if why := guessable(string(prepared), about); why != "" {
		return nil, invalid("password", why)
	}
	if least := realm.Settings.PasswordComplexity; least > 0 && zxcvbn.Level(string(prepared), about) < least {
		return nil, invalid("password", saidWeak)
	}
	return prepared, nil
}

// saidRequired is what is said of a password without characters of a kind that the realm asks for.
var saidRequired = map[CharacterKind]string{
	CharacterLower:   "Password must have a lower case letter",
	CharacterUpper:   "Password must have an upper case letter",
	CharacterDigit:   "Password must have a digit",
	CharacterSpecial: "Password must have a character that is neither a letter nor a digit",
}

// guessable says why a password would be among the first guesses of somebody who knows these words of its owner, or "".
func guessable(password string, about []string) string {
	folded := strings.ToLower(password)
	if weight(folded) < leastWeight {
		return saidSequence
	}
	unit := repeated(folded)
	if unit != folded && utf8.RuneCountInString(unit) < leastLeft {
		return saidSequence
	}
	for _, form := range plainForms(folded) {
		if left, found := without(form, about); found && left < leastLeft {
			return saidAboutYou
		}
	}
	if slices.ContainsFunc(commonForms(unit), blocklist.Contains) {
		return saidCommon
	}
	return ""
}

// commonForms returns what a password, in lower case and without its repetitions, may be a disguise of, itself among it.
func commonForms(password string) []string {
	var forms []string
	for _, form := range append(plainForms(password), reversed(password)) {
		forms = append(forms, form, bare(form))
	}
	return slices.DeleteFunc(forms, func(form string) bool { return form == "" }) // what has no letters is a disguise of nothing
}

const (
	// leastWeight is how many characters a password must have when each run of three and more counts as two.
	leastWeight = 6

	// leastLeft is how many characters must be left of a password without words about its owner, and how many a
	// part must have that is repeated: as many as any password needs.
	leastLeft = 8
)

// weight counts the characters of a password, where "12345", "edcba", "aaaa" and "qwerty" count as two.
func weight(s string) int {
	n, run, last := 0, 0, step{}
	var before rune
	for i, r := range s {
		next := stepBetween(before, r)
		if i > 0 && next != (step{}) && next == last {
			run++
		} else {
			run = 0
		}
		if run == 0 {
			n++
		}
		before, last = r, next
	}
	return n
}

// step is how one character follows another in a sequence. The zero step is none.
type step struct {
	keyboard bool
	by       int // 1 forward, -1 backward, 2 the same again
}

// keyboard is the rows of a keyboard, whose neighbours follow each other.
const keyboard = "1234567890 qwertyuiop asdfghjkl zxcvbnm"

// stepBetween returns the step from one character to the next.
func stepBetween(a, b rune) step {
	if a == b {
		return step{by: 2}
	}
	alike := unicode.IsDigit(a) == unicode.IsDigit(b) && unicode.IsLetter(a) == unicode.IsLetter(b)
	if d := int(b - a); alike && (d == 1 || d == -1) {
		return step{by: d}
	}
	i, j := strings.IndexRune(keyboard, a), strings.IndexRune(keyboard, b)
	if d := j - i; i >= 0 && j >= 0 && (d == 1 || d == -1) && a != ' ' && b != ' ' {
		return step{keyboard: true, by: d}
	}
	return step{}
}

// repeated returns the part that s is a repetition of, which is s itself where it is none. It is the shortest period
// that the prefix function of Knuth, Morris and Pratt finds.
func repeated(s string) string {
	if s == "" {
		return s
	}
	border := make([]int, len(s))
	for i, k := 1, 0; i < len(s); i++ {
		for k > 0 && s[i] != s[k] {
			k = border[k-1]
		}
		if s[i] == s[k] {
			k++
		}
		border[i] = k
	}
	if period := len(s) - border[len(s)-1]; len(s)%period == 0 {
		return s[:period]
	}
	return s
}

// What people write for letters. A 1 stands for one of two.
var (
	disguised = strings.NewReplacer("0", "o", "1", "i", "!", "i", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t", "+", "t", "8", "b")
	alternate = strings.NewReplacer("0", "o", "1", "l", "!", "l", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t", "+", "t", "8", "b")
)

// plainForms returns s and what it may be a disguise of.
func plainForms(s string) []string {
	forms := []string{s}
	for _, r := range []*strings.Replacer{disguised, alternate} {
		if plain := r.Replace(s); !slices.Contains(forms, plain) {
			forms = append(forms, plain)
		}
	}
	// The digits at the end are more often a number than letters: "p4ssword2024".
	if word := strings.TrimRightFunc(s, notLetter); word != s {
		forms = append(forms, disguised.Replace(word), alternate.Replace(word))
	}
	return forms
}

// maxTrimmed is how many characters at each end of a common password do not make it a better one.
const maxTrimmed = 4

// bare returns s without the few digits and marks that people put around a word, or "" where more is left out.
func bare(s string) string {
	word := strings.TrimRightFunc(s, notLetter)
	tail := len(s) - len(word)
	word = strings.TrimLeftFunc(word, notLetter)
	if head := len(s) - tail - len(word); head > maxTrimmed || tail > maxTrimmed {
		return ""
	}
	return word
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

func reversed(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

// without returns how many letters and digits are left of s without any of the words, and whether one was there.
func without(s string, words []string) (left int, found bool) {
	for _, word := range words {
		if strings.Contains(s, word) {
			s, found = strings.ReplaceAll(s, word, " "), true
		}
	}
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			left++
		}
	}
	return left, found
}

const (
	shortestWord = 4   // characters of a word about somebody: shorter ones are in too much
	mostWords    = 100 // words about somebody that are looked for
)

// wordsAbout returns the words that say who a user is and where, in lower case, the longest first.
func wordsAbout(realm *Realm, user *User) []string {
	var words []string
	add := func(text string) {
		text = strings.ToLower(text)
		parts := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, word := range append(parts, strings.Join(parts, "")) {
			if utf8.RuneCountInString(word) >= shortestWord {
				words = append(words, word)
			}
		}
	}
	local, domain, _ := strings.Cut(user.Email, "@")
	for _, text := range []string{user.Username, local, domain, user.FirstName, user.LastName, user.APIName, realm.Name} {
		add(text)
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	words = slices.Compact(words)
	return words[:min(len(words), mostWords)]
}
