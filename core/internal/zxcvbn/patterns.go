package zxcvbn

import (
	"slices"
	"unicode"
)

// repeats finds what is repeated. It is guessed once, and how often it is there.
func (a *analysis) repeats() {
	for i := 0; i < len(a.password); {
		rest := a.password[i:]
		shortest, longest := 0, 0 // characters of the repetitions of the shortest and of the longest part that are here
		for unit := 1; unit <= len(rest)/2; unit++ {
			if n := repetitions(rest, unit); n > 1 {
				longest = n * unit
				if shortest == 0 {
					shortest = longest
				}
			}
		}
		if longest == 0 {
			i++
			continue
		}
		whole := rest[:max(shortest, longest)]
		unit := period(whole)
		a.add(i, i+len(whole)-1, guesses(whole[:unit], a.known)*float64(len(whole)/unit))
		i += len(whole)
	}
}

// repetitions returns how often the first characters of a text follow each other from its beginning.
func repetitions(text []rune, unit int) int {
	n := 1
	for (n+1)*unit <= len(text) && slices.Equal(text[n*unit:(n+1)*unit], text[:unit]) {
		n++
	}
	return n
}

// period returns of how many characters the shortest part is that a text is a repetition of.
func period(text []rune) int {
	for unit := 1; unit < len(text); unit++ {
		if len(text)%unit == 0 && repetitions(text, unit)*unit == len(text) {
			return unit
		}
	}
	return len(text)
}

// farthest is how far apart the characters of a sequence may be: "acegi" is one.
const farthest = 5

// sequences finds characters that follow each other at one distance, such as "abc", "97531".
func (a *analysis) sequences() {
	i, distance := 0, rune(0)
	for k := 1; k <= len(a.password); k++ {
		next := rune(0)
		if k < len(a.password) {
			next = a.password[k] - a.password[k-1]
		}
		if k == 1 {
			distance = next
		}
		if k < len(a.password) && next == distance {
			continue
		}
		size := max(distance, -distance)
		if j := k - 1; size > 0 && size <= farthest && (j-i > 1 || j-i == 1 && size == 1) {
			a.add(i, j, sequenceGuesses(a.password[i:j+1]))
		}
		i, distance = k-1, next
	}
}

// sequenceGuesses returns how many sequences are tried until one.
func sequenceGuesses(token []rune) float64 {
	base := 26.0
	switch first := token[0]; {
	case slices.Contains([]rune("aAzZ019"), first):
		base = 4
	case first >= '0' && first <= '9':
		base = 10
	}
	if token[1] < token[0] {
		base *= 2
	}
	return base * float64(len(token))
}

const (
	// aroundYear is the year that others are guessed from. All within yearSpace of it cost the same, so that it need not
	// be this one.
	aroundYear = 2026
	yearSpace  = 20
)

// yearGuesses returns how many years are tried until one.
func yearGuesses(year int) float64 {
	return float64(max(year-aroundYear, aroundYear-year, yearSpace))
}

// years finds the years of people who are alive.
func (a *analysis) years() {
	for i := 0; i+4 <= len(a.password); i++ {
		if year, ok := number(a.password[i : i+4]); ok && year >= 1900 && year < 2050 {
			a.add(i, i+3, yearGuesses(year))
			i += 3
		}
	}
}

// number reads digits of ASCII.
func number(digits []rune) (n int, ok bool) {
	for _, r := range digits {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = 10*n + int(r-'0')
	}
	return n, len(digits) > 0
}

// isSeparator reports whether a character may stand between the parts of a date.
func isSeparator(r rune) bool {
	return unicode.IsSpace(r) || slices.Contains([]rune(`/\_.-`), r)
}
