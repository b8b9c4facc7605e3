package core

import (
	"testing"
	"time"
)

// TestClockOvertaken has somebody who read the time be overtaken by others, having waited long for a processor: the clock has not stood still because of that.
func TestClockOvertaken(t *testing.T) {
	begin := time.Unix(1_000_000, 0)
	readings := []time.Duration{time.Second, 0, time.Second}
	c := &clock{local: func() time.Time {
		at := begin.Add(readings[0])
		readings = readings[1:]
		return at
	}}
	for range 2 {
		if now, err := c.now(); err != nil || !now.Equal(begin.Add(time.Second)) {
			t.Errorf("now = %s, %v; want the latest", now, err)
		}
	}
	if !c.steady(begin.UnixNano()) {
		t.Error("the clock stood still; want it to run")
	}
}
