package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Usage is what happened in a realm in one day (UTC), as far as one APT key vouched for it (Work-API, "the user's
// actions on the platform can be tracked for billing purposes").
type Usage struct {
	Realm       RealmID  `json:"realm"`
	Day         string   `json:"day"`               // 2026-11-23
	APTKey      APTKeyID `json:"apt_key,omitempty"` // "" = none: password sign-ins
	Created     int      `json:"created,omitempty"`
	Reissued    int      `json:"reissued,omitempty"`
	Refreshed   int      `json:"refreshed,omitempty"`
	ActiveUsers int      `json:"active,omitempty"` // who were not active before on that day; who only refreshes counts once for each session
	Requests    int      `json:"requests,omitempty"`
}

func (u *Usage) key(p Partition) Key { return usageKey(p, u.Day, u.APTKey) }

// add adds what happened since.
func (u *Usage) add(d Usage) {
	u.Created += d.Created
	u.Reissued += d.Reissued
	u.Refreshed += d.Refreshed
	u.ActiveUsers += d.ActiveUsers
	u.Requests += d.Requests
}

// lastUse is when a key was last used.
type lastUse struct {
	ID string  `json:"id"`
	At Instant `json:"at"`
}

func (l *lastUse) key(Partition) Key { return lastUseKey(l.ID) }

// dayOf returns the day of a time, in UTC.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// firstOn returns 1 where none of the times before were on the same day as now, else 0.
func firstOn(now time.Time, before ...Instant) int {
	for _, t := range before {
		if dayOf(t.Time) == dayOf(now) {
			return 0
		}
	}
	return 1
}

// usageEvery is how often what was counted is written, and so the most that is lost where a process is killed.
const usageEvery = 10 * time.Second

// meter counts in memory, so that no request waits for it. Safe for concurrent use.
type meter struct {
	d *deps

	mu     sync.Mutex
	counts map[Key]Usage
	used   map[string]sighting // by the key's id
}

// sighting is when a key was used, and which record it lies in.
type sighting struct {
	at time.Time
	in entity // *ManagementKey, or *aptKeys
}

func newMeter(d *deps) *meter {
	return &meter{d: d, counts: map[Key]Usage{}, used: map[string]sighting{}}
}

// count adds one request with what came of it.
func (m *meter) count(realm RealmID, key APTKeyID, now time.Time, happened Usage) {
	happened.Realm, happened.APTKey, happened.Day = realm, key, dayOf(now)
	happened.Requests = 1
	m.mu.Lock()
	defer m.mu.Unlock()
	m.merge(happened)
	if key != "" {
		m.used[string(key)] = sighting{now, &aptKeys{Realm: realm}}
	}
}

// merge adds counts. The caller holds the lock.
func (m *meter) merge(u Usage) {
	at := u.key(Partition{Realm: u.Realm})
	sum, ok := m.counts[at]
	if !ok {
		sum = Usage{Realm: u.Realm, Day: u.Day, APTKey: u.APTKey}
	}
	sum.add(u)
	m.counts[at] = sum
}

// use notes that a key was used.
func (m *meter) use(key *ManagementKey, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used[string(key.ID)] = sighting{now, &ManagementKey{Digest: key.Digest}}
}

// run writes what was counted, every few seconds and once more when ctx ends.
func (m *meter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			_ = m.flush(last)
			return
		case <-time.After(usageEvery):
			_ = m.flush(ctx) // what could not be written is kept for the next time
		}
	}
}

// flush writes what was counted since it was last called. What cannot be written is counted again.
func (m *meter) flush(ctx context.Context) error {
	m.mu.Lock()
	counts, used := m.counts, m.used
	m.counts, m.used = map[Key]Usage{}, map[string]sighting{}
	m.mu.Unlock()
	var errs []error
	for _, u := range counts {
		if err := retry(func() error { return m.write(ctx, u) }); err != nil {
			errs = append(errs, err)
			m.mu.Lock()
			m.merge(u)
			m.mu.Unlock()
		}
	}
	for id, seen := range used {
		errs = append(errs, m.note(ctx, id, seen))
	}
	return errors.Join(errs...)
}

// write adds counts to those that are kept.
func (m *meter) write(ctx context.Context, u Usage) error {
	p := Partition{Realm: u.Realm}
	kept := u
	version, found, err := m.d.load(ctx, u.key(p), &kept)
	if err != nil {
		return fmt.Errorf("core: write usage: %w", err)
	}
	if found {
		kept.add(u)
	}
	c := m.d.change(p, m.d.ids.now())
	c.replace(&kept, version, noExpiry)
	c.index(indexUsage, u.Day+" "+string(u.APTKey))
	return c.commit(ctx)
}

// usageOf returns what a member of the index of usage is about.
func usageOf(member string) (day string, key APTKeyID) {
	day, text, _ := strings.Cut(member, " ")
	return day, APTKeyID(text)
}

// note writes when a key was last used, unless it was deleted since: then nobody would ever remove what is written.
func (m *meter) note(ctx context.Context, id string, seen sighting) error {
	at := seen.in.key(Partition{})
	version, found, err := m.d.load(ctx, at, seen.in)
	if err != nil {
		return fmt.Errorf("core: note use of a key: %w", err)
	}
	if apt, many := seen.in.(*aptKeys); many && found {
		_, missing := apt.byID(APTKeyID(id))
		found = missing == nil
	}
	if !found {
		return nil
	}
	c := m.d.change(Partition{}, m.d.ids.now())
	c.unchanged(at, version)
	c.set(&lastUse{ID: id, At: Instant{seen.at}}, noExpiry)
	if err := c.commit(ctx); !isConflict(err) {
		return err
	}
	return nil // it was changed in this moment: its next use is noted
}

// lastUsed returns when keys were last used, as far as it was written; the zero time for never.
func (d *deps) lastUsed(ctx context.Context, ids ...string) ([]time.Time, error) {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = lastUseKey(id)
	}
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: last use: %w", err)
	}
	times := make([]time.Time, len(ids))
	for i := range recs {
		var l lastUse
		if _, err := decode(keys[i], recs[i], &l); err != nil {
			return nil, err
		}
		times[i] = l.At.Time
	}
	return times, nil
}

// maxUsage is how many lines of usage one call returns.
const maxUsage = MaxRange

// Usage returns what happened in a realm from one day to another, both included ("2026-11-23", UTC), a line for each day
// and APT key, the oldest first; at most a thousand lines, and more says that there are others behind. It fails with
// KindInvalid and ErrRealmNotFound.
func (r *Realms) Usage(ctx context.Context, realm RealmID, from, to string) (list []Usage, more bool, err error) {
	for _, day := range []string{from, to} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, false, invalid("from", "From and to must be days like 2026-11-23")
		}
	}
	if from > to {
		return nil, false, invalid("from", "From must not be after to")
	}
	if _, err := r.Get(ctx, realm); err != nil {
		return nil, false, err
	}
	p := Partition{Realm: realm}
	days := Range{Index: Index{p, indexUsage}, From: from, To: to + "!", Limit: maxUsage} // '!' follows the space
	members, err := r.d.store.Range(ctx, days)
	if err != nil || len(members) == 0 {
		return nil, false, err
	}
	if len(members) == maxUsage { // as many as one Range returns
		days.goOn(members[maxUsage-1])
		days.Limit = 1
		behind, err := r.d.store.Range(ctx, days)
		if err != nil {
			return nil, false, err
		}
		more = len(behind) > 0
	}
	list, err = r.d.usageLines(ctx, p, members)
	return list, more && err == nil, err
}

// usageLines reads the lines that members of the index are of.
func (d *deps) usageLines(ctx context.Context, p Partition, members []string) (list []Usage, err error) {
	keys := make([]Key, len(members))
	for i, m := range members {
		day, key := usageOf(m)
		keys[i] = usageKey(p, day, key)
	}
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: usage: %w", err)
	}
	for i := range recs {
		var u Usage
		found, err := decode(keys[i], recs[i], &u)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, u)
		}
	}
	return list, nil
}
