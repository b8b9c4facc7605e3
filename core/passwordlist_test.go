package core

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestPasswordList: what an operator lists is refused, also in disguise, and nothing else.
func TestPasswordList(t *testing.T) {
	leaked := sha1.Sum([]byte("Kettle-Ferment-Oboe"))
	text := "HarbourTunnelVision\r\n\n" + strings.ToUpper(hex.EncodeToString(leaked[:])) + ":17\n\u00fcberholspur\n"
	list, err := ReadPasswordList(strings.NewReader(text))
	if err != nil || list.Len() != 3 {
		t.Fatalf("ReadPasswordList = %d passwords, %v; want 3", list.Len(), err)
	}
	d := &deps{refused: list}
	realm, user := dave()
	for password, want := range map[string]string{
		"HarbourTunnelVision":                    saidListed,
		"harbourtunnelvision":                    saidListed,
		"Harb0urTunn3lVisi0n":                    saidListed,
		"harbourtunnelvision2026":                saidListed,
		"harbourtunnelvisionharbourtunnelvision": saidListed,
		"noisivlennutruobrah":                    saidListed,
		"\u00dcberholspur":                       saidListed,
		"U\u0308berholspur":                      saidListed, // written in two characters
		"Kettle-Ferment-Oboe":                    saidListed,
		"kettle-ferment-oboe":                    "", // a hash is of what was typed
		"harbourtunnelvision and more":           "",
		"Password123!":                           saidCommon,
	} {
		if _, err := d.checkPassword(realm, user, UserChange{Password: &password}); said(err) != want {
			t.Errorf("checkPassword(%q) says %q; want %q", password, said(err), want)
		}
	}
	password := "HarbourTunnelVision"
	if _, err := (&deps{}).checkPassword(realm, user, UserChange{Password: &password}); err != nil {
		t.Errorf("checkPassword(%q) without a list = %v", password, err)
	}
}

// TestPasswordListOfNothing: lists of leaks have the hash of the empty password, which is in nothing that somebody chose.
func TestPasswordListOfNothing(t *testing.T) {
	list, err := ReadPasswordList(strings.NewReader(fmt.Sprintf("%X:4\n", sha1.Sum(nil))))
	if err != nil || list.Len() != 1 {
		t.Fatalf("ReadPasswordList = %d passwords, %v; want 1", list.Len(), err)
	}
	for _, password := range []string{"1957-3318-4402-77", "Kettle-Ferment-77402"} {
		if list.holds(password) {
			t.Errorf("a list of the empty password holds %q", password)
		}
	}
}

// TestBadPasswordLists: what cannot be a list is refused, and no complaint tells a password.
func TestBadPasswordLists(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "empty lines": "\n\r\n\n", "a line too long": "first\nsecret" + strings.Repeat("x", maxPasswordLength), "no text": "first\nsecret" + strings.Repeat("\x00", 1<<20)} {
		if l, err := ReadPasswordList(strings.NewReader(text)); err == nil || l != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v; want a complaint that tells no password", name, l, err)
		}
	}
	longest := strings.Repeat("x", maxPasswordLength)
	if _, err := ReadPasswordList(strings.NewReader(longest + "\r\n" + longest)); err != nil {
		t.Errorf("lines of %d bytes: %v", maxPasswordLength, err)
	}
}

// FuzzPasswordList: whatever a list says, it holds each password in it, and as many as it has different lines at most.
func FuzzPasswordList(f *testing.F) {
	f.Add("one\ntwo\r\n\nONE\n")
	f.Add(strings.Repeat("a", 40) + ":3\n" + strings.Repeat("g", 40))
	f.Add("\xff\xfe\n\u0130\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ReadPasswordList(strings.NewReader(text))
		if err != nil {
			return
		}
		lines := map[string]bool{}
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSuffix(line, "\r")
			lines[line] = line != ""
			if _, hashed := publishedHash(line); line != "" && !hashed && !l.holds(strings.ToLower(line)) {
				t.Errorf("%q is not held by a list of it", line)
			}
		}
		if l.Len() > len(lines) {
			t.Errorf("%d passwords of %d lines", l.Len(), len(lines))
		}
	})
}

// BenchmarkPasswordList is a new password looked for in a list of a million.
func BenchmarkPasswordList(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "listed password %d\n", i)
	}
	l, err := ReadPasswordList(strings.NewReader(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l.holds("four words make it long")
	}
}
