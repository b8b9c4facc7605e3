package core_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestRealmNamesAreUnique gives realms the name of another, at once and one after the other. Guards and pages are told of realms by
// name, and whoever manages one realm may rename it.
func TestRealmNamesAreUnique(t *testing.T) {
	each(t, func(w *world) {
		taken := func(what string, err error) {
			t.Helper()
			if e, is := errors.AsType[*core.Error](err); !is || e.Kind != core.KindInvalid {
				t.Errorf("%s = %v; want it refused", what, err)
			}
		}
		create := func(name string) (*core.Realm, error) {
			return w.Realms.Create(w.ctx, core.NewRealm{Name: name}, core.Request{})
		}
		rename := func(realm *core.Realm, name string) error {
			_, err := w.Realms.Update(w.ctx, realm.ID, core.RealmChange{Name: &name}, core.Request{})
			return err
		}
		mine, err := create("mine")
		w.must(err)
		for _, name := range []string{core.DefaultRealm, " default ", "mine", string(w.realm.ID), strings.ToUpper(string(w.realm.ID)), "rl_x", "\u202edefault", "default\u200b", "a\nb", ""} {
			_, err := create(name)
			taken("a realm called "+name, err)
			if strings.TrimSpace(name) != "mine" {
				taken("to call a realm "+name, rename(mine, name))
			}
		}
		if found, err := w.Realms.Find(w.ctx, core.DefaultRealm); err != nil || found.ID != w.realm.ID {
			t.Errorf("Find(default) = %v, %v; want the first realm", found, err)
		}
		w.must(rename(w.realm, "shop")) // which goes by its former name too
		_, err = create(core.DefaultRealm)
		taken("a realm called as the first was", err)
		taken("to call a realm as the first was", rename(mine, core.DefaultRealm))
		for _, name := range []string{core.DefaultRealm, "shop"} {
			if found, err := w.Realms.Find(w.ctx, name); err != nil || found.ID != w.realm.ID {
				t.Errorf("Find(%s) of the first realm, renamed = %v, %v", name, found, err)
			}
		}
		w.must(rename(w.realm, core.DefaultRealm))
		w.must(rename(mine, "mine")) // its own
		w.must(rename(mine, "yours"))
		again, err := create("mine")
		w.must(err)
		w.must(w.Realms.Delete(w.ctx, again.ID, core.Request{}))
		w.must(rename(mine, "mine"))

		var made atomic.Int64
		var work sync.WaitGroup
		for i := range 20 {
			work.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = create("one")
				} else {
					err = rename(mine, "one")
				}
				if i%2 == 0 && err == nil {
					made.Add(1)
				} else if i%2 == 0 { // ten renames of one realm may also stand in each other's way
					taken("at once with others, one", err)
				}
			})
		}
		work.Wait()
		found, err := w.Realms.Find(w.ctx, "one")
		w.must(err)
		if found.ID == mine.ID && made.Load() != 0 || found.ID != mine.ID && made.Load() != 1 {
			t.Errorf("%d realms called one were made, and Find finds %s; want one of that name", made.Load(), found.ID)
		}
	})
}
