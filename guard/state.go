package guard

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// State says how a Guard is, for those who run it.
type State struct {
	Realm      string `json:"realm"`      // by id or name, as it was configured
	Found      bool   `json:"found"`      // the realm was found; it is looked for at the first request with a credential
	Fresh      bool   `json:"fresh"`      // what is remembered may be relied on, since news of revocations come in
	Remembered int    `json:"remembered"` // credentials

	Issuers []IssuerState `json:"issuers,omitempty"` // elsewhere, by name
}

// IssuerState says how the keys of an issuer elsewhere are.
type IssuerState struct {
	Name    string    `json:"name"`
	Keys    int       `json:"keys"`             // 0 = they were never had, and its tokens get 503
	Fetched time.Time `json:"fetched,omitzero"` // when they last were
}

// State returns the state of now.
func (g *Guard) State() State {
	s := State{Realm: cmp.Or(g.c.Realm, core.DefaultRealm)}
	if h := g.home.Load(); h != nil {
		s.Found, s.Fresh = true, h.watch.Fresh(g.now())
	}
	for i := range g.cache.shards {
		shard := &g.cache.shards[i]
		shard.mu.RLock()
		s.Remembered += shard.byTag.count
		shard.mu.RUnlock()
	}
	for _, f := range g.foreign {
		state := IssuerState{Name: f.Name}
		if keys := f.keys.Keys(); keys != nil {
			state.Keys, state.Fetched = keys.Len(), keys.At
		}
		s.Issuers = append(s.Issuers, state)
	}
	slices.SortFunc(s.Issuers, func(a, b IssuerState) int { return strings.Compare(a.Name, b.Name) })
	return s
}
