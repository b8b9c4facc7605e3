package attack

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Two kinds of request are told apart by time where the quick or the middle ones of one take longer than those of the other by more than
// tellingGap, and chance alone would hardly ever part them so. The slow ones are left out of the gap: they are the machine's
// doing, and whoever asks often enough looks at the others too.
const (
	tellingGap = 0.05
	tellingP   = 0.001
)

// difference is how the times of one kind of request lie to those of another.
type difference struct {
	median float64 // how much longer it takes in the middle, as a part of what the other takes
	quick  float64 // the same of the means of the quickest quarters
	p      float64 // of Mann and Whitney
}

// between compares the times of a kind with those of another.
func between(times, others []float64) difference {
	times, others = slices.Sorted(slices.Values(times)), slices.Sorted(slices.Values(others))
	return difference{
		median: times[len(times)/2]/others[len(others)/2] - 1,
		quick:  mean(times[:len(times)/4])/mean(others[:len(others)/4]) - 1,
		p:      mannWhitney(times, others),
	}
}

// tells returns 1 where the first kind takes longer, -1 where the second does, and 0 where they cannot be told apart.
func (d difference) tells() int {
	gap := d.median
	if math.Abs(d.quick) > math.Abs(gap) {
		gap = d.quick
	}
	switch {
	case d.p >= tellingP || math.Abs(gap) <= tellingGap:
		return 0
	case gap > 0:
		return 1
	}
	return -1
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// mannWhitney returns how likely two sorted samples of one distribution differ as these do, or more (two-sided, by the normal
// approximation).
func mannWhitney(a, b []float64) float64 {
	u, less, most := 0.0, 0, 0
	for _, x := range a {
		for less < len(b) && b[less] < x {
			less++
		}
		for most < len(b) && b[most] <= x {
			most++
		}
		u += float64(less+most) / 2
	}
	n, m := float64(len(a)), float64(len(b))
	return math.Erfc(math.Abs(u-n*m/2) / math.Sqrt(n*m*(n+m+1)/12) / math.Sqrt2)
}

// TestStatistics holds the statistics against times that were drawn: what takes 8 % longer is found, what does not is not, on a quiet machine and
// on one where every tenth request is disturbed.
func TestStatistics(t *testing.T) {
	const rounds, size = 500, 400
	for _, tt := range []struct {
		name                string
		longer, noise, slow float64
		least, most         int // of the rounds in which it is told
	}{
		{"alike", 1, 0.05, 0, 0, 0},
		{"alike, noisy", 1, 0.2, 0.1, 0, 2},
		{"1 % longer", 1.01, 0.05, 0, 0, 0},
		{"8 % longer", 1.08, 0.05, 0, rounds, rounds},
		{"8 % shorter", 0.92, 0.05, 0, rounds, rounds},
		{"8 % longer, noisy", 1.08, 0.15, 0.1, rounds * 9 / 10, rounds},
		{"no hash at all", 0.3, 0.2, 0.1, rounds, rounds},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		draw := func(longer float64) []float64 {
			times := make([]float64, size)
			for i := range times {
				if times[i] = longer * math.Exp(tt.noise*random.NormFloat64()); random.Float64() < tt.slow {
					times[i] *= 1 + 5*random.Float64()
				}
			}
			return times
		}
		told := 0
		for range rounds {
			want := 1
			if tt.longer < 1 {
				want = -1
			}
			if between(draw(tt.longer), draw(1)).tells() == want {
				told++
			}
		}
		if told < tt.least || told > tt.most {
			t.Errorf("%s: told in %d rounds of %d; want %d to %d", tt.name, told, rounds, tt.least, tt.most)
		}
	}
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
