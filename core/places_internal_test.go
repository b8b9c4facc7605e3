package core

import (
	"fmt"
	"testing"
	"time"
)

// runway is places whose time is told by hand.
type runway struct {
	*testing.T
	*places
	begun int
}

func newRunway(t *testing.T) *runway {
	r := &runway{T: t, places: newPlaces()}
	r.patience = time.Hour
	t.Cleanup(func() { r.end(nil, r.under()...) })
	return r
}

// begin begins deliveries to a hook, as many as may, and holds how many that is.
func (r *runway) begin(hook AppHookID, want int) (all []NotificationID) {
	r.Helper()
	for range want + 1 {
		r.begun++
		id := NotificationID(fmt.Sprint(r.begun))
		if r.full() || !r.take(id, hook) {
			break
		}
		all = append(all, id)
	}
	if len(all) != want {
		r.Errorf("%d deliveries to %s begin; want %d", len(all), hook, want)
	}
	return all
}

// pass lets so much time pass for deliveries that they have to give up their places.
func (r *runway) pass(all ...NotificationID) {
	for _, id := range all {
		r.expire(r.flying[id])
	}
}

// end ends deliveries.
func (r *runway) end(call *Attempted, all ...NotificationID) {
	for _, id := range all {
		r.leave(id, call)
	}
}

// under returns the deliveries under way.
func (r *runway) under() (all []NotificationID) {
	for id := range r.flying {
		all = append(all, id)
	}
	return all
}

// What calls come to.
var (
	well  = &Attempted{Result: Delivered}
	badly = &Attempted{}
)

// TestPlacesAreGivenUp holds that hooks which hang, as many as there are, take no place for long, and that there are no more than so many.
func TestPlacesAreGivenUp(t *testing.T) {
	r := newRunway(t)
	for i := range 100 {
		hanging := AppHookID(fmt.Sprint("hanging ", i))
		r.pass(r.begin(hanging, deliveriesToHook)...)
		r.begin(hanging, 0)
	}
	for i := range deliveryPlaces / deliveriesToHook {
		r.begin(AppHookID(fmt.Sprint("good ", i)), deliveriesToHook)
	}
	r.begin("one more", 0)
	select {
	case <-r.room:
	default:
		t.Error("nobody hears that places were given up")
	}
}

// TestStuckHook holds that a hook which did not answer is called by one delivery at a time, which takes no place, until it answers.
func TestStuckHook(t *testing.T) {
	r := newRunway(t)
	calls := r.begin("stuck", deliveriesToHook)
	r.pass(calls...)
	r.end(badly, calls...)
	for i := range deliveryPlaces / deliveriesToHook {
		r.begin(AppHookID(fmt.Sprint("good ", i)), deliveriesToHook)
	}
	for _, call := range []*Attempted{badly, nil} {
		if !r.take("probe", "stuck") || r.take("another", "stuck") {
			t.Fatal("a hook that is stuck is not called by exactly one delivery")
		}
		r.pass("probe")
		r.end(call, "probe")
	}
	if r.taken != deliveryPlaces {
		t.Errorf("%d places are taken; want the %d of others", r.taken, deliveryPlaces)
	}
	if !r.take("probe", "stuck") {
		t.Fatal("a hook that is stuck is not called again")
	}
	r.end(well, r.under()...)
	r.begin("stuck", deliveriesToHook)
}

// TestWhatIsNotStuck holds that a hook which answers, late or at once in whatever way, is called by several deliveries as ever, and that nothing
// is remembered of it.
func TestWhatIsNotStuck(t *testing.T) {
	for name, end := range map[string]func(*runway, NotificationID){
		"well":          func(r *runway, id NotificationID) { r.end(well, id) },
		"well but late": func(r *runway, id NotificationID) { r.pass(id); r.end(well, id) },
		"never, late":   func(r *runway, id NotificationID) { r.pass(id); r.end(&Attempted{Result: Rejected}, id) },
		"no, at once":   func(r *runway, id NotificationID) { r.end(badly, id) },
		"not called":    func(r *runway, id NotificationID) { r.pass(id); r.end(nil, id) },
	} {
		r := newRunway(t)
		end(r, r.begin("hook", deliveriesToHook)[0])
		r.begin("hook", 1)
		r.end(nil, r.under()...)
		if len(r.hooks) > 0 || r.taken > 0 {
			t.Errorf("%s: afterwards %d hooks are remembered and %d places taken; want none", name, len(r.hooks), r.taken)
		}
	}
}
