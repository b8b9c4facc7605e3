package core

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// dave is whom the passwords of these tests are for.
func dave() (*Realm, *User) {
	return &Realm{Name: "Acme Travel", Settings: RealmSettings{PasswordMinLength: 8}},
		&User{Username: "dsmithson", Email: "dave.smithson@harbour-works.example", FirstName: "Dave", LastName: "Smithson"}
}

func TestPasswordRules(t *testing.T) {
	realm, user := dave()
	tests := []struct{ password, want string }{
		{"four words make it long", ""},
		{"x9-Kettle!fern", ""},
		{"smithson likes tidal ferries", ""}, // enough is left without the name
		{"ακρωτήρι-θάλασσα", ""},
		{"", "Password can't be blank"},
		{"x9-Kett", "Password is too short (minimum is 8 characters)"},
		{strings.Repeat("long ", 205), "Password is too long (maximum is 1024 bytes)"},
		{"tab\tin the middle", "Password contains characters that are not allowed"},
		{"not \xff UTF-8 at all", "Password contains characters that are not allowed"},
		{"aaaaaaaa", saidSequence},
		{"12345678", saidSequence},
		{"87654321", saidSequence},
		{"abcdefgh", saidSequence},
		{"ABCDEFGH12345678", saidSequence},
		{"qwertyuiop", saidSequence},
		{"aaaaaaaabbbbbbbb", saidSequence},
		{"xk9!xk9!xk9!xk9!", saidSequence},
		{"Dave.Smithson", saidAboutYou},
		{"smithson1975", saidAboutYou},
		{"Sm1ths0n!2024", saidAboutYou},
		{"acmetravel-1", saidAboutYou},
		{"harbourworks7", saidAboutYou},
		{"iloveyou2", saidCommon},
		{"P@ssw0rd", saidCommon},
		{"Password123!", saidCommon},
		{"p4ssword2024", saidCommon},
		{"drowssap", saidCommon},
		{"trustno1trustno1", saidCommon},
	}
	for _, tt := range tests {
		_, err := checkPassword(realm, user, UserChange{Password: &tt.password})
		if got := said(err); got != tt.want {
			t.Errorf("checkPassword(%q) says %q; want %q", tt.password, got, tt.want)
		}
	}
	other := "x9-Kettle!ferm"
	_, err := checkPassword(realm, user, UserChange{Password: &tests[1].password, PasswordConfirmation: &other})
	if got := said(err); got != "Password confirmation does not match" {
		t.Errorf("checkPassword with another confirmation says %q", got)
	}
}

// said returns what a caller is told, "" for no error.
func said(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Error()
	}
	return ""
}

// TestHostilePasswordsAreCheap counts what the check of the longest passwords allocates, which is what grows where a
// check does.
func TestHostilePasswordsAreCheap(t *testing.T) {
	realm, user := dave()
	user.FirstName = strings.Repeat("abcd ", 51)
	for _, unit := range []string{"a", "ab", "1!l@4", "smithson", "aaab", "\u1ec7", "p4ssw0rd1!"} {
		password := strings.Repeat(unit, maxPasswordLength/len(unit))
		if n := testing.AllocsPerRun(5, func() { _, _ = checkPassword(realm, user, UserChange{Password: &password}) }); n > 600 {
			t.Errorf("checkPassword of %d times %q allocates %.0f times; want 600 at most", maxPasswordLength/len(unit), unit, n)
		}
	}
}

// FuzzPasswordRules holds what is accepted to the rules that need no list.
func FuzzPasswordRules(f *testing.F) {
	for _, s := range []string{"four words make it long", "aaaaaaaa", "P@ssw0rd1!", "\u0130\u0130\u0130", "ab\u0301ab\u0301ab\u0301"} {
		f.Add(s)
	}
	realm, user := dave()
	f.Fuzz(func(t *testing.T, password string) {
		prepared, err := checkPassword(realm, user, UserChange{Password: &password})
		if err != nil {
			if prepared != nil {
				t.Errorf("checkPassword(%q) = %q and an error", password, prepared)
			}
			return
		}
		if n := utf8.RuneCount(prepared); n < 8 || len(prepared) > maxPasswordLength || weight(strings.ToLower(string(prepared))) < leastWeight {
			t.Errorf("checkPassword(%q) accepts %d characters in %d bytes", password, n, len(prepared))
		}
	})
}

// TestPasswordComplexity asks for levels of zxcvbn. What the user is called counts for little.
func TestPasswordComplexity(t *testing.T) {
	realm, user := dave()
	for _, tt := range []struct {
		password string
		level    int // the highest that takes it
	}{
		{"monkeygarden", 1},
		{"Tr0ub4dour&3", 2},
		{"kettle fern", 3},
		{"skip to my lou, my darling", 4},
		{strings.Repeat("4@8({[<3691!|1|70$5+7%2", 44), 4},
	} {
		for level := range 5 {
			realm.Settings.PasswordComplexity = level
			want := ""
			if level > tt.level {
				want = saidWeak
			}
			if _, err := checkPassword(realm, user, UserChange{Password: &tt.password}); said(err) != want {
				t.Errorf("checkPassword(%q) at level %d says %q; want %q", tt.password, level, said(err), want)
			}
		}
	}
}
