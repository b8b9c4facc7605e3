package boltstore

import (
	"cmp"
	"context"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// Backup writes the whole file to w as it is at one moment, whatever is written to the store meanwhile: Open opens what it wrote. Until it
// is done, what others delete takes room in the file, so that w had better not be slow. It ends with ctx.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	out := &during{ctx: ctx, to: w}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(out)
		return err
	})
	if err != nil {
		return fmt.Errorf("boltstore: backup: %w", cmp.Or(out.err, err)) // bbolt keeps but the text of what a writer says
	}
	return nil
}

// during writes for as long as a context is not done.
type during struct {
	ctx context.Context
	to  io.Writer
	err error // the first
}

// Write writes, unless the context is done.
func (d *during) Write(p []byte) (n int, err error) {
	if err = d.ctx.Err(); err == nil {
		n, err = d.to.Write(p)
	}
	d.err = cmp.Or(d.err, err)
	return n, err
}
