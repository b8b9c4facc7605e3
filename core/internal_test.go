package core

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/postern-auth/postern/core/internal/argon2"
)

func TestIDsGrow(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := &source{random: rand.Reader, now: func() time.Time { return now }}
	var ids []string
	for i := range 2000 {
		if i%100 == 0 {
			now = now.Add(time.Millisecond)
		}
		if i == 1000 {
			now = now.Add(-time.Hour) // a clock that steps back
		}
		id, err := s.id(prefixUser, bucket(i))
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := bucketOf(id); !ok || b != bucket(i) || !validID(prefixUser, id) {
			t.Fatalf("id = %q; want a valid id in bucket %d", id, i)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not grow")
	}
	if len(slices.Compact(ids)) != 2000 {
		t.Error("ids repeat")
	}
}

func TestChecksum(t *testing.T) {
	s := &source{random: rand.Reader, now: time.Now}
	body, err := s.secret(prefixManagementSecret, 7)
	if err != nil {
		t.Fatal(err)
	}
	key := body + checksum(body)
	if !hasChecksum(key) {
		t.Errorf("hasChecksum(%q) = false", key)
	}
	for i := range len(key) {
		wrong := []byte(key)
		wrong[i] ^= 1
		if hasChecksum(string(wrong)) {
			t.Errorf("hasChecksum with character %d changed = true", i)
		}
	}
}

func TestSeal(t *testing.T) {
	master, err := NewMasterKey(bytes.Repeat([]byte{1}, MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := NewMasterKey(bytes.Repeat([]byte{2}, MasterKeySize))
	sealed, err := master.seal(rand.Reader, "here", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := master.open("here", sealed); err != nil || string(got) != "secret" {
		t.Errorf("open = %q, %v; want secret", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"elsewhere":         func() ([]byte, error) { return master.open("there", sealed) },
		"another key":       func() ([]byte, error) { return other.open("here", sealed) },
		"another key's id":  func() ([]byte, error) { return other.open("here", other.id+sealed[8:]) },
		"a character fewer": func() ([]byte, error) { return master.open("here", sealed[:len(sealed)-1]) },
		"nothing":           func() ([]byte, error) { return master.open("here", "") },
	} {
		if got, err := open(); !errors.Is(err, ErrWrongMasterKey) || got != nil {
			t.Errorf("open %s = %q, %v; want ErrWrongMasterKey", name, got, err)
		}
	}
	for name, tt := range map[string]struct {
		key    *MasterKey
		sealed string
		want   bool
	}{
		"of its own":        {master, sealed, false},
		"of its former key": {other.Replacing(master), sealed, false},
		"tampered with":     {master, sealed[:len(sealed)-1] + "_", false},
		"of another key":    {other, sealed, true},
		"of a later key":    {master, other.id + sealed[8:], true},
		"cut short":         {other, sealed[:20], false},
		"of no key":         {other, "ABCDEFGH" + sealed[8:], false},
		"empty":             {other, "", false},
	} {
		if got := tt.key.foreign(tt.sealed); got != tt.want {
			t.Errorf("foreign(a text %s) = %t; want %t", name, got, tt.want)
		}
	}
	if _, err := NewMasterKey([]byte("short")); err == nil {
		t.Error("NewMasterKey(5 bytes) = nil error")
	}
}

func TestPHC(t *testing.T) {
	var m argon2.Memory
	p := params{memory: 64, passes: 1}
	text, err := newPHC(rand.Reader, p, &m, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := parsePHC(text)
	if err != nil || !h.matches(&m, []byte("secret")) || h.matches(&m, []byte("Secret")) || h.params != p {
		t.Errorf("parsePHC(%q) = %v, %v; want a hash that matches the password alone", text, h, err)
	}
	// From the reference implementation's tests: argon2id, t=2, m=64 MiB, p=1, "password", "somesalt".
	known, err := parsePHC("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil || !known.matches(&m, []byte("password")) {
		t.Errorf("the reference implementation's hash: %v; want a match", err)
	}
	for _, bad := range []string{"", "$argon2id$", strings.Replace(text, "m=64", "m=4294967295", 1), strings.Replace(text, "t=1", "t=11", 1),
		strings.Replace(text, "argon2id", "argon2i", 1), strings.Replace(text, "p=1", "p=4", 1), text + "$", text[:len(text)-30]} {
		if _, err := parsePHC(bad); err == nil {
			t.Errorf("parsePHC(%q) = nil error; want a refusal", bad)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parsePHC(text)
		if err == nil && (h.String() != text || h.memory > maxParams.memory || h.passes > maxParams.passes) {
			t.Errorf("parsePHC(%q) = %q; want the same text, within bounds", text, h)
		}
	})
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"Dave": "dave", "ＤＡＶＥ": "dave", "STRASSE": "strasse", "Straße": "strasse", "ﬁn": "fin", "K": "k", "İ": "i̇", "a b": "a b",
		"\u01f0": "\u01f0", "\u1e9e": "ss", "\u0390": "\u0390", // which folding takes apart
	} {
		if got, ok := normalise(in); !ok || got != want {
			t.Errorf("normalise(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, bad := range []string{"\xff", "a\u200bb", "a\x00", "a\u202eb", "\ue000", "\u0378",
		"a\u034f", "a\ufe0f", "a\U000e0100", "a\u115f", "a\u3164", "a\uffa0", "a\u17b4", "a\u180b", "a\u2800"} {
		if got, ok := normalise(bad); ok {
			t.Errorf("normalise(%q) = %q; want a refusal", bad, got)
		}
	}
}

// TestFoldEveryCharacter folds each character there is: what that gives stays, and is what its capital and its small letter give, but for
// the dotted capital I, whose small letter is a plain one.
func TestFoldEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		once := fold(string(r))
		if twice := fold(once); twice != once {
			t.Errorf("fold(%U) = %+q, and of that %+q; want it to stay", r, once, twice)
		}
		if lower := unicode.ToLower(r); lower != r && r != 'İ' && fold(string(lower)) != once {
			t.Errorf("fold(%U) = %+q, and of its small letter %+q; want the same", r, once, fold(string(lower)))
		}
	}
}

// TestNormalisePlain holds that a short way is taken for plain texts alone, and leads to the same.
func TestNormalisePlain(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			s := string([]byte{byte(a), 'x', byte(b)})
			got, ok := normalise(s)
			if want, wantOK := normaliseAny(s); got != want || ok != wantOK {
				t.Fatalf("normalise(%q) = %q, %v; the long way gives %q, %v", s, got, ok, want, wantOK)
			}
		}
	}
}

func TestSortable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ann": "ann", "  Ann \u00a0 Lee ": "ann lee ", "ＡＮＮ": "ann", "Straße": "strasse", "İ": "i̇", "E\u0301": "é", "e\u034f\u0301": "é",
		"Ann ❤\ufe0f": "ann ❤", "A\u200dN\u00adN": "ann", "\u200b": "", "\u2003": "", "Ann\tLee\n": "ann lee ",
	} {
		if got := sortable(in); got != want {
			t.Errorf("sortable(%q) = %q; want %q", in, got, want)
		}
	}
}

// FuzzSortable: what names are ordered by holds nothing that ends a key or cannot be seen, and stays what it is.
func FuzzSortable(f *testing.F) {
	for _, s := range []string{"Ann  Lee", "\x00", "ẞ", "İ", "Å", "e\u034f\u0301", "\u00a8", "\u1fb3\u0345", " \u200b "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := sortable(s)
		if strings.ContainsFunc(got, func(r rune) bool { return !isSeen(r) }) || strings.Contains(got, "  ") || strings.HasPrefix(got, " ") {
			t.Errorf("sortable(%q) = %q; want nothing unseen, and single spaces", s, got)
		}
		if again := sortable(got); again != got {
			t.Errorf("sortable(%q) = %q, and of that %q; want it to stay", s, got, again)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"Dave", "ẞ", "İ", "ﬀ", "Å", "ǰ", "ΐ", "ᾳ", "\u1fb3\u0345", "Ꮊ", "ꮊ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := normalise(s)
		if long, longOK := normaliseAny(s); long != once || longOK != ok {
			t.Errorf("normalise(%q) = %q, %v; the long way gives %q, %v", s, once, ok, long, longOK)
		}
		if !ok {
			return
		}
		if twice, ok := normalise(once); !ok || twice != once {
			t.Errorf("normalise(%q) = %q, and of that %q, %v; want it to stay", s, once, twice, ok)
		}
	})
}

// TestSpacesInUsernames holds where a username may have a space, and in which form it is kept.
func TestSpacesInUsernames(t *testing.T) {
	for in, want := range map[string]string{
		"Mary Ann": "mary ann", " mary ann ": "mary ann", "mary\u00a0ann": "mary ann", "mary\u3000ann": "mary ann", "a b c": "a b c", "mary ann@example.com": "mary ann@example.com",
		"mary  ann": "", "mary\u00a0 ann": "", "mary\tann": "", "mary\nann": "", "mary\u1680ann": "", "mary\u2028ann": "", " ": "", "\u00a8": "", "mary\u00a8": "", "\u0301x": "", "usr_ x": "",
	} {
		got, err := normaliseUsername(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("normaliseUsername(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzUsername(f *testing.F) {
	for _, s := range []string{"Dave", "Mary Ann", "mary\u00a0ann", "\u00a8", "a\u00a8", "ﷺ", "a\u2000b", "me", "ａ　ｂ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := normaliseUsername(s)
		if err != nil {
			return
		}
		if twice, err := normaliseUsername(once); err != nil || twice != once {
			t.Errorf("normaliseUsername(%q) = %q, and of that %q, %v; want it to stay", s, once, twice, err)
		}
		if found, ok := normaliseTyped(s); !ok || found != once {
			t.Errorf("%q is kept as %q and looked for as %q", s, once, found)
		}
		if strings.Contains(once, "  ") || strings.TrimSpace(once) != once {
			t.Errorf("normaliseUsername(%q) = %q; want single spaces, inside", s, once)
		}
	})
}

// TestIssuersOfARealm holds whose tokens a realm takes for its own.
func TestIssuersOfARealm(t *testing.T) {
	r := &Realm{Issuer: "a", FormerIssuers: []string{"b"}}
	for issuer, want := range map[string]bool{"a": true, "b": true, "c": false, "": false} {
		if got := r.issued(issuer); got != want {
			t.Errorf("issued(%q) = %v; want %v", issuer, got, want)
		}
	}
}

// TestEventSecret holds that a token which an e-mail is to carry is in the log under seal only.
func TestEventSecret(t *testing.T) {
	master, err := NewMasterKey(make([]byte, MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	d := &deps{random: rand.Reader, master: newSealer(master), ids: &source{random: rand.Reader, now: time.Now}}
	c := d.change(Partition{}, time.Now())
	c.event(Event{Type: eventResetCreated, Secret: "kpw_secret"})
	if c.err != nil {
		t.Fatal(c.err)
	}
	entry := c.tx.Append[0].Data
	if bytes.Contains(entry, []byte("kpw_")) {
		t.Errorf("the entry is %s; want no secret in it", entry)
	}
	var e Event
	if err := json.Unmarshal(entry, &e); err != nil {
		t.Fatal(err)
	}
	if got, err := master.open(e.sealedPlace(), e.Sealed); string(got) != "kpw_secret" || err != nil {
		t.Errorf("open = %q, %v; want the secret", got, err)
	}
}

// TestHashSlotsFitTheMemory gives the process less memory than its cores could use.
func TestHashSlotsFitTheMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.max")
	before := memoryLimitFiles
	memoryLimitFiles = []string{filepath.Join(t.TempDir(), "missing"), file}
	t.Cleanup(func() { memoryLimitFiles = before })
	cores := processors
	processors = 9
	t.Cleanup(func() { processors = cores })
	for limit, want := range map[string]int{"max\n": 8, "268435456\n": 3, "1048576\n": 1, "9223372036854771712\n": 8} {
		if err := os.WriteFile(file, []byte(limit), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := defaultHashSlots(19 << 10); got != want {
			t.Errorf("defaultHashSlots with %q of memory = %d; want %d", limit, got, want)
		}
	}
}
