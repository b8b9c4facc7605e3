package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// vandal changes what is in a store behind everybody's back, and can undo it.
type vandal struct {
	*world
	p    core.Partition
	undo []func()
}

// vandal returns one for the partition of the world's realm.
func (w *world) vandal() *vandal {
	return &vandal{world: w, p: core.Partition{Realm: w.realm.ID}}
}

// apply changes the store.
func (v *vandal) apply(tx core.Transaction) {
	v.Helper()
	tx.Partition, tx.ID, tx.Now = v.p, fmt.Sprint("vandal", rand.Uint64()), v.clock.Now()
	_, err := v.store.Apply(v.ctx, &tx)
	v.must(err)
}

// value returns the value of a record; nil for none.
func (v *vandal) value(name string) []byte {
	v.Helper()
	recs, err := v.store.Get(v.ctx, core.Key{Partition: v.p, Name: name})
	v.must(err)
	return recs[0].Value
}

// put writes a record, or with nil deletes it.
func (v *vandal) put(name string, value []byte) {
	v.Helper()
	before := v.value(name)
	v.undo = append(v.undo, func() { v.set(name, before) })
	v.set(name, value)
}

func (v *vandal) set(name string, value []byte) {
	if value == nil {
		v.apply(core.Transaction{Delete: []string{name}})
		return
	}
	v.apply(core.Transaction{Put: []core.Put{{Name: name, Value: value, Schema: 1}}})
}

// place adds an event to a list of the realm's events of a type, or removes it.
func (v *vandal) place(id core.EventID, kind string, remove bool) {
	v.Helper()
	change := core.IndexChange{Index: "er:" + string(v.realm.ID), Member: kind + "\x00" + strings.TrimPrefix(string(id), "ev_"), Remove: remove}
	v.apply(core.Transaction{Index: []core.IndexChange{change}})
	v.undo = append(v.undo, func() {
		change.Remove = !change.Remove
		v.apply(core.Transaction{Index: []core.IndexChange{change}})
	})
}

// remove removes an event with its place among the realm's.
func (v *vandal) remove(e *core.Event) {
	v.Helper()
	v.put("e:"+string(e.ID), nil)
	v.place(e.ID, e.Type, true)
}

// rewrite replaces text in the record of an event.
func (v *vandal) rewrite(e *core.Event, from, to string) {
	v.Helper()
	value := v.value("e:" + string(e.ID))
	if !bytes.Contains(value, []byte(from)) {
		v.Fatalf("the record of an event has no %s: %s", from, value)
	}
	v.put("e:"+string(e.ID), bytes.Replace(value, []byte(from), []byte(to), 1))
}

// restore undoes all that was done.
func (v *vandal) restore() {
	for len(v.undo) > 0 {
		v.undo[len(v.undo)-1]()
		v.undo = v.undo[:len(v.undo)-1]
	}
}

// marks verifies the realm's events, and returns what stands for them.
func (w *world) marks() []core.EventMark {
	w.Helper()
	return w.proof().Marks
}

// proof verifies the realm's events.
func (w *world) proof(since ...core.EventMark) *core.EventsProof {
	w.Helper()
	proof, err := w.Events.Verify(w.ctx, w.realm.ID, since)
	w.must(err)
	return proof
}

// flawed asserts that the realm's events are found to be other than was written, in words that have want.
func (w *world) flawed(what, want string, since ...core.EventMark) {
	w.Helper()
	_, err := w.Events.Verify(w.ctx, w.realm.ID, since)
	if flaw, ok := errors.AsType[*core.EventsFlaw](err); !ok || !strings.Contains(flaw.Error(), want) {
		w.Errorf("%s: Verify = %v; want a flaw with %q", what, err, want)
	}
}

// update changes a user, so that there is one more event, and moves the clock on.
func (w *world) update(username, name string) {
	w.Helper()
	_, err := w.Users.Update(w.ctx, w.realm.ID, username, core.UserChange{FirstName: &name}, core.Request{IP: "192.0.2.1", Client: "test"})
	w.must(err)
	w.clock.Advance(time.Second)
}

// history makes n events about a user, and returns them, the oldest first.
func (w *world) history(n int) []*core.Event {
	w.Helper()
	ann := w.human("ann")
	for i := 1; i < n; i++ {
		w.update("ann", fmt.Sprint("A", i))
	}
	page := w.events(core.ListEvents{User: ann.ID, Ascending: true, Limit: 1000})
	if len(page.Events) != n {
		w.Fatalf("there are %d events about a user; want %d", len(page.Events), n)
	}
	return page.Events
}

// TestEventsAreVerified changes events in the store in every way there is, and holds that each is found and named.
func TestEventsAreVerified(t *testing.T) {
	each(t, func(w *world) {
		e := w.history(8)
		newest := e[7]
		v := w.vandal()
		chain, floor := "eh:"+string(w.realm.ID), "ef:"+string(w.realm.ID)
		foreign := core.EventID("ev_" + strings.Repeat("z", 22))
		for _, c := range []struct {
			what string
			do   func()
			want string
		}{
			{"altered", func() { v.rewrite(e[3], "192.0.2.1", "192.0.2.9") }, fmt.Sprintf("event %s was altered; up to event %s", e[3].ID, e[2].ID)},
			{"altered, the first", func() { v.rewrite(e[0], `"user.created"`, `"user.updated"`) }, fmt.Sprintf("event %s was altered", e[0].ID)},
			{"altered in its seal", func() { v.rewrite(e[3], `"link":"`+e[3].Link[:4], `"link":"zzzz`) }, fmt.Sprintf("event %s was altered", e[3].ID)},
			{"altered beyond its seal", func() { v.rewrite(e[3], `"link":"`, ` "link":"`) }, fmt.Sprintf("event %s was inserted, or altered: it has no seal", e[3].ID)},
			{"no JSON", func() { v.put("e:"+string(e[3].ID), []byte("{")) }, fmt.Sprintf("event %s was altered", e[3].ID)},
			{"removed", func() { v.remove(e[3]) }, fmt.Sprintf("an event was removed before event %s; up to event %s", e[4].ID, e[2].ID)},
			{"two removed", func() { v.remove(e[3]); v.remove(e[4]) }, "2 events were removed before event " + string(e[5].ID)},
			{"the first removed", func() { v.remove(e[0]) }, "an event was removed before event " + string(e[1].ID)},
			{"removed from the end", func() { v.remove(newest) }, "an event was removed, up to the newest; up to event " + string(e[6].ID)},
			{"taken from the list", func() { v.place(e[3].ID, e[3].Type, true) }, "an event was removed before event " + string(e[4].ID)},
			{"its record removed", func() { v.put("e:"+string(e[3].ID), nil) }, "an event was removed before event " + string(e[4].ID)},
			{"swapped", func() {
				one, other := v.value("e:"+string(e[2].ID)), v.value("e:"+string(e[3].ID))
				v.put("e:"+string(e[2].ID), other)
				v.put("e:"+string(e[3].ID), one)
			}, fmt.Sprintf("event %s was altered: it cannot be read", e[2].ID)},
			{"put in another order", func() {
				v.rewrite(e[2], fmt.Sprintf(`"n":%d,`, e[2].Number), fmt.Sprintf(`"n":%d,`, e[3].Number))
				v.rewrite(e[3], fmt.Sprintf(`"n":%d,`, e[3].Number), fmt.Sprintf(`"n":%d,`, e[2].Number))
			}, fmt.Sprintf("event %s was altered", e[2].ID)},
			{"inserted with another's seal", func() {
				v.put("e:"+string(foreign), bytes.Replace(v.value("e:"+string(e[3].ID)), []byte(e[3].ID), []byte(foreign), 1))
				v.place(foreign, e[3].Type, false)
			}, fmt.Sprintf("event %s was altered", foreign)},
			{"inserted without a seal", func() {
				v.put("e:"+string(foreign), fmt.Appendf(nil, `{"id":"%s","realm":"%s","type":"user.updated","at":%d}`, foreign, w.realm.ID, w.clock.Now().UnixMilli()))
				v.place(foreign, "user.updated", false)
			}, fmt.Sprintf("event %s was inserted, or altered: it has no seal", foreign)},
			{"listed as what it is not", func() { v.place(e[3].ID, "user.deleted", false) }, "in a list that it does not belong to"},
			{"the end moved back", func() {
				v.remove(newest)
				v.put(chain, bytes.NewBuffer(bytes.Replace(bytes.Replace(v.value(chain), fmt.Appendf(nil, `"n":%d`, newest.Number), fmt.Appendf(nil, `"n":%d`, e[6].Number), 1),
					[]byte(newest.Link), []byte(e[6].Link), 1)).Bytes())
			}, "the record of the last event was altered"},
			{"the end removed", func() { v.put(chain, nil) }, "is sealed, and the record of the last one is gone"},
			{"said to be swept", func() {
				v.remove(e[3])
				v.put(floor, fmt.Appendf(nil, `{"realm":"%s","n":%d,"seal":"%s"}`, w.realm.ID, e[3].Number, e[3].Link))
			}, "the record of how far events were removed was altered"},
		} {
			c.do()
			w.flawed(c.what, c.want)
			v.restore()
		}
		proof := w.proof(w.marks()...)
		if proof.Events != 10 || proof.Earlier != 0 || proof.Last.ID != newest.ID { // the realm's and its key's besides
			t.Errorf("Verify after all was undone = %d events, %d earlier, the last %s; want 10, 0, %s", proof.Events, proof.Earlier, proof.Last.ID, newest.ID)
		}
	})
}

// TestEventsOfTheSystemAreVerified holds that what concerns no realm, and what is about a realm itself, is sealed too, and
// that another process finds the same.
func TestEventsOfTheSystemAreVerified(t *testing.T) {
	each(t, func(w *world) {
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		another := w.another(w.store)
		for realm, want := range map[core.RealmID]int{"": 1, w.realm.ID: 2, other.ID: 1} {
			proof, err := another.Events.Verify(w.ctx, realm, nil)
			if err != nil || proof.Events != want {
				t.Errorf("Verify(%q) = %+v, %v; want %d events", realm, proof, err, want)
			}
		}
		v := &vandal{world: w}
		for realm, want := range map[core.RealmID]string{"": "was altered", other.ID: "was altered", w.realm.ID: "was altered"} {
			page, err := w.Events.List(w.ctx, realm, core.ListEvents{})
			w.must(err)
			v.rewrite(page.Events[0], `"at":`, `"at":1`)
			_, err = w.Events.Verify(w.ctx, realm, nil)
			if _, ok := errors.AsType[*core.EventsFlaw](err); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("Verify(%q) of an altered event = %v; want that it %s", realm, err, want)
			}
			v.restore()
		}
		v.put("ek", nil)
		w.flawed("without the key", "the key that events were sealed with is gone")
		_, err = w.another(w.store).Events.List(w.ctx, w.realm.ID, core.ListEvents{}) // reads nothing, and makes no other
		w.must(err)
		v.restore()
		w.proof()
	})
}
