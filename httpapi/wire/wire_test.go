package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// TestTime writes times as the Users API does, and reads them back.
func TestTime(t *testing.T) {
	for text, at := range map[string]time.Time{
		"1392447538.275": time.UnixMilli(1392447538275),
		"1392447538":     time.Unix(1392447538, 0),
		"1392447538.001": time.Unix(1392447538, 1999999),
		"-1.5":           time.UnixMilli(-1500), // imports have people of before 1970
		"-0.001":         time.UnixMilli(-1),
		"null":           {},
	} {
		got, err := json.Marshal(wire.Time{Time: at})
		if err != nil || string(got) != text {
			t.Errorf("Marshal(%s) = %s, %v; want %s", at, got, err, text)
		}
		var back wire.Time
		if err := json.Unmarshal(got, &back); err != nil || !back.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("Unmarshal(%s) = %s, %v; want %s", got, back, err, at)
		}
	}
	for _, bad := range []string{`"today"`, "1e30", "-1e30", "9223372036854775807", "253402300801", "-62135596800"} { // the last would be none
		var back wire.Time
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("Unmarshal(%s) = %s; want an error", bad, back)
		}
	}
}
