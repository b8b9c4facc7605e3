package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestDraftsAreEmpty holds that an answer has nothing of the one that was drafted before it.
func TestDraftsAreEmpty(t *testing.T) {
	for range 100 { // the pool may give another
		d := newDraft(http.Header{})
		if len(d.header) > 0 || d.status != 0 || d.body.Len() > 0 {
			t.Fatalf("newDraft() = %v, %d, %q; want nothing", d.header, d.status, &d.body)
		}
		d.Header().Set("Set-Cookie", "secret")
		d.WriteHeader(201)
		_, _ = d.Write([]byte("secret"))
		sent := httptest.NewRecorder()
		d.send(sent)
		d.free()
		if sent.Code != 201 || sent.Header().Get("Set-Cookie") != "secret" || sent.Body.String() != "secret" {
			t.Fatalf("what was sent is %d, %v, %q after it was freed", sent.Code, sent.Header(), sent.Body)
		}
	}
}
