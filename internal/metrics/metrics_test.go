package metrics

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestText writes what was counted and measured as Prometheus reads it.
func TestText(t *testing.T) {
	var s Set
	c := s.Counters("postern_b_total", "What \\ was\ncounted.", "realm", "reason")
	c.With("r1", `say "no"`).Add()
	c.With("r1", `say "no"`).Add()
	c.With("r0", "").Add()
	s.Gauge("postern_a", "What is.", nil, func() []Sample { return []Sample{{nil, 1.5}} })
	s.Counters("postern_c_total", "Nothing yet.")
	w := httptest.NewRecorder()
	Handler(&s).ServeHTTP(w, nil)
	want := `# HELP postern_a What is.
# TYPE postern_a gauge
postern_a 1.5
# HELP postern_b_total What \\ was\ncounted.
# TYPE postern_b_total counter
postern_b_total{realm="r0",reason=""} 1
postern_b_total{realm="r1",reason="say \"no\""} 2
# HELP postern_c_total Nothing yet.
# TYPE postern_c_total counter
`
	if got := w.Body.String(); got != want {
		t.Errorf("text =\n%s\nwant\n%s", got, want)
	}
}

// TestCountersAreBounded holds that labels which take too many values cost no memory without end, and lose no count.
func TestCountersAreBounded(t *testing.T) {
	var s Set
	c := s.Counters("postern_total", "Everything.", "what")
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for i := range maxCounters {
				c.With(fmt.Sprint(g, "-", i)).Add()
			}
		})
	}
	work.Wait()
	sum := 0.0
	samples := s.Gather()[0].Samples
	for _, one := range samples {
		sum += one.Value
	}
	if len(samples) > maxCounters+1 || sum != 4*maxCounters {
		t.Errorf("%d samples that sum up to %v; want at most %d, and %d", len(samples), sum, maxCounters+1, 4*maxCounters)
	}
}
