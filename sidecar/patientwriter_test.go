package sidecar

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestSlowTakerOverHTTP2 has a client take nothing of an answer that does not end, while it goes on with the connection, and so never lets a
// write to that wait.
func TestSlowTakerOverHTTP2(t *testing.T) {
	ended := make(chan struct{})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/endless" {
			return
		}
		defer close(ended)
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	v := serve(t, app, func(o *Options) { o.SlowClient, o.H2C, o.Guard.Public = time.Second, true, []string{"/*"} })
	client := plain(t, func(transport *http.Transport) {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	})
	resp, err := client.Get(v.GuardURL() + "/endless")
	v.must(err)
	defer resp.Body.Close()
	redistest.Eventually(t, "the answer is given up", func() bool {
		if resp, _ := v.ask(client, http.MethodGet, v.GuardURL()+"/other", "", nil); resp.StatusCode != http.StatusOK {
			t.Fatalf("another request on the connection = %d; want 200", resp.StatusCode)
		}
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("what the client took of the answer ends as if that were all")
	}
}

// deadlines notes what is asked of a stream, and that something is written.
type deadlines struct {
	http.ResponseWriter
	log []string
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	word := "none"
	if !at.IsZero() {
		word = time.Until(at).Round(time.Minute).String()
	}
	d.log = append(d.log, word)
	return nil
}

func (d *deadlines) Write(p []byte) (int, error) { d.log = append(d.log, "write"); return len(p), nil }
func (d *deadlines) FlushError() error           { d.log = append(d.log, "flush"); return nil }

// TestPatientWriter holds that each write has a deadline, and that none is left between two, as in an event stream that is quiet.
func TestPatientWriter(t *testing.T) {
	stream := &deadlines{ResponseWriter: httptest.NewRecorder()}
	w := newPatientWriter(stream, time.Hour)
	_, _ = io.WriteString(w, "data: 1\n\n")
	_ = http.NewResponseController(w).Flush()
	w.begin()
	want := []string{"1h0m0s", "write", "none", "1h0m0s", "flush", "none", "1h0m0s"}
	if !slices.Equal(stream.log, want) {
		t.Errorf("the stream was asked for %v; want %v", stream.log, want)
	}
}
