package core

import (
	"context"
	"sync"
)

// ranges reads several ranges and returns the members of each, or the first error. A store that is elsewhere is asked for all at once, so
// that they share a round trip; one in this process is read in turn.
func ranges(ctx context.Context, store Store, all []Range) ([][]string, error) {
	found, errs := make([][]string, len(all)), make([]error, len(all))
	var reads sync.WaitGroup
	for i, r := range all {
		read := func() { found[i], errs[i] = store.Range(ctx, r) }
		if store.Local() {
			read()
		} else {
			reads.Go(read)
		}
	}
	reads.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
