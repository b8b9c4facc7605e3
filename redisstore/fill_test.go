package redisstore_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// manyItems returns n records in several partitions, and then an error if there is one.
func manyItems(n int, last error) iter.Seq2[core.Item, error] {
	return func(yield func(core.Item, error) bool) {
		for i := range n {
			item := core.Item{Partition: core.Partition{Realm: "rl_a", Number: i % 7}, Name: fmt.Sprint("r", i), Record: &core.Record{Value: []byte("{}"), Version: uint64(i + 1)}}
			if !yield(item, nil) {
				return
			}
		}
		if last != nil {
			yield(core.Item{}, last)
		}
	}
}

// TestFill fills a database: an empty one, once; what an interrupted Fill left makes room, and what is not under the keys of the Store stays.
func TestFill(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) { holdFill(t, shared(server)) })
	t.Run("cluster", func(t *testing.T) {
		o := clustered(redistest.StartCluster(t, 3))
		o.KeyPrefix = "filled:"
		holdFill(t, o)
	})
}

// holdFill holds a Store with these options to that.
func holdFill(t *testing.T, o redisstore.Options) {
	t.Helper()
	s := open(t, o)
	o.KeyPrefix += "*:" // begins like the other, and as a pattern matches its keys
	starred := open(t, o)
	if _, err := starred.Fill(t.Context(), manyItems(1, nil)); err != nil {
		t.Errorf("Fill of the first = %v", err)
	}
	broken := errors.New("the file ends here")
	if n, err := s.Fill(t.Context(), manyItems(1200, broken)); !errors.Is(err, broken) || n != 1200 {
		t.Errorf("Fill from what breaks off = %d, %v; want its error", n, err)
	}
	halfFilled := func() bool {
		fit, err := s.Check(t.Context())
		return err == nil && slices.ContainsFunc(fit.Findings, func(f core.Finding) bool { return f.Code == redisstore.CodeHalfFilled && f.Refuse })
	}
	if !halfFilled() {
		t.Error("Check does not refuse what is filled by half")
	}
	if n, err := s.Fill(t.Context(), manyItems(1100, nil)); n != 1100 || err != nil {
		t.Fatalf("Fill again = %d, %v; want 1100", n, err)
	}
	if halfFilled() {
		t.Error("Check refuses what is filled")
	}
	key := func(i int) core.Key {
		return core.Key{Partition: core.Partition{Realm: "rl_a", Number: i % 7}, Name: fmt.Sprint("r", i)}
	}
	recs, err := s.Get(t.Context(), key(0), key(1099), key(1100))
	if err != nil || recs[0].Version != 1 || recs[1].Version != 1100 || recs[2].Version != 0 {
		t.Errorf("Get after it = %+v, %v; want the versions 1 and 1100, and nothing of the first Fill", recs, err)
	}
	out, err := s.Apply(t.Context(), &core.Transaction{ID: "next", Partition: key(1099).Partition, Now: time.Unix(0, 0), Put: []core.Put{{Name: "r0", Value: []byte("{}")}}})
	if err != nil || out.Version <= 1100 {
		t.Errorf("Apply after it = %+v, %v; want a version above all that were filled in", out, err)
	}
	if n, err := s.Fill(t.Context(), manyItems(1, nil)); !errors.Is(err, redisstore.ErrNotEmpty) || n != 0 {
		t.Errorf("Fill of what is full = %d, %v; want ErrNotEmpty", n, err)
	}
	if recs, err := starred.Get(t.Context(), key(0)); err != nil || recs[0].Version != 1 {
		t.Errorf("Get under other keys = %+v, %v; want what was filled in there", recs, err)
	}
}
