package core

import (
	"bytes"
	"context"

	"github.com/postern-auth/postern/internal/fastjson"
)

// Import gives a realm the policies of another, as in has them; the realm's name stays. changed is false where it has them already,
// and then nothing is written. Nor is anything by a dry import. It fails as Update does.
func (r *Realms) Import(ctx context.Context, id RealmID, in RealmChange, dry bool, req Request) (changed bool, err error) {
	in.Name = nil
	before, _, err := r.record(ctx, id)
	if err != nil {
		return false, err
	}
	after, err := before.changed(in)
	if err != nil {
		return false, err
	}
	if changed, err = before.differs(after); !changed || err != nil {
		return false, err
	}
	if !dry {
		_, err = r.Update(ctx, id, in, req)
	} else if after.Settings.SharedEmails != before.Settings.SharedEmails {
		err = r.noUsers(ctx, before)
	}
	return err == nil, err
}

// differs reports whether there is anything to tell r and other apart by.
func (r *Realm) differs(other *Realm) (bool, error) {
	one, two := r.withDefaults(), other.withDefaults()
	one.LongestIdle = two.LongestIdle // which follows from the rest, once it is written
	a, err := fastjson.Marshal(one)
	if err != nil {
		return false, err
	}
	b, err := fastjson.Marshal(two)
	return !bytes.Equal(a, b), err
}
