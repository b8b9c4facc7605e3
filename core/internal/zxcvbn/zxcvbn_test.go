package zxcvbn

import (
	"encoding/json"
	"math"
	"os"
	"sort"
	"strings"
	"testing"
)

// recorded is what zxcvbn 4.4.2 says of a password.
type recorded struct {
	Password string
	Log      float64 // the logarithm of its guesses
	Level    int
}

// record reads testdata/zxcvbn.tsv, which gen/record.js wrote.
func record(t *testing.T) (list []recorded) {
	t.Helper()
	text, err := os.ReadFile("testdata/zxcvbn.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r recorded
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, into := range []any{&r.Password, &r.Log, &r.Level} {
			if err := json.Unmarshal([]byte(fields[i]), into); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		list = append(list, r)
	}
	return list
}

// TestAsZxcvbn holds what is estimated to what zxcvbn itself says.
func TestAsZxcvbn(t *testing.T) {
	list := record(t)
	if len(list) < 300 {
		t.Fatalf("%d passwords are recorded; want 300 at least", len(list))
	}
	for _, r := range list {
		if got := math.Log10(Guesses(r.Password, nil)); math.Abs(got-r.Log) > 1e-4 {
			t.Errorf("Guesses(%q) = 10^%.4f; want 10^%.4f", r.Password, got, r.Log)
		}
		if got := Level(r.Password, nil); got != r.Level {
			t.Errorf("Level(%q) = %d; want %d", r.Password, got, r.Level)
		}
	}
}

// TestWeakerThanZxcvbn lists what zxcvbn takes for stronger than it is: years after 2019, and words in which two
// characters stand for one letter.
func TestWeakerThanZxcvbn(t *testing.T) {
	for password, zxcvbn := range map[string]float64{"2024": 4, "g@tew4y": 7} {
		if got := math.Log10(Guesses(password, nil)); got >= zxcvbn {
			t.Errorf("Guesses(%q) = 10^%.4f; want fewer than 10^%.0f", password, got, zxcvbn)
		}
	}
}

// TestAbout knows words about the owner, however long they are.
func TestAbout(t *testing.T) {
	about := []string{"wolkenkuckucksheim-und-luftschlösser", "xqzvkjwp"}
	for _, password := range []string{"xqzvkjwp", "XQZVKJWP7", "pwjkvzqx", "wolkenkuckucksheim-und-luftschlösser", "Wolkenkuckucksheim-und-luftschlösser1"} {
		if without, with := Level(password, nil), Level(password, about); without < 2 || with > 1 {
			t.Errorf("Level(%q) = %d, and %d about its owner; want 2 at least, and 1 at most", password, without, with)
		}
	}
}

// TestHostile bounds the work for passwords that other implementations take seconds for: what is found in the first
// characters is all there is to weigh.
func TestHostile(t *testing.T) {
	for _, unit := range []string{"a", "ab", "4@8({[<3691!|1|70$5+7%2", "1|7", "|1", "password", "p@$$w0rd", "abcdefghijklmnop", "1/1/11", "11", "qwer", "he", "ß"} {
		password := strings.Repeat(unit, 1024/len(unit))
		runes := []rune(password)[:maxLooked]
		a := analysis{password: runes}
		a.find()
		if most := maxLooked * longest * (2 + len(ambiguous)); len(a.matches) > most {
			t.Errorf("%q repeated has %d parts; want %d at most", unit, len(a.matches), most)
		}
		if got, want := Guesses(password, nil), Guesses(string(runes), nil); got != want {
			t.Errorf("Guesses(%q repeated) = %g; want that of its first %d characters, %g", unit, got, maxLooked, want)
		}
	}
}

// TestWords holds the file to what rankOf rests on.
func TestWords(t *testing.T) {
	n := len(words) / entrySize
	if len(words)%entrySize != 0 || n < 90_000 {
		t.Fatalf("words.bin has %d bytes; want 90,000 entries of %d at least", len(words), entrySize)
	}
	if !sort.SliceIsSorted(make([]struct{}, n), func(i, j int) bool { return hashAt(i) < hashAt(j) }) {
		t.Error("words.bin is not sorted")
	}
	for word, want := range map[string]int{"123456": 1, "password": 2, "the": 1, "mary": 1, "smith": 1, "xk4-90fmqsl": 0, "": 0} {
		if got := rankOf(HashOf(word)); got != want {
			t.Errorf("rankOf(%q) = %d; want %d", word, got, want)
		}
	}
}

// FuzzLevel looks for a password that has no level, or one that knowing more about its owner makes stronger.
func FuzzLevel(f *testing.F) {
	f.Add("p4ssw0rd 13/5/1986 zxcvbn", "somebody")
	f.Add("\xff\x00ß|1|7(({[", "")
	f.Fuzz(func(t *testing.T, password, about string) {
		if level := Level(password, []string{about}); level < 0 || level > 4 {
			t.Errorf("Level(%q) = %d", password, level)
		}
		blind, told := Guesses(password, nil), Guesses(password, []string{strings.ToLower(about)})
		if !(blind >= 1) || math.IsInf(blind, 0) || told > blind {
			t.Errorf("Guesses(%q) = %g, and %g for who knows %q", password, blind, told, about)
		}
	})
}

// BenchmarkHostile says what the costliest password that is known takes.
func BenchmarkHostile(b *testing.B) {
	password := strings.Repeat("4@8({[<3691!|1|70$5+7%2", 44)
	for b.Loop() {
		Level(password, nil)
	}
}

func BenchmarkWords(b *testing.B) {
	password := strings.Repeat("he1|he", 170)
	for b.Loop() {
		Level(password, nil)
	}
}
