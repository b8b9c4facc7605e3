package assembly

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/metrics"
)

// TestFindingsOfSeveralMasters shows what is wrong with three masters of a Redis Cluster: once, and the worst of it. A registry that is given two samples of one
// name shows nothing at all.
func TestFindingsOfSeveralMasters(t *testing.T) {
	m := NewMeters()
	m.fitness(core.Fitness{Findings: []core.Finding{
		{Code: "fsync", Text: "a: everysec"}, {Code: "fsync", Text: "b: no", Refuse: true}, {Code: "fsync", Text: "c: everysec"}, {Code: "memory", Text: "c: full"},
	}}, nil)
	w := httptest.NewRecorder()
	metrics.Handler(&m.Set).ServeHTTP(w, nil)
	var found []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "postern_store_unfit{") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	if got, want := strings.Join(found, " "), `postern_store_unfit{finding="fsync"} 2 postern_store_unfit{finding="memory"} 1`; got != want {
		t.Errorf("samples = %s; want %s", got, want)
	}
}
