package zxcvbn

import (
	"slices"
	"unicode"
)

// dictionary finds words, forwards and backwards.
func (a *analysis) dictionary() {
	last := len(a.password) - 1
	a.wordsIn(a.password, func(i, j, rank int) {
		a.add(i, j, float64(rank)*capitals(a.password[i:j+1]))
	})
	backwards := slices.Clone(a.password)
	slices.Reverse(backwards)
	a.wordsIn(backwards, func(i, j, rank int) {
		i, j = last-j, last-i
		a.add(i, j, float64(rank)*2*capitals(a.password[i:j+1]))
	})
}

// wordsIn tells found each word in a text, by its first and last character and its rank.
func (a *analysis) wordsIn(text []rune, found func(i, j, rank int)) {
	for i := range text {
		h := newHash
		for j := i; j < len(text); j++ {
			h = h.add(unicode.ToLower(text[j]))
			if rank := a.known[h.sum()]; rank > 0 { // words about the owner may be of any length
				found(i, j, rank)
			}
			if j-i < longest {
				if rank := rankOf(h.sum()); rank > 0 {
					found(i, j, rank)
				}
			}
		}
	}
}

// capitals returns in how many ways the letters of a word are tried as capitals until this one.
func capitals(token []rune) float64 {
	upper, lower := 0, 0
	for _, r := range token {
		switch {
		case r >= 'A' && r <= 'Z':
			upper++
		case r >= 'a' && r <= 'z':
			lower++
		}
	}
	isUpper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	switch {
	case upper == 0:
		return 1
	case lower == 0, upper == 1 && len(token) > 1 && (isUpper(token[0]) || isUpper(token[len(token)-1])):
		return 2 // all, the first or the last: tried at once
	}
	return mixtures(upper, lower)
}

// disguise is what characters stand for.
type disguise map[rune]rune

// plain is what stands for one letter only; the rest stands for one of two.
var plain = disguise{
	'4': 'a', '@': 'a', '8': 'b', '(': 'c', '{': 'c', '[': 'c', '<': 'c', '3': 'e', '6': 'g', '9': 'g', '!': 'i', '0': 'o',
	'$': 's', '5': 's', '+': 't', '%': 'x', '2': 'z',
}

// ambiguous are the readings of the others. There are four, however long a password is.
var ambiguous = []disguise{
	{'1': 'i', '|': 'i', '7': 't'}, {'1': 'l', '|': 'l', '7': 't'}, {'1': 'i', '|': 'i', '7': 'l'}, {'1': 'l', '|': 'l', '7': 'l'},
}

// disguises finds words in which other characters stand for letters.
func (a *analysis) disguises() {
	var read [][]rune
	for _, reading := range ambiguous {
		text := slices.Clone(a.password)
		for i, r := range text {
			if letter, there := reading[r]; there {
				text[i] = letter
			} else if letter, there := plain[r]; there {
				text[i] = letter
			}
		}
		if slices.Equal(text, a.password) || slices.ContainsFunc(read, func(other []rune) bool { return slices.Equal(text, other) }) {
			continue
		}
		read = append(read, text)
		a.wordsIn(text, func(i, j, rank int) {
			token := a.password[i : j+1]
			if i < j && !slices.Equal(token, text[i:j+1]) {
				a.add(i, j, float64(rank)*capitals(token)*substitutions(token, text[i:j+1]))
			}
		})
	}
}

// substitutions returns in how many ways the letters of a word are disguised until this one.
func substitutions(token, word []rune) float64 {
	type pair struct{ from, to rune }
	var pairs []pair
	for i, r := range token {
		if p := (pair{r, word[i]}); r != word[i] && !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	ways := 1.0
	for _, p := range pairs {
		disguised, left := 0, 0
		for _, r := range token {
			switch unicode.ToLower(r) {
			case p.from:
				disguised++
			case p.to:
				left++
			}
		}
		if left == 0 {
			ways *= 2
		} else {
			ways *= mixtures(disguised, left)
		}
	}
	return ways
}
