package guard

import (
	"context"
	"io"
	"net/http"
)

// strippedBody is a request's body after which no identity follows. Trailers come when the body has been read, long after its headers
// were judged, and net/http keeps those that nobody announced beside those that were.
type strippedBody struct {
	io.ReadCloser
	names   *Names
	trailer http.Header
}

// Read removes the trailers in the very call that ends the body: whoever passes them on looks at them then.
func (b *strippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.names.strip(b.trailer)
	}
	return n, err
}

// withoutTrailers returns a copy of r, in a context, without identity in its trailers: both those that were announced and those that are
// still to come. A request that announced none shows none: its copy, which is all that those behind see, has nowhere to keep them.
func (n *Names) withoutTrailers(r *http.Request, ctx context.Context) *http.Request {
	r = r.WithContext(ctx)
	if r.Trailer == nil {
		return r
	}
	n.strip(r.Trailer)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &strippedBody{r.Body, n, r.Trailer}
	}
	return r
}

// bare is withoutTrailers for what v allows, which may be to pass without its body.
func (n *Names) bare(r *http.Request, v *Verdict, ctx context.Context) *http.Request {
	r = n.withoutTrailers(r, ctx)
	if v.bodiless {
		r.Body, r.ContentLength, r.Trailer = http.NoBody, 0, nil
	}
	return r
}

// mayHaveTrailers reports whether there may be trailers, which follow a body.
func mayHaveTrailers(r *http.Request) bool { return r.Body != http.NoBody || r.Trailer != nil }
