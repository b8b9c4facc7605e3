package core_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestEventMarks holds that what was noted of the events finds what their seals alone cannot show: a store that was put back to what
// it was, and a history that somebody wrote anew who has the key.
func TestEventMarks(t *testing.T) {
	each(t, func(w *world) {
		chain := "eh:" + string(w.realm.ID)
		w.history(4)
		v := w.vandal()
		early := w.marks()
		end := v.value(chain)
		w.update("ann", "Later")
		late := w.marks()
		newest := w.events(core.ListEvents{Limit: 1}).Events[0]
		w.flawed("there is no such partition", "of a partition were noted", core.EventMark{Realm: w.realm.ID, Partition: core.Partition{Realm: w.realm.ID, Number: 7}})
		if proof := w.proof(append(early, late...)...); proof.Events != 7 {
			t.Errorf("Verify since two marks = %d events; want 7", proof.Events)
		}

		v.remove(newest)
		v.put(chain, end) // as it once was, with its seal
		w.proof(early...)
		w.flawed("events are put back", "5 were noted, and the last there is number 4: newer ones were removed", late...)
		v.undo = nil

		w.update("ann", "Otherwise")
		w.proof(early...)
		w.flawed("history is another", "the events up to number 5 are not those that were noted", late...)

		for _, e := range w.events(core.ListEvents{Types: []string{"user."}}).Events {
			v.remove(e)
		}
		v.put(chain, nil)
		for i := range 9 {
			w.update("ann", fmt.Sprint("New", i))
		}
		w.proof() // whoever has the key can write as well as we
		w.flawed("history is written anew", "the events up to number 4 are not those that were noted", early...)
	})
}

// TestForgedEndIsNotSealed holds that who reads the log goes on after a forged end of the chain, and does not make it good.
func TestForgedEndIsNotSealed(t *testing.T) {
	each(t, func(w *world) {
		e := w.history(4)
		v := w.vandal()
		chain := "eh:" + string(w.realm.ID)
		v.remove(e[3])
		forged := regexp.MustCompile(`"n":4,"link":"[^"]*"`).ReplaceAll(v.value(chain), fmt.Appendf(nil, `"n":3,"link":"%s"`, e[2].Link))
		if bytes.Equal(forged, v.value(chain)) {
			t.Fatalf("the end of the chain is %s; want event 4", forged)
		}
		v.put(chain, forged)
		for range 2 {
			w.update("ann", "Later")
			w.flawed("a forged end was gone on after", "the record of the last event was altered before")
		}
	})
}

// TestRemovedEventsAreNoFlaw holds that events which their realm keeps no longer may go, and no others.
func TestRemovedEventsAreNoFlaw(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.EventRetention = 24 * 60 * 60 }}, core.Request{})
		w.must(err)
		w.history(129)
		old := w.marks()
		w.update("ann", "Yesterday")
		w.clock.Advance(23 * time.Hour)
		w.update("ann", "Today")
		first := w.events(core.ListEvents{Limit: 1}).Events[0]
		for i := range 5 {
			w.update("ann", fmt.Sprint("Today", i))
		}
		today := w.marks()
		w.clock.Advance(2 * time.Hour)
		w.proof(today...) // over, and still there
		if more, err := w.DropEvents(w.ctx, core.Partition{Realm: w.realm.ID}, w.realm.ID, w.clock.Now().Add(-24*time.Hour)); err != nil || !more {
			t.Fatalf("DropEvents = %v, %v; want that there is more to remove", more, err)
		}
		w.proof(today...) // some are gone
		_, err = w.SweepEvents(w.ctx)
		w.must(err)
		proof := w.proof(today...)
		if proof.Events != 6 || proof.First.ID != first.ID {
			t.Errorf("Verify after the sweep = %d events from %s; want 6 from %s", proof.Events, proof.First.ID, first.ID)
		}
		w.flawed("what was noted is gone", "older than what is kept", old...)

		v := w.vandal()
		v.remove(first)
		w.flawed("one that should be there is not", "an event was removed before event", today...)
		v.restore()
		w.clock.Advance(48 * time.Hour)
		_, err = w.SweepEvents(w.ctx)
		w.must(err)
		if proof := w.proof(today...); proof.Events != 0 {
			t.Errorf("Verify when all is over = %d events; want none", proof.Events)
		}
		w.update("ann", "Anew")
		if proof := w.proof(today...); proof.Events != 1 {
			t.Errorf("Verify after all was over = %d events; want 1", proof.Events)
		}
	})
}

// TestSweepRemovesNothingElse holds that somebody who puts an old event with the number of a young one before the sweep does not have
// it say that all up to there may be gone.
func TestSweepRemovesNothingElse(t *testing.T) {
	each(t, func(w *world) {
		e := w.history(6)
		v := w.vandal()
		old := core.EventID("ev_" + strings.Repeat("0", 22))
		for _, value := range []string{
			strings.Replace(string(v.value("e:"+string(e[4].ID))), string(e[4].ID), string(old), 1), // with the seal of the young one
			fmt.Sprintf(`{"id":"%s","realm":"%s","type":"user.updated","at":1,"n":5,"after":"%s"}`, old, w.realm.ID, e[3].Link),
		} {
			v.put("e:"+string(old), []byte(value))
			v.place(old, "user.updated", false)
			if done, err := w.SweepEvents(w.ctx); !done || err != nil || v.value("e:"+string(old)) != nil {
				t.Fatalf("sweep = %v, %v; want it done, and the old event gone", done, err)
			}
			v.undo = nil
			w.proof()
			v.remove(e[2])
			w.flawed("one was removed after a sweep", "an event was removed before event "+string(e[3].ID))
			v.restore()
		}
	})
}

// TestEventsFromBeforeSeals holds that a store goes on whose events were kept by a version that sealed none.
func TestEventsFromBeforeSeals(t *testing.T) {
	each(t, func(w *world) {
		e := w.history(4)
		v := w.vandal()
		seal := regexp.MustCompile(`,"n":[0-9]+,"after":"[^"]*","link":"[^"]*"`)
		for i := range e {
			name := "e:" + string(e[i].ID)
			v.put(name, seal.ReplaceAll(v.value(name), nil))
		}
		v.put("eh:"+string(w.realm.ID), nil)
		if proof := w.proof(); proof.Events != 2 || proof.Earlier != 4 {
			t.Errorf("Verify = %d events, %d earlier; want 2 in the system's partition, 4", proof.Events, proof.Earlier)
		}
		w.update("ann", "Sealed")
		proof := w.proof()
		if proof.Events != 3 || proof.Earlier != 4 {
			t.Errorf("Verify after the next event = %d events, %d earlier; want 3, 4", proof.Events, proof.Earlier)
		}
		w.update("ann", "Sealed too")
		sealed := w.events(core.ListEvents{Limit: 1}).Events[0]
		v.put("e:"+string(sealed.ID), seal.ReplaceAll(v.value("e:"+string(sealed.ID)), nil))
		w.flawed("a seal was taken away", "was inserted, or altered: it has no seal", proof.Marks...)
	})
}

// TestChainDoesNotFork has several processes read one log while events are made, and holds that all are in one chain.
func TestChainDoesNotFork(t *testing.T) {
	each(t, func(w *world) {
		const readers, rounds = 4, 15
		var all sync.WaitGroup
		for i := range readers {
			c, name := w.another(w.store), fmt.Sprint("ann", i)
			w.human(name)
			all.Go(func() {
				for j := range rounds {
					if _, err := c.Users.Update(w.ctx, w.realm.ID, name, core.UserChange{FirstName: ptr(fmt.Sprint("A", j))}, core.Request{}); err != nil {
						t.Errorf("Update = %v", err)
					}
					if _, err := c.Events.List(w.ctx, w.realm.ID, core.ListEvents{Limit: 1}); err != nil {
						t.Errorf("List = %v", err)
					}
					if _, err := c.Events.Verify(w.ctx, w.realm.ID, nil); err != nil {
						t.Errorf("Verify meanwhile = %v", err)
					}
				}
			})
		}
		all.Wait()
		proof, page := w.proof(), w.events(core.ListEvents{Limit: 1000})
		if want := 2 + readers*(rounds+1); proof.Events != want || len(page.Events) != want {
			t.Errorf("Verify = %d events, and the list has %d; want %d", proof.Events, len(page.Events), want)
		}
	})
}

// crashing is a store some of whose writes fail, half of them after they were carried out.
type crashing struct {
	core.Store
	calls atomic.Int64
}

func (s *crashing) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	switch s.calls.Add(1) % 5 {
	case 1:
		return core.Outcome{}, core.ErrUnavailable
	case 3:
		if _, err := s.Store.Apply(ctx, tx); err != nil {
			return core.Outcome{}, err
		}
		return core.Outcome{}, core.ErrOutcomeUnknown
	}
	return s.Store.Apply(ctx, tx)
}

// TestChainSurvivesCrashes has processes die at any write of their reading, and others go on.
func TestChainSurvivesCrashes(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		mortal := &crashing{Store: w.store}
		failed := 0
		for i := range 20 {
			w.update("ann", fmt.Sprint("A", i))
			if _, err := w.another(mortal).Events.List(w.ctx, w.realm.ID, core.ListEvents{}); err != nil {
				failed++
			}
			w.proof()
		}
		if proof := w.proof(); proof.Events != 23 || failed < 5 {
			t.Errorf("Verify = %d events after %d of 20 readings failed; want 23 after some", proof.Events, failed)
		}
	})
}

// TestAnythingAlteredIsFound changes one byte anywhere in what is kept of a chain, and holds that this is found.
func TestAnythingAlteredIsFound(t *testing.T) {
	w := newWorldOnBolt(t)
	v := w.vandal()
	names := map[string]bool{"eh:" + string(w.realm.ID): true}
	for _, e := range w.history(2) {
		names["e:"+string(e.ID)] = true
	}
	for name := range maps.Keys(names) {
		value := v.value(name)
		for at := range value {
			altered := bytes.Clone(value)
			altered[at] ^= 1
			v.set(name, altered)
			if proof, err := w.Events.Verify(w.ctx, w.realm.ID, nil); err == nil {
				t.Errorf("Verify with byte %d of %s altered, %s = %d events; want an error", at, name, altered, proof.Events)
			}
		}
		v.set(name, value)
	}
	w.proof()
}

// FuzzParseEventMarks holds that what is read as marks is written in the same words.
func FuzzParseEventMarks(f *testing.F) {
	f.Add("-/-:1:559rvTuHTDfpETP-7NInxQ rl_0N8a6jlz4guxSxyD7X8doU/0:12:NyjBN9MNdiiR8Pp49jARww")
	f.Add("rl_0N8a6jlz4guxSxyD7X8doU/-:2:NyjBN9MNdiiR8Pp49jARww")
	f.Add("-/0:01:")
	f.Fuzz(func(t *testing.T, line string) {
		marks, err := core.ParseEventMarks(line)
		if err != nil {
			if marks != nil {
				t.Errorf("ParseEventMarks(%q) = %v with %v; want nothing", line, marks, err)
			}
			return
		}
		again, err := core.ParseEventMarks(core.FormatEventMarks(marks))
		if err != nil || len(again) != len(marks) {
			t.Fatalf("ParseEventMarks of what it read of %q = %v, %v", line, again, err)
		}
		for i := range marks {
			if again[i] != marks[i] {
				t.Errorf("ParseEventMarks(%q)[%d] = %v, and then %v", line, i, marks[i], again[i])
			}
		}
	})
}

// replaced is a store whose data is replaced under those who use it.
type replaced struct{ core.Store }

// TestEventsOfARestoredStore replaces the data under a process that remembers the key of what was there before, and holds that it seals
// with the key of what is there now.
func TestEventsOfARestoredStore(t *testing.T) {
	before, after := newWorldOnBolt(t), newWorldOnBolt(t)
	before.history(2)
	after.history(2)
	store := &replaced{before.store}
	c := before.another(store)
	before.update("ann", "Read by the process")
	_, err := c.Events.List(before.ctx, before.realm.ID, core.ListEvents{})
	before.must(err)
	store.Store = after.store
	after.update("ann", "Read by it too")
	page, err := c.Events.List(after.ctx, after.realm.ID, core.ListEvents{})
	after.must(err)
	if proof := after.proof(); proof.Events != 5 || len(page.Events) != 5 {
		t.Errorf("Verify = %d events, and the list has %d; want 5", proof.Events, len(page.Events))
	}
}

// TestVerifyBesidesASweep verifies events while others are made and old ones are removed, and holds that nothing seems wrong.
func TestVerifyBesidesASweep(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.EventRetention = 24 * 60 * 60 }}, core.Request{})
		w.must(err)
		w.human("ann")
		done, c := make(chan struct{}), w.another(w.store)
		defer func() { <-done }()
		go func() {
			defer close(done)
			for i := range 30 {
				if _, err := c.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr(fmt.Sprint("A", i))}, core.Request{}); err != nil {
					t.Errorf("Update = %v", err)
				}
				w.clock.Advance(3 * time.Hour)
				if _, err := c.SweepEvents(w.ctx); err != nil {
					t.Errorf("SweepEvents = %v", err)
				}
			}
		}()
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			w.proof()
		}
		_, err = w.SweepEvents(w.ctx) // what nobody had read from the log before the last sweep
		w.must(err)
		if proof := w.proof(); proof.Events < 7 || proof.Events > 9 {
			t.Errorf("Verify = %d events; want those of a day, one in three hours", proof.Events)
		}
	})
}
