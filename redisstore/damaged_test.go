package redisstore_test

import (
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestRecordOfAnotherType puts something else where records are. That they are missing would be an answer: their sessions had ended.
func TestRecordOfAnotherType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		o := shared(server)
		s := open(t, o)
		if err := server.Client(t).RPush(t.Context(), o.KeyPrefix+"{_}r:n", "x").Err(); err != nil {
			t.Fatal(err)
		}
		if recs, err := s.Get(t.Context(), core.Key{Name: "missing"}, core.Key{Name: "n"}); err == nil {
			t.Errorf("Get of a list = %+v; want a failure", recs)
		}
	})
}

// TestLogTrimmedByHand empties a log with a command of Redis, and deletes its newest entry. It goes on where it was, and whoever followed it is told of the gap.
func TestLogTrimmedByHand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		o := shared(server)
		s := open(t, o)
		log := core.Log{Name: "l"}
		follow := func(after core.Position) core.Feed {
			t.Helper()
			feeds, err := s.Tail(t.Context(), []core.LogPosition{{Log: log, After: after}}, 0)
			if err != nil {
				t.Fatalf("Tail after %+v = %v", after, err)
			}
			return feeds[0]
		}
		write := func(id string) {
			t.Helper()
			if _, err := s.Apply(t.Context(), create(id, id)); err != nil {
				t.Errorf("Apply of %s = %v", id, err)
			}
		}
		for _, id := range []string{"a", "a2", "a3"} {
			write(id)
		}
		at := follow(core.Position{}).Next
		if err := server.Client(t).XTrimMaxLen(t.Context(), o.KeyPrefix+"{_}l:l", 0).Err(); err != nil {
			t.Fatal(err)
		}
		write("b")
		if f := follow(at); !f.Gap || f.Next.Sequence != 4 {
			t.Errorf("Tail after the log was trimmed to nothing = %+v; want a gap, up to entry 4", f)
		}
		write("c")
		at = follow(core.Position{}).Next
		if err := server.Client(t).XDel(t.Context(), o.KeyPrefix+"{_}l:l", "5-0").Err(); err != nil {
			t.Fatal(err)
		}
		write("d")
		if f := follow(at); !f.Gap || f.Next.Sequence != 6 {
			t.Errorf("Tail after the log's newest entry was deleted = %+v; want a gap, up to entry 6", f)
		}
	})
}

// TestLogOfAnotherType puts something else where a log is. What cannot be appended to it is not carried out in part.
func TestLogOfAnotherType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		o := shared(server)
		s := open(t, o)
		if err := server.Client(t).Set(t.Context(), o.KeyPrefix+"{_}l:l", "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Apply(t.Context(), create("op", "n")); err == nil {
			t.Errorf("Apply = %+v; want a failure", out)
		}
		if recs := get(t, s, core.Key{Name: "n"}); recs[0].Version != 0 {
			t.Errorf("Get after Apply failed = %+v; want nothing", recs)
		}
	})
}
