package storetest

import (
	"maps"
	"slices"
	"time"

	"github.com/postern-auth/postern/core"
)

// model is the contract in plain maps, for one caller at a time and without its bounds: it keeps everything, for ever.
type model struct {
	records  map[core.Key]core.Record
	outcomes map[core.Key]core.Outcome // by operation id
	indexes  map[core.Index]map[string]bool
	logs     map[core.Log][]core.Entry
	rates    map[core.Bucket]time.Time // when each will be full again
	version  uint64
}

func newModel() *model {
	return &model{
		records:  map[core.Key]core.Record{},
		outcomes: map[core.Key]core.Outcome{},
		indexes:  map[core.Index]map[string]bool{},
		logs:     map[core.Log][]core.Entry{},
		rates:    map[core.Bucket]time.Time{},
	}
}

// apply is Store.Apply.
func (m *model) apply(tx *core.Transaction) (core.Outcome, error) {
	operation := core.Key{Partition: tx.Partition, Name: tx.ID}
	if out, done := m.outcomes[operation]; done {
		out.Repeated = true
		return out, nil
	}
	for _, p := range tx.Require {
		key := core.Key{Partition: tx.Partition, Name: p.Name}
		if m.records[key].Version != p.Version {
			return core.Outcome{}, &core.ConflictError{Key: key}
		}
	}
	var out core.Outcome
	if len(tx.Put) > 0 {
		m.version++
		out.Version = m.version
	}
	m.carryOut(tx, out.Version)
	m.outcomes[operation] = out
	return out, nil
}

// carryOut makes the changes of tx, whose records get a version.
func (m *model) carryOut(tx *core.Transaction, version uint64) {
	for _, p := range tx.Put {
		m.records[core.Key{Partition: tx.Partition, Name: p.Name}] = core.Record{Value: p.Value, Schema: p.Schema, Version: version, Expires: p.Expires}
	}
	for _, name := range tx.Delete {
		delete(m.records, core.Key{Partition: tx.Partition, Name: name})
	}
	for _, c := range tx.Index {
		index := core.Index{Partition: tx.Partition, Name: c.Index}
		if m.indexes[index] == nil {
			m.indexes[index] = map[string]bool{}
		}
		if m.indexes[index][c.Member] = true; c.Remove {
			delete(m.indexes[index], c.Member)
		}
	}
	for _, a := range tx.Append {
		log := core.Log{Partition: tx.Partition, Name: a.Log}
		next := core.Position{Sequence: uint64(len(m.logs[log]) + 1), Operation: tx.ID}
		m.logs[log] = append(m.logs[log], core.Entry{Position: next, Data: a.Data})
	}
	for _, name := range tx.Reset {
		delete(m.rates, core.Bucket{Partition: tx.Partition, Name: name})
	}
}

// members is Store.Range.
func (m *model) members(r core.Range) []string {
	all := slices.Sorted(maps.Keys(m.indexes[r.Index]))
	all = slices.DeleteFunc(all, func(s string) bool { return s < r.From || r.To != "" && s >= r.To })
	if r.Descending {
		slices.Reverse(all)
	}
	return all[:min(r.Limit, len(all))]
}

// hit is Store.Hit.
func (m *model) hit(bucket core.Bucket, rate core.Rate, now time.Time) core.Allowance {
	full := m.rates[bucket]
	if full.Before(now) {
		full = now
	}
	full = full.Add(rate.Every)
	left := time.Duration(rate.Burst)*rate.Every - full.Sub(now)
	if left < 0 {
		return core.Allowance{RetryAfter: -left}
	}
	m.rates[bucket] = full
	return core.Allowance{OK: true, Remaining: int(left / rate.Every)}
}

// tail is Store.Tail of one log, without waiting.
func (m *model) tail(log core.Log, after core.Position) core.Feed {
	entries := m.logs[log]
	newest := core.Position{}
	if len(entries) > 0 {
		newest = entries[len(entries)-1].Position
	}
	feed := core.Feed{Log: log, Next: newest}
	switch {
	case after == core.End:
	case after == core.Position{}:
		feed.Entries = entries
	case after.Sequence == 0 || after.Sequence > newest.Sequence || entries[after.Sequence-1].Position != after:
		feed.Gap = true
	default:
		feed.Entries = entries[after.Sequence:]
	}
	return feed
}
