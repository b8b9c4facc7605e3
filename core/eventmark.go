package core

import (
	"fmt"
	"strconv"
	"strings"
)

// EventMark stands for all events of a realm in a partition up to one of them. Kept where those who can change the store
// cannot reach it, it tells later whether they are still the same: see Events.Verify.
type EventMark struct {
	Partition Partition // the realm's, or the system's
	Realm     RealmID   // "" = events of no realm
	Number    uint64    // the event's in its chain
	Link      string    // its seal
}

// nothing stands for no realm in a mark.
const nothing = "-"

// String returns "<realm>/<number of the partition>:<number>:<link>", with a - for no realm, and for the system's partition.
func (m EventMark) String() string {
	realm, partition := string(m.Realm), strconv.Itoa(m.Partition.Number)
	if realm == "" {
		realm = nothing
	}
	if m.Partition.Realm == "" {
		partition = nothing
	}
	return fmt.Sprintf("%s/%s:%d:%s", realm, partition, m.Number, m.Link)
}

// FormatEventMarks writes marks as a line, without the line's end, that ParseEventMarks reads.
func FormatEventMarks(marks []EventMark) string {
	words := make([]string, len(marks))
	for i, m := range marks {
		words[i] = m.String()
	}
	return strings.Join(words, " ")
}

// ParseEventMarks reads what FormatEventMarks wrote. Where one word is no mark it fails, and returns none.
func ParseEventMarks(line string) ([]EventMark, error) {
	var marks []EventMark
	for word := range strings.FieldsSeq(line) {
		m, ok := parseEventMark(word)
		if !ok {
			return nil, fmt.Errorf("core: %.100q is no mark of events", word)
		}
		marks = append(marks, m)
	}
	return marks, nil
}

// parseEventMark reads one, and takes no other text than what String writes.
func parseEventMark(word string) (m EventMark, ok bool) {
	place, rest, _ := strings.Cut(word, ":")
	number, link, _ := strings.Cut(rest, ":")
	realm, partition, _ := strings.Cut(place, "/")
	if realm != nothing {
		m.Realm = RealmID(realm)
	}
	var err error
	if partition != nothing {
		m.Partition.Realm = m.Realm
		if m.Partition.Number, err = strconv.Atoi(partition); err != nil {
			return EventMark{}, false
		}
	}
	if m.Number, err = strconv.ParseUint(number, 10, 64); err != nil {
		return EventMark{}, false
	}
	m.Link = link
	known := m.Realm == "" || validID(prefixRealm, string(m.Realm))
	if !known || len(link) != linkLength || m.String() != word {
		return EventMark{}, false
	}
	return m, true
}
