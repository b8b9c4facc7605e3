package redisstore

import (
	"slices"
	"strconv"
	"strings"
)

// release splits a version like "7.0.15" into its numbers. What is not a number counts as 0.
func release(version string) []int {
	var numbers []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		numbers = append(numbers, n)
	}
	return numbers
}

// less reports whether version a comes before version b.
func less(a, b string) bool { return slices.Compare(release(a), release(b)) < 0 }

// sameLine reports whether two versions differ at most in what follows the second number.
func sameLine(a, b string) bool {
	x, y := release(a), release(b)
	return len(x) > 1 && len(y) > 1 && slices.Equal(x[:2], y[:2])
}
