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
