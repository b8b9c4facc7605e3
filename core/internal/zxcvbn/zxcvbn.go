// Package zxcvbn estimates how many guesses a password stands, on the scale of 0 to 4 that zxcvbn made common (Wheeler,
// "zxcvbn: low-budget password strength estimation", USENIX Security 2016; its lists and its figures are used under the MIT
// license, see LICENSE.zxcvbn).
//
// A password is taken apart into words, names, keyboard walks, repetitions, sequences, years and dates, also disguised ones, and
// what is left is guessed character by character; the cheapest way to put it together says how strong it is. Other
// implementations look at each way to read disguises, and take seconds for a hostile password: here the work is
// bounded, whatever the password, see maxLooked.
package zxcvbn

// maxLooked is how many characters of a password are looked at. More can only make it stronger: what is looked at
// must be guessed in any case.
const maxLooked = 64

// Level returns how hard a password is to guess for somebody who knows some words about its owner, in lower case, the
// likeliest first: 0 in a thousand guesses, 1 in a million, 2 in 10^8, 3 in 10^10, 4 in more.
func Level(password string, about []string) int {
	guesses, level := Guesses(password, about), 0
	for _, bound := range []float64{1e3, 1e6, 1e8, 1e10} {
		if guesses >= bound+5 { // zxcvbn's margin
			level++
		}
	}
	return level
}

// Guesses returns about how many guesses a password stands.
func Guesses(password string, about []string) float64 {
	known := map[uint64]int{}
	for i, word := range about {
		if h := HashOf(word); known[h] == 0 {
			known[h] = i + 1
		}
	}
	runes := []rune(password)
	return guesses(runes[:min(len(runes), maxLooked)], known)
}

// guesses is Guesses of characters. known ranks words about the owner, by their hashes.
func guesses(password []rune, known map[uint64]int) float64 {
	if len(password) == 0 {
		return 1
	}
	a := analysis{password: password, known: known}
	a.find()
	return a.cheapest()
}

// find finds all parts that make sense.
func (a *analysis) find() {
	a.dictionary()
	a.disguises()
	a.walks()
	a.repeats()
	a.sequences()
	a.years()
	a.dates()
}

// analysis is what is found in a password.
type analysis struct {
	password []rune
	known    map[uint64]int
	matches  []match
}

// match is a part of a password that is guessed as a whole.
type match struct {
	i, j    int // the first and the last character
	guesses float64
}

// The least that is counted for a part of a password: that there is this one must be guessed too.
const (
	leastSingle = 10
	leastMulti  = 50
)

// add notes a part of the password.
func (a *analysis) add(i, j int, guesses float64) {
	if j-i+1 < len(a.password) {
		least := float64(leastMulti)
		if i == j {
			least = leastSingle
		}
		guesses = max(guesses, least)
	}
	a.matches = append(a.matches, match{i, j, guesses})
}

// choose returns in how many ways k things can be chosen of n.
func choose(n, k int) float64 {
	if k > n {
		return 0
	}
	ways := 1.0
	for d := 1; d <= k; d++ {
		ways = ways * float64(n) / float64(d)
		n--
	}
	return ways
}

// mixtures returns in how many ways up to as many as the fewer of two kinds can lie among both.
func mixtures(one, other int) (ways float64) {
	for i := 1; i <= min(one, other); i++ {
		ways += choose(one+other, i)
	}
	return ways
}
