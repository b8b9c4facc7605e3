package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Stream is something that a running server writes for a command line.
type Stream func(ctx context.Context, w io.Writer) error

// pour answers with what a stream writes. One that fails once it has begun is cut short, which whoever reads it notices.
func pour(w http.ResponseWriter, r *http.Request, write Stream) {
	out := &begun{Writer: w}
	switch err := write(r.Context(), out); {
	case err == nil:
	case out.wrote:
		panic(http.ErrAbortHandler)
	default:
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	}
}

// begun notes that something was written.
type begun struct {
	io.Writer
	wrote bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.Writer.Write(p)
}

// Fetch writes to w what the server that runs over a data folder writes for name. It returns ErrNobody, with nothing written, where none
// runs. After another error w may have a part of it.
func Fetch(ctx context.Context, folder, name string, w io.Writer) error {
	res, done, err := ask(ctx, folder, name, nil)
	if err != nil {
		return err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		_, err := said(res)
		return err
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the running server did not finish its answer: %w", err)
	}
	return nil
}
