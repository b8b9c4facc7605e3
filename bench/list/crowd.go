package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/postern-auth/postern/core"
)

// crowd is a realm with many users.
type crowd struct {
	store  *counted
	users  *core.Users
	api    http.Handler
	realm  core.RealmID
	key    string       // a management key that may read
	answer answer       // the API's last
	sample []*core.User // a thousand of them, evenly spread over time
}

// shared is the reference that a quarter of a crowd carries.
const shared = "shared"

// fill makes n users, in an order that is no order of names.
func (c *crowd) fill(ctx context.Context, n, writers int) error {
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	errs := make([]error, writers)
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += writers {
				user, err := c.users.Create(ctx, c.realm, newcomer(order[i]), core.Request{})
				errs[w] = err
				if err == nil && i%(n/1000) == 0 {
					mu.Lock()
					c.sample = append(c.sample, user)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// newcomer is the i-th user by username. A quarter are programs, a quarter inactive, a quarter carry the shared
// reference and a quarter one of their own.
func newcomer(i int) core.UserChange {
	text := func(format string, a ...any) *string { s := fmt.Sprintf(format, a...); return &s }
	kind, state := core.UserHuman, core.StateActive
	if i%4 == 3 {
		kind = core.UserAPI
	}
	if i/4%4 == 3 {
		state = core.StateInactive
	}
	in := core.UserChange{Type: &kind, State: &state, Username: text("user-%08d", i), Email: text("user-%08d@example.com", i)}
	first, last := text("First%d", i*7919%104729), text("Last%d", i*104723%1299709)
	if kind == core.UserHuman {
		in.FirstName, in.LastName = first, last
	} else {
		in.Name = text("%s %s", *first, *last)
	}
	switch i / 16 % 4 {
	case 0:
		in.Reference = text(shared)
	case 1:
		in.Reference = text("account-%08d", i)
	}
	return in
}
