package redisstore

import "testing"

// TestFreedCallsHoldNothing looks at the room that the next call gets: keys and values of another must not be there, nor be kept alive.
func TestFreedCallsHoldNothing(t *testing.T) {
	c := newCall(applyScript, 2, 4, 1)
	c.key("one")
	c.add("two", 7, "x")
	c.text(place{}.within(&c.room, 0, 5).text([]byte("value")))
	c.reply = []any{"done"}
	if words := c.words[keysAt:]; len(words) != 6 || *words[1].(*string) != "two" || words[3] != 7 || *words[5].(*string) != "value" {
		t.Fatalf("the call's words are %v; want two keys, the number, 7, x, value", words)
	}
	keys, words, texts, room := c.keys, c.words, c.texts, c.room
	c.free()
	for i := range words {
		if words[i] != nil {
			t.Errorf("word %d of a freed call is %v; want nothing", i, words[i])
		}
	}
	if keys[0] != "" || keys[1] != "" || texts[0] != "" {
		t.Errorf("a freed call holds the keys %q and the text %q; want nothing", keys, texts)
	}
	if string(room) != "\x00\x00\x00\x00\x00" {
		t.Errorf("the room of a freed call holds %q; want nothing", room)
	}
}
