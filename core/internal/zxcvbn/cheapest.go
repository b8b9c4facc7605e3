package zxcvbn

import "math"

// partly is the cheapest way to guess the first characters of a password by a number of parts.
type partly struct {
	there   bool
	product float64 // of the parts' guesses
	guesses float64 // with what it takes to find how many parts there are, and in which order
	single  bool    // the last part is guessed character by character
}

// cheapest returns how many guesses the cheapest way takes to put the password together of its parts, and of characters
// where there is none.
func (a *analysis) cheapest() float64 {
	n := len(a.password)
	ending := make([][]match, n)
	for _, m := range a.matches {
		ending[m.j] = append(ending[m.j], m)
	}
	ways := make([][]partly, n) // by the last character, and by the number of parts less one
	for k := range ways {
		ways[k] = make([]partly, k+1)
		for _, m := range ending[k] {
			extend(ways, m, false)
		}
		for i := range k + 1 {
			extend(ways, match{i, k, single(k - i + 1)}, true)
		}
	}
	best := math.Inf(1)
	for _, w := range ways[n-1] {
		if w.there {
			best = min(best, w.guesses)
		}
	}
	return best
}

// single returns the guesses of characters that make no sense: ten each, as they are guessed by how likely they are, and
// more than what makes sense.
func single(characters int) float64 {
	if characters == 1 {
		return leastSingle + 1
	}
	return max(math.Pow(10, float64(characters)), leastMulti+1)
}

// extend adds a part to the ways to guess what is before it. Two that are guessed by character are one.
func extend(ways [][]partly, m match, single bool) {
	if m.i == 0 {
		keep(ways[m.j], 1, partly{product: m.guesses, single: single})
		return
	}
	for l, before := range ways[m.i-1] {
		if before.there && !(single && before.single) {
			keep(ways[m.j], l+2, partly{product: before.product * m.guesses, single: single})
		}
	}
}

// moreParts is what it takes to rule out one part fewer.
const moreParts = 10000

// keep keeps a way of a number of parts, unless as many or fewer do it as cheaply.
func keep(ways []partly, parts int, w partly) {
	w.there, w.guesses = true, w.product
	for i := 2; i <= parts; i++ {
		w.guesses *= float64(i)
	}
	w.guesses += math.Pow(moreParts, float64(parts-1))
	for _, other := range ways[:parts] {
		if other.there && other.guesses <= w.guesses {
			return
		}
	}
	ways[parts-1] = w
}
