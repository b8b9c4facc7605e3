package openapi_test

import (
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi"
	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// TestDocument reads the document as a client would.
func TestDocument(t *testing.T) {
	d, err := conform.Read(openapi.JSON().Plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Operations()) == 0 {
		t.Error("the document has no operation")
	}
}
