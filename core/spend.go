package core

import (
	"context"
	"fmt"
)

// spentAPT marks an APT that must not work again. What was spent is not kept, only a digest of it.
type spentAPT struct {
	Realm RealmID `json:"realm"`
	Name  string  `json:"mark"` // of its own record
}

func (s *spentAPT) key(p Partition) Key { return Key{p, s.Name} }

// errSpent says that an APT worked before and works no more.
var errSpent = ErrInvalidToken.with("this APT was used before")

// mark returns the mark of an APT that is used for an operation on a user in partition p, and where it belongs. An APT with
// a jti works once in its environment; one without works once for each arbitrary_id that it creates or deletes, so that a
// captured one cannot bring a deleted user back. It is known by what was signed: of an ECDSA signature anybody can make another.
func (a *apt) mark(p Partition, operation, arbitraryID string) (*spentAPT, Partition) {
	what := operation + "\x00" + arbitraryID + "\x00" + a.said
	if a.id != "" {
		what = "jti\x00" + a.id
		p = a.state.partition(bucketOfText(what))
	}
	return &spentAPT{Realm: a.state.ID, Name: spentKey(p, what).Name}, p
}

// spend makes c spend the APT and returns the key of the mark, on which c then fails if it was spent before. A mark that
// belongs in another partition is made before c, and stays even if c fails.
func (a *APTs) spend(ctx context.Context, c *change, apt *apt, operation, arbitraryID string) (Key, error) {
	mark, at := apt.mark(c.tx.Partition, operation, arbitraryID)
	if at != c.tx.Partition {
		return mark.key(at), a.spendAt(ctx, at, mark, apt)
	}
	c.create(mark, apt.expires)
	c.tx.Durable = true
	return mark.key(at), nil
}

// spendJTI spends an APT that reissues, if it has a jti. Without one it may be used again within its time: clients that
// retry, or that reissue twice in a second, send the same.
func (a *APTs) spendJTI(ctx context.Context, apt *apt) error {
	if apt.id == "" {
		return nil
	}
	mark, at := apt.mark(Partition{}, "", "")
	return a.spendAt(ctx, at, mark, apt)
}

// spendAt makes a mark in a Transaction of its own, which is not held back: see Repeats. A call that is carried out anew because
// something else came before its change has made it already.
func (a *APTs) spendAt(ctx context.Context, at Partition, mark *spentAPT, apt *apt) error {
	caller := aptCallerUnder(ctx)
	if caller != nil && caller.spent == mark.key(at) {
		return nil
	}
	c := a.d.change(at, apt.now)
	c.create(mark, apt.expires)
	c.tx.Durable = true
	_, err := c.committed(ctx)
	if err == nil && caller != nil {
		caller.spent = mark.key(at)
	}
	if isConflict(err) {
		return errSpent
	}
	if err != nil {
		return fmt.Errorf("core: spend APT: %w", err)
	}
	return nil
}
