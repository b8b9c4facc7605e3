package core

import (
	"crypto/rand"
	"testing"
	"time"
)

// FuzzAPIKeyText holds the judgements about a key's text together: what may be chosen is plausible once there are chosen
// keys, and what is not generated costs nothing before.
func FuzzAPIKeyText(f *testing.F) {
	d := &deps{ids: &source{random: rand.Reader, now: time.Now}}
	user := &User{ID: "usr_0000000000000000000042"}
	realm := &Realm{ID: "rl_0000000000000000000000", Partitions: 7, Settings: RealmSettings{}.withDefaults()}
	made, err := d.keyText(realm, user, GenerateAPIKey)
	if err != nil {
		f.Fatal(err)
	}
	own, _ := realm.owner(string(user.ID))
	if !realm.plausible(made) || realm.holder(made) != own {
		f.Fatalf("%q is not plausible, or not found in its user's partition", made)
	}
	for _, s := range []string{made, made[1:], "", "Zk3vQ9xLpT2mWc8RbYh5Nd", "9f86d081884c7d659a2feaa0c55ad015", "ko_Zk3vQ9xLpT2mWc8RbYh5Nd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		realm := *realm
		if realm.plausible(key) != (isGenerated(key) && isPlain(key) && len(key) <= maxAPIKeyLength) {
			t.Errorf("plausible(%q) = %v where all keys are generated", key, realm.plausible(key))
		}
		realm.ChosenKeys = true
		if checkChosen(key) == nil && !realm.plausible(key) {
			t.Errorf("%q may be chosen and is not plausible", key)
		}
		if p := realm.holder(key); p.Number < 0 || p.Number >= realm.Partitions {
			t.Errorf("holder(%q) = %v; there is no such partition", key, p)
		}
	})
}
