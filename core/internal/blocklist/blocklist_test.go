package blocklist

import (
	"sort"
	"testing"
)

func TestContains(t *testing.T) {
	for password, want := range map[string]bool{
		"password": true, "12345678": true, "qwertyuiop": true, "iloveyou": true, "trustno1": true, "dragon": true,
		"": false, "Password": false, "tidal-ferry-ochre": false, "xk4-90fmqsl": false,
	} {
		if got := Contains(password); got != want {
			t.Errorf("Contains(%q) = %v; want %v", password, got, want)
		}
	}
}

// TestList holds the file to what Contains rests on.
func TestList(t *testing.T) {
	n := len(hashes) / size
	if len(hashes)%size != 0 || n < 40_000 {
		t.Fatalf("the list has %d bytes; want 40,000 hashes of %d at least", len(hashes), size)
	}
	if !sort.SliceIsSorted(make([]struct{}, n), func(i, j int) bool { return at(i) < at(j) }) {
		t.Error("the list is not sorted")
	}
}
