package sidecar

import (
	"net/http"
	"os"
	"testing"

	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestFirstKeyIsTold holds that the log says where the first management key lies, as long as it lies there.
func TestFirstKeyIsTold(t *testing.T) {
	data := ""
	told := func(want int) {
		t.Helper()
		v := serve(t, http.NotFoundHandler(), func(o *Options) {
			if data == "" {
				data = o.Data
			}
			o.Data = data
		})
		redistest.Eventually(t, "it serves", func() bool { return v.logged.FilterMessage("serving").Len() == 1 })
		if n := v.logged.FilterMessageSnippet("the first management key lies in a file").Len(); n != want {
			t.Errorf("the log says %d times where the first management key lies; want %d", n, want)
		}
		v.stop()
	}
	told(1)
	told(1)
	if err := os.Remove(assembly.FirstKeyLeft(data)); err != nil {
		t.Fatal(err)
	}
	told(0)
}
