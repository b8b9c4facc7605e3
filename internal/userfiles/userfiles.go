// Package userfiles reads the files in which other systems export their users, a user at a time, and turns them into lines
// that Postern imports. 'postern import --from' uses it.
//
// What has a place in Postern goes there; other facts about a user become custom attributes. The name that the other
// system has for a user becomes the reference, since that is what an app's own tables hold.
package userfiles

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// Options says what besides the file it takes to read it.
type Options struct {
	Hashes   io.Reader      // Auth0: the export of password hashes that its support makes; nil = none
	Firebase FirebaseHashes // Firebase: the project's password hash parameters
}

// Emit takes a user. note says what of the user could not be taken along, "" for nothing.
type Emit func(user wire.UserLine, note string) error

// formats are the systems, by the words for --from.
var formats = map[string]func(r io.Reader, o Options, emit Emit) error{
	"auth0": readAuth0, "firebase": readFirebase, "keycloak": readKeycloak, "kratos": readKratos, "supabase": readSupabase,
}

// Formats returns the words for the systems.
func Formats() []string {
	var names []string
	for name := range formats {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Read reads a file of a system. It fails where the file is not what that system writes, and with what emit fails with.
func Read(format string, r io.Reader, o Options, emit Emit) error {
	read, ok := formats[format]
	if !ok {
		return fmt.Errorf("there is no format %q; there are %s", format, strings.Join(Formats(), ", "))
	}
	err := read(r, o, func(user wire.UserLine, note string) error {
		if user.Password != nil && !core.IsKnownHash(user.Password.Hash) {
			user.Password, note = nil, notes(note, "a password hash that is of no known kind, or costs too much, is not imported")
		}
		return emit(user, note)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", format, err)
	}
	return nil
}

// foreign says that a file is not what a system writes: a user lacks what each of its users has.
func foreign(lacks string) error {
	return fmt.Errorf("it has a user without %s; is it a file of another system?", lacks)
}

// each calls f with every user of a file, of which it holds one at a time. The file is an array; or an object that has
// one under a name; or, where name is "", objects one after the other. What stands behind an array or such an object must be another:
// so the parts of an export may follow each other in one file, and none is passed over.
func each[T any](r io.Reader, name string, f func(T) error) error {
	b := bufio.NewReader(r)
	first, err := firstByte(b)
	if err != nil {
		return err
	}
	d := json.NewDecoder(b)
	switch {
	case first == '{' && name == "":
		return objects(d, f)
	case first != '{' && first != '[':
		return errors.New("it holds no JSON objects")
	}
	for {
		begins, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case begins == json.Delim('['):
			err = elements(d, f)
		case begins == json.Delim('{') && name != "":
			err = members(d, name, f)
		default:
			return fmt.Errorf("behind its users stands a JSON value that holds none: %.40v", begins)
		}
		if err != nil {
			return whole(err)
		}
	}
}

// whole says of the end of a file that more must follow it.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// members calls f with the elements of the array that an object, which was opened, has under a name.
func members[T any](d *json.Decoder, name string, f func(T) error) error {
	found := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key != name {
			var passed json.RawMessage
			if err := d.Decode(&passed); err != nil {
				return err
			}
			continue
		}
		found = true
		if open, err := d.Token(); err != nil || open != json.Delim('[') {
			return fmt.Errorf("its %q is not an array", name)
		}
		if err := elements(d, f); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("it holds no %q", name)
	}
	return nil
}

// firstByte returns the first that is no white space, without taking it. A byte order mark is passed over.
func firstByte(b *bufio.Reader) (byte, error) {
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	for {
		c, err := b.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("it is empty: %w", err)
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			return c, b.UnreadByte()
		}
	}
}

// objects calls f with objects that stand one after the other.
func objects[T any](d *json.Decoder, f func(T) error) error {
	for {
		v, err := next[T](d)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
	}
}

// elements calls f with the elements of an array that was opened.
func elements[T any](d *json.Decoder, f func(T) error) error {
	for d.More() {
		v, err := next[T](d)
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// next reads one user, io.EOF where there are no more. One whose fields hold other things than they must is foreign.
func next[T any](d *json.Decoder) (T, error) {
	var v T
	err := d.Decode(&v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		err = fmt.Errorf("it has a user whose %q is a JSON %s; is it a file of another system?", wrong.Field, wrong.Value)
	}
	return v, err
}

// customOf returns facts as custom attributes: names cut to what Postern allows, and what is nested as JSON in a text. Of two that come to
// one name the later counts: so what users write about themselves comes first, lest somebody takes a role that only an operator gives.
func customOf(facts ...map[string]json.RawMessage) map[string]json.RawMessage {
	custom := map[string]json.RawMessage{}
	for _, group := range facts {
		for _, fact := range slices.Sorted(maps.Keys(group)) {
			name, value := fact, group[fact]
			name = strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
					return r
				}
				return '_'
			}, name)
			if name = name[:min(len(name), 64)]; name == "" || string(value) == "null" {
				continue
			}
			custom[name] = flat(value)
		}
	}
	if len(custom) == 0 {
		return nil
	}
	return custom
}

// flat returns a scalar or an array of scalars as it is, anything else as a text.
func flat(value json.RawMessage) json.RawMessage {
	var v any
	_ = json.Unmarshal(value, &v) // it was decoded before
	nested := false
	switch v := v.(type) {
	case map[string]any:
		nested = true
	case []any:
		nested = slices.ContainsFunc(v, func(e any) bool {
			switch e.(type) {
			case map[string]any, []any:
				return true
			}
			return false
		})
	}
	if !nested {
		return value
	}
	return text(string(value))
}

// text returns a text in JSON.
func text(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string can always be
	return b
}

// verified returns the state of an address that is proven or not.
func verified(is bool) string {
	if is {
		return "verified"
	}
	return "none"
}

// state returns that of a user who may sign in or not.
func state(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// layouts of times: RFC 3339, and as PostgreSQL prints them.
var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999Z07", "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999"}

// at reads a time; the zero time where it is empty or cannot be read.
func at(s string) wire.Time {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return wire.Time{Time: t.UTC()}
		}
	}
	return wire.Time{}
}

// hashed returns a password of which the hash is known; nil where it is not.
func hashed(hash string) *wire.PasswordLine {
	if hash == "" {
		return nil
	}
	return &wire.PasswordLine{Hash: hash}
}

// notes joins what there is to say.
func notes(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), "; ")
}

// noteIf returns note where something holds.
func noteIf(holds bool, note string) string {
	if holds {
		return note
	}
	return ""
}

// unlinked says that a link to another provider is left behind; those in own are no others.
func unlinked(provider string, own ...string) string {
	return noteIf(!slices.Contains(own, provider), "the link to "+provider+" is not imported")
}
