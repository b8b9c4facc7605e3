package difftest_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// TestCopiedStoresAgree plays a history against the embedded file, copies that to Redis, and plays on against both: what was copied is
// to every call what it was. Outcomes are not copied, so that nothing from before is sent again.
func TestCopiedStoresAgree(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		openBolt, openRedis := bolt(t), redis(server)
		rapid.Check(t, func(t *rapid.T) {
			from := newSide("bolt", openBolt(t))
			h := newHistory(t, []*side{from})
			h.play()
			h.sent, h.forgotten = nil, len(h.sent)

			to := newSide(server.Kind, openRedis(t))
			if _, err := to.store.(*redisstore.Store).Fill(t.Context(), from.store.(*boltstore.Store).Items(t.Context())); err != nil {
				t.Fatalf("Fill = %v", err)
			}
			maps.Copy(to.given, from.given)
			for key, versions := range from.known {
				to.known[key] = maps.Clone(versions)
			}
			h.sides = append(h.sides, to)
			h.compareAll()
			h.play()
		})
	})
}
