package zxcvbn

import (
	"math"
	"strings"
	"sync"
)

// keyboard is where the characters of a keyboard lie, and how far it is from one to another.
type keyboard struct {
	keys   map[rune]key
	steps  []place // of one key to its neighbours
	starts float64 // characters that a walk can start at
	degree float64 // neighbours of a key, on average
}

// key is where a character lies.
type key struct {
	place
	shifted bool
}

type place struct{ x, y int }

// The ways from a key to its neighbours, clockwise: rows of a keyboard are shifted by half a key, those of a keypad are not.
var (
	slanted = []place{{-1, 0}, {0, -1}, {1, -1}, {1, 0}, {0, 1}, {-1, 1}}
	aligned = []place{{-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}}
)

// keyboards returns the keyboards that people walk on. Each row is that of its keys, and how many places it begins later.
var keyboards = sync.OnceValue(func() []*keyboard {
	qwerty := newKeyboard(slanted, 2, "`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+", ". qQ wW eE rR tT yY uU iI oO pP [{ ]} \\|",
		". aA sS dD fF gG hH jJ kK lL ;: '\"", ". zZ xX cC vV bB nN mM ,< .> /?")
	dvorak := newKeyboard(slanted, 2, "`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) [{ ]}", ". '\" ,< .> pP yY fF gG cC rR lL /? =+ \\|",
		". aA oO eE uU iI dD hH tT nN sS -_", ". ;: qQ jJ kK xX bB mM wW vV zZ")
	keypad := newKeyboard(aligned, 1, "_ / * -", "7 8 9 +", "4 5 6", "1 2 3", "_ 0 .")
	mac := newKeyboard(aligned, 1, "_ = / *", "7 8 9 -", "4 5 6 +", "1 2 3", "_ 0 .")
	dvorak.starts, dvorak.degree = qwerty.starts, qwerty.degree // zxcvbn's figures
	mac.starts, mac.degree = keypad.starts, keypad.degree
	return []*keyboard{qwerty, dvorak, keypad, mac}
})

// newKeyboard returns a keyboard of rows, in which a key has as many characters. A key of another number is a gap.
func newKeyboard(steps []place, characters int, rows ...string) *keyboard {
	k := &keyboard{keys: map[rune]key{}, steps: steps}
	taken := map[place]bool{}
	for y, row := range rows {
		for x, text := range strings.Fields(row) {
			if len(text) != characters || text == "_" {
				continue
			}
			taken[place{x, y}] = true
			for i, r := range text {
				k.keys[r] = key{place{x, y}, i == 1}
			}
		}
	}
	neighbours := 0
	for at := range taken {
		for _, step := range steps {
			if taken[place{at.x + step.x, at.y + step.y}] {
				neighbours++
			}
		}
	}
	k.starts, k.degree = float64(len(k.keys)), float64(neighbours)/float64(len(taken))
	return k
}

// step returns the way from one character to its neighbour, or -1.
func (k *keyboard) step(from, to rune) int {
	a, ok := k.keys[from]
	b, there := k.keys[to]
	if ok && there {
		for way, step := range k.steps {
			if (place{b.x - a.x, b.y - a.y}) == step {
				return way
			}
		}
	}
	return -1
}

// walks finds three and more neighbours on a keyboard.
func (a *analysis) walks() {
	for _, k := range keyboards() {
		for i := 0; i < len(a.password)-1; {
			j, turns, before, shifted := i+1, 0, -1, 0
			if k.keys[a.password[i]].shifted {
				shifted++
			}
			for ; j < len(a.password); j++ {
				way := k.step(a.password[j-1], a.password[j])
				if way < 0 {
					break
				}
				if way != before {
					turns, before = turns+1, way
				}
				if k.keys[a.password[j]].shifted {
					shifted++
				}
			}
			if j-i > 2 {
				a.add(i, j-1, k.guesses(j-i, turns, shifted))
			}
			i = j
		}
	}
}

// guesses returns how many walks there are of up to as many keys and turns.
func (k *keyboard) guesses(length, turns, shifted int) float64 {
	sum := 0.0
	for i := 2; i <= length; i++ {
		for j := 1; j <= min(turns, i-1); j++ {
			sum += choose(i-1, j-1) * k.starts * math.Pow(k.degree, float64(j))
		}
	}
	switch {
	case shifted == 0:
		return sum
	case shifted == length:
		return 2 * sum
	}
	return sum * mixtures(shifted, length-shifted)
}
