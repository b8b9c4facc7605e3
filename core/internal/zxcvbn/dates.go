package zxcvbn

// splits are the places at which the digits of a date without separators are parted, by how many there are.
var splits = map[int][][2]int{
	4: {{1, 2}, {2, 3}},
	5: {{1, 3}, {2, 3}},
	6: {{1, 2}, {2, 4}, {4, 5}},
	7: {{1, 3}, {2, 3}, {4, 5}, {4, 6}},
	8: {{2, 4}, {4, 6}},
}

// dates finds days, in the order of any country, that are in no longer one.
func (a *analysis) dates() {
	var found []match
	for i := range a.password {
		for j := i + 3; j < min(i+10, len(a.password)); j++ {
			if guesses := dateGuesses(a.password[i : j+1]); guesses > 0 {
				found = append(found, match{i, j, guesses})
			}
		}
	}
	for x, m := range found {
		within := false
		for y, other := range found {
			within = within || x != y && other.i <= m.i && other.j >= m.j
		}
		if !within {
			a.add(m.i, m.j, m.guesses)
		}
	}
}

// dateGuesses returns how many dates are tried until one, or 0 where a text is none.
func dateGuesses(token []rune) float64 {
	if first, middle, last, ok := parted(token); ok {
		if year, ok := yearOf(first, middle, last); ok {
			return yearGuesses(year) * 365 * 4 // a separator is one of about four
		}
		return 0
	}
	least := 0.0
	for _, s := range splits[len(token)] {
		first, ok := number(token[:s[0]])
		middle, also := number(token[s[0]:s[1]])
		last, too := number(token[s[1]:])
		if !ok || !also || !too {
			return 0
		}
		if year, ok := yearOf(first, middle, last); ok {
			if g := yearGuesses(year) * 365; least == 0 || g < least {
				least = g
			}
		}
	}
	return least
}

// parted reads three numbers with the same separator between them: 1 to 4 digits, 1 or 2, and 1 to 4 again.
func parted(token []rune) (first, middle, last int, ok bool) {
	var at []int
	for i, r := range token {
		if isSeparator(r) {
			at = append(at, i)
		}
	}
	if len(at) != 2 || token[at[0]] != token[at[1]] || at[0] > 4 || at[1]-at[0] > 3 || len(token)-at[1] > 5 {
		return 0, 0, 0, false
	}
	first, ok = number(token[:at[0]])
	middle, also := number(token[at[0]+1 : at[1]])
	last, too := number(token[at[1]+1:])
	return first, middle, last, ok && also && too
}

const (
	firstYear = 1000
	lastYear  = 2050
)

// yearOf returns the year of three numbers that are a day in some order, with the year at one end.
func yearOf(first, middle, last int) (year int, ok bool) {
	if middle > 31 || middle <= 0 || !dayNumbers(first, middle, last) {
		return 0, false
	}
	ends := [][2]int{{last, first}, {first, last}} // the year, and what is left with the one in the middle
	for _, e := range ends {
		if e[0] >= firstYear && e[0] <= lastYear {
			return e[0], isDay(e[1], middle)
		}
	}
	for _, e := range ends {
		if isDay(e[1], middle) {
			return century(e[0]), true
		}
	}
	return 0, false
}

// dayNumbers reports whether numbers may be those of a day.
func dayNumbers(numbers ...int) bool {
	over31, over12, under1 := 0, 0, 0
	for _, n := range numbers {
		switch {
		case n > 99 && n < firstYear || n > lastYear:
			return false
		case n > 31:
			over31++
			over12++
		case n > 12:
			over12++
		case n <= 0:
			under1++
		}
	}
	return over31 < 2 && over12 < 3 && under1 < 2
}

// isDay reports whether one of two numbers may be a day and the other a month.
func isDay(a, b int) bool {
	return a >= 1 && b >= 1 && max(a, b) <= 31 && min(a, b) <= 12
}

// century returns the year that two digits stand for.
func century(year int) int {
	switch {
	case year > 99:
		return year
	case year > 50:
		return year + 1900
	}
	return year + 2000
}
