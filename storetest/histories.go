package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/draws"
)

var histories = chapter{"Histories", []test{
	{"the store does as the model does", matchesModel},
}}

func init() { draws.Usual("40", "30", "20260314") }

// matchesModel plays random histories against the store and the model, each in a realm of its own.
func matchesModel(s *scene) {
	histories := 0
	rapid.Check(s.T, func(t *rapid.T) {
		histories++
		h := &history{
			T:        t,
			scene:    s,
			realm:    core.RealmID(fmt.Sprintf("rl_history%d", histories)),
			model:    newModel(),
			versions: map[uint64]uint64{0: 0},
			past:     map[core.Key][]uint64{},
			keep:     map[core.Log]int{},
			now:      noon,
		}
		t.Repeat(map[string]func(*rapid.T){
			"apply":  h.apply,
			"repeat": h.repeat,
			"get":    h.get,
			"range":  h.rangeOver,
			"hit":    h.hit,
			"tail":   h.tail,
		})
	})
}

// history is one sequence of random calls, and what the model made of them so far.
type history struct {
	*rapid.T
	scene    *scene
	realm    core.RealmID
	model    *model
	versions map[uint64]uint64     // the store's, by the model's
	past     map[core.Key][]uint64 // the model's versions of each record, whether or not it is there still
	keep     map[core.Log]int      // the least that a log was ever to keep
	applied  []*core.Transaction
	now      time.Time
}

// A history is about few things, so that they meet.
var (
	drawName   = rapid.SampledFrom([]string{"a", "b", "c", "a:b"})
	drawMember = rapid.SampledFrom([]string{"m", "m\x00", "m\xff", "mm", "n", "\x00", "\xff"})
	drawBytes  = rapid.SliceOfN(rapid.Byte(), 0, 20)
	drawBound  = rapid.OneOf(rapid.Just(""), drawMember)
)

// partition draws where the next call goes.
func (h *history) partition(t *rapid.T) core.Partition {
	return core.Partition{Realm: h.realm, Number: rapid.IntRange(0, 1).Draw(t, "partition")}
}

// draw draws a transaction. Its preconditions are at versions of the model.
func (h *history) draw(t *rapid.T) *core.Transaction {
	tx := &core.Transaction{Partition: h.partition(t), ID: h.scene.operation(), Now: h.now}
	some := func(what string) int { return rapid.IntRange(0, 2).Draw(t, what) }
	for range some("preconditions") {
		key := core.Key{Partition: tx.Partition, Name: drawName.Draw(t, "required")}
		version := h.model.records[key].Version
		if rapid.IntRange(0, 4).Draw(t, "stale") == 0 {
			version = rapid.SampledFrom(append([]uint64{0}, h.past[key]...)).Draw(t, "version")
		}
		tx.Require = append(tx.Require, at(key.Name, version))
	}
	for range some("puts") {
		put := core.Put{Name: drawName.Draw(t, "put"), Value: drawBytes.Draw(t, "value"), Schema: rapid.IntRange(0, 999).Draw(t, "schema")}
		if rapid.Bool().Draw(t, "expires") {
			put.Expires = h.now.Add(time.Duration(rapid.IntRange(-1000, 1e9).Draw(t, "left")) * time.Millisecond)
		}
		tx.Put = append(tx.Put, put)
	}
	for range some("index changes") {
		tx.Index = append(tx.Index, core.IndexChange{
			Index:  drawName.Draw(t, "index"),
			Member: drawMember.Draw(t, "member"),
			Remove: rapid.Bool().Draw(t, "remove"),
		})
	}
	for range some("entries") {
		tx.Append = append(tx.Append, core.Append{
			Log:  drawName.Draw(t, "log"),
			Data: drawBytes.Draw(t, "data"),
			Keep: rapid.IntRange(1, 10).Draw(t, "keep"),
		})
	}
	for range some("deletes") / 2 {
		name := drawName.Draw(t, "delete")
		if !slices.ContainsFunc(tx.Put, func(p core.Put) bool { return p.Name == name }) {
			tx.Delete = append(tx.Delete, name)
		}
	}
	for range some("resets") / 2 {
		tx.Reset = append(tx.Reset, drawName.Draw(t, "reset"))
	}
	return tx
}

func (h *history) apply(t *rapid.T) { h.play(t, h.draw(t)) }

func (h *history) repeat(t *rapid.T) {
	if len(h.applied) == 0 {
		t.Skip("nothing to repeat")
	}
	h.play(t, rapid.SampledFrom(h.applied).Draw(t, "repeated"))
}

// play applies tx to both and compares what they say.
func (h *history) play(t *rapid.T, tx *core.Transaction) {
	theirs := *tx
	theirs.Require = nil
	for _, p := range tx.Require {
		theirs.Require = append(theirs.Require, core.Precondition{Name: p.Name, Version: h.versions[p.Version]})
	}
	want, wantErr := h.model.apply(tx)
	got, err := h.scene.store.Apply(h.scene.ctx, &theirs)

	conflict, refused := errors.AsType[*core.ConflictError](err)
	if wantErr != nil {
		if !refused || *conflict != *wantErr.(*core.ConflictError) {
			t.Fatalf("Apply(%+v) = %v; want %v", theirs, err, wantErr)
		}
		return
	}
	if err != nil || got.Repeated != want.Repeated {
		t.Fatalf("Apply(%+v) = %+v, %v; want %+v", theirs, got, err, want)
	}
	if want.Repeated {
		if len(tx.Put) > 0 && got.Version != h.versions[want.Version] {
			t.Fatalf("Apply(%+v) again = %+v; want version %d, as before", theirs, got, h.versions[want.Version])
		}
		return
	}
	h.noteVersion(t, tx, want.Version, got.Version)
	h.note(tx)
}

// noteVersion remembers that the store gave the records of tx a version, which must be above all they ever had.
func (h *history) noteVersion(t *rapid.T, tx *core.Transaction, model, store uint64) {
	if len(tx.Put) == 0 {
		return
	}
	h.versions[model] = store
	for _, p := range tx.Put {
		key := core.Key{Partition: tx.Partition, Name: p.Name}
		for _, past := range h.past[key] {
			if past != model && store <= h.versions[past] {
				t.Fatalf("Apply(%+v) = version %d; want more than %d, which %s had", tx, store, h.versions[past], p.Name)
			}
		}
		h.past[key] = append(h.past[key], model)
	}
}

// note remembers what a committed tx allows later.
func (h *history) note(tx *core.Transaction) {
	h.applied = append(h.applied, tx)
	for _, a := range tx.Append {
		log := core.Log{Partition: tx.Partition, Name: a.Log}
		if least, ok := h.keep[log]; !ok || a.Keep < least {
			h.keep[log] = a.Keep
		}
	}
}

func (h *history) get(t *rapid.T) {
	var keys []core.Key
	for range rapid.IntRange(1, 4).Draw(t, "keys") {
		keys = append(keys, core.Key{Partition: h.partition(t), Name: drawName.Draw(t, "name")})
	}
	for i, got := range h.scene.getAll(keys...) {
		want := h.model.records[keys[i]]
		if got.Version != h.versions[want.Version] || got.Schema != want.Schema || !got.Expires.Equal(want.Expires) || !bytes.Equal(got.Value, want.Value) {
			t.Fatalf("Get(%v) = %+v; want %+v, at the store's version %d", keys[i], got, want, h.versions[want.Version])
		}
	}
}

func (h *history) rangeOver(t *rapid.T) {
	r := core.Range{
		Index:      core.Index{Partition: h.partition(t), Name: drawName.Draw(t, "index")},
		From:       drawBound.Draw(t, "from"),
		To:         drawBound.Draw(t, "to"),
		Limit:      rapid.IntRange(1, 8).Draw(t, "limit"),
		Descending: rapid.Bool().Draw(t, "descending"),
	}
	got, err := h.scene.store.Range(h.scene.ctx, r)
	if want := h.model.members(r); err != nil || !slices.Equal(got, want) {
		t.Fatalf("Range(%+v) = %q, %v; want %q", r, got, err, want)
	}
}

// hit lets time pass too, forwards as a rule.
func (h *history) hit(t *rapid.T) {
	h.now = h.now.Add(time.Duration(rapid.IntRange(-30, 180).Draw(t, "passed")) * time.Second)
	bucket := core.Bucket{Partition: h.partition(t), Name: drawName.Draw(t, "bucket")}
	rate := core.Rate{Burst: rapid.IntRange(1, 4).Draw(t, "burst"), Every: time.Minute}
	got, err := h.scene.store.Hit(h.scene.ctx, bucket, rate, h.now)
	want := h.model.hit(bucket, rate, h.now)
	if err != nil || got.OK != want.OK || got.Remaining != want.Remaining || !closeTo(got.RetryAfter, want.RetryAfter) {
		t.Fatalf("Hit(%v, %+v, %v) = %+v, %v; want %+v", bucket, rate, h.now, got, err, want)
	}
}

// tail reads on from a position that the log once had, or never had. The model keeps everything; the store may say that
// it trimmed what it need not keep.
func (h *history) tail(t *rapid.T) {
	log := core.Log{Partition: h.partition(t), Name: drawName.Draw(t, "log")}
	after := h.position(t, log)
	want := h.model.tail(log, after)
	feeds, err := h.scene.store.Tail(h.scene.ctx, []core.LogPosition{{Log: log, After: after}}, 0)
	if err != nil || len(feeds) != 1 {
		t.Fatalf("Tail(%v, after %v) = %+v, %v; want %+v", log, after, feeds, err, want)
	}
	got := feeds[0]
	trimmed := int(after.Sequence)+h.keep[log] <= int(want.Next.Sequence) && after != core.End
	if trimmed && got.Gap {
		want.Gap, want.Entries = true, nil
	}
	if got.Gap != want.Gap || got.Next != want.Next || got.Log != want.Log || !slices.EqualFunc(got.Entries, want.Entries, sameEntry) {
		t.Fatalf("Tail(%v, after %v) = %+v; want %+v", log, after, got, want)
	}
}

// position draws a position in a log.
func (h *history) position(t *rapid.T, log core.Log) core.Position {
	choices := []core.Position{{}, core.End, {Operation: "lost"}, {Sequence: 1, Operation: "lost"}, {Sequence: 1000, Operation: "lost"}}
	for _, e := range h.model.logs[log] {
		choices = append(choices, e.Position)
	}
	return rapid.SampledFrom(choices).Draw(t, "after")
}
