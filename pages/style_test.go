package pages_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestContrast holds that texts and the borders of fields stand out from what is behind them, by day and by night (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	style, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllSubmatch(style, -1)
	if len(schemes) != 2 {
		t.Fatalf("style.css has %d sets of colours; want those of day and night", len(schemes))
	}
	for i, scheme := range schemes {
		colours := map[string]float64{}
		for _, c := range regexp.MustCompile(`--(\w+): #(\w+)`).FindAllSubmatch(scheme[1], -1) {
			colours[string(c[1])] = luminance(t, string(c[2]))
		}
		for _, tt := range []struct {
			front, behind string
			atLeast       float64
		}{
			{"ink", "card", 4.5}, {"accent", "card", 4.5}, {"bad", "card", 4.5}, {"good", "card", 4.5},
			{"line", "card", 3},
		} {
			a, b := colours[tt.front], colours[tt.behind]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < tt.atLeast {
				t.Errorf("scheme %d: %s on %s has a contrast of %.2f; want at least %v", i, tt.front, tt.behind, contrast, tt.atLeast)
			}
		}
	}
}

// luminance returns how bright a colour of three or six hexadecimal digits is, from 0 to 1 (WCAG 2.2, "relative luminance").
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		part, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(part) / 255; c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
