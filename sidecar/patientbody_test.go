package sidecar

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestBodyStaysEnded asks a body that has ended for more when the answer has begun, at which the server closes it: a proxy does so where the app is
// quick. Were it told anything but the end, it would give up its connection to the app, and with that the rest of the answer.
func TestBodyStaysEnded(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || string(text) != "body" {
			t.Errorf("the body = %q, %v; want body", text, err)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush = %v", err)
		}
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("a read after the answer has begun = %d, %v; want 0, EOF", n, err)
		}
	})
	server := httptest.NewServer(&edge{patient: time.Minute, next: app})
	defer server.Close()
	resp, err := server.Client().Post(server.URL, "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
