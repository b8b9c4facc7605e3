package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The flood of sign-ins comes from a process of its own, as it would from elsewhere: who watches meanwhile must not wait for its own threads.

// caller calls the API.
type caller struct {
	API, Key string // URL, and a management key
	client   *http.Client
}

// newClient returns a client that keeps a connection for each user of a flood.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * floodUsers}, Timeout: 30 * time.Second}
}

// call sends a call to the API, and returns the status.
func (c *caller) call(ctx context.Context, path, body string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.API+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Authrocket-Api-Key": {c.Key}, "X-Authrocket-Realm": {"default"}}
	return c.send(r)
}

// send sends a request and reads the answer.
func (c *caller) send(r *http.Request) (int, error) {
	res, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

// comesAgain is after how long on average whoever is refused for want of a slot comes again: a flood does not wait for as long as it
// is told to. Each waits for half of it and up to as much again. With one pause for all, those who were refused together came again together,
// forty in one moment, ten times a second: what guarded requests waited for then was that crowd, and not the hashing.
const comesAgain = 100 * time.Millisecond

// signIns signs one user in until ctx ends.
func (c *caller) signIns(ctx context.Context, user int, in, refused *atomic.Int64) {
	body := fmt.Sprintf(`{"password":%q}`, floodPassword)
	for ctx.Err() == nil {
		switch status, err := c.call(ctx, fmt.Sprintf("/users/flood-%d/authenticate", user), body); {
		case err == nil && status == http.StatusOK:
			in.Add(1)
		default:
			refused.Add(1)
			time.Sleep(comesAgain/2 + rand.N(comesAgain))
		}
	}
}

// flood is what came of one.
type flood struct {
	In      int64   `json:"in"`
	Refused int64   `json:"refused"`
	Seconds float64 `json:"seconds"`
}

// makeFlood is the process's side: it is told whom to call, says when all users are at it, and what came of it when nobody wants more.
func makeFlood(in io.Reader, out io.Writer) error {
	c := caller{client: newClient()}
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	if err := orders.Decode(&c); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var signedIn, refused atomic.Int64
	var all sync.WaitGroup
	for i := range floodUsers {
		all.Go(func() { c.signIns(ctx, i, &signedIn, &refused) })
	}
	time.Sleep(time.Second)
	before, begun := flood{In: signedIn.Load(), Refused: refused.Load()}, time.Now()
	if err := answers.Encode(before); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in) // until it is closed
	came := flood{signedIn.Load() - before.In, refused.Load() - before.Refused, time.Since(begun).Seconds()}
	stop()
	all.Wait()
	return answers.Encode(came)
}

// during runs a flood, and do once it has begun.
func (b *bench) during(c *caller, do func() error) (came flood, err error) {
	p, orders, answers, err := b.play(anyCore, "flood")
	if err != nil {
		return came, err
	}
	defer p.stop()
	defer answers.Close()
	read := json.NewDecoder(answers)
	if err = errors.Join(json.NewEncoder(orders).Encode(c), read.Decode(&came)); err != nil {
		return came, fmt.Errorf("the flood: %w: %s", err, p.Said())
	}
	err = do()
	return came, errors.Join(err, orders.Close(), read.Decode(&came))
}
