package metrics

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// mediaText is the text format's media type (Prometheus, "Exposition formats", 0.0.4).
const mediaText = "text/plain; version=0.0.4; charset=utf-8"

// Handler serves a set as text for Prometheus.
func Handler(s *Set) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaText)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(text(s.Gather())) // a scraper that left
	})
}

// escape makes a text safe within the quotes of a label, or in a line of help.
var escape = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)

// text writes families in the text format.
func text(families []Family) []byte {
	var b bytes.Buffer
	for _, f := range families {
		b.WriteString("# HELP " + f.Name + " " + escape.Replace(f.Help) + "\n# TYPE " + f.Name + " " + string(f.Kind) + "\n")
		for _, s := range f.Samples {
			b.WriteString(f.Name)
			for i, value := range s.Labels {
				b.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + f.Labels[i] + `="` + escape.Replace(value) + `"`)
			}
			if len(s.Labels) > 0 {
				b.WriteByte('}')
			}
			b.WriteString(" " + strconv.FormatFloat(s.Value, 'g', -1, 64) + "\n")
		}
	}
	return b.Bytes()
}
