package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/fastjson"
)

// eventSecret is what events are sealed with: 32 random bytes, made when the first event is read, that lie in the store
// under the master key alone.
type eventSecret struct {
	Sealed string `json:"sealed"`
}

func (*eventSecret) key(Partition) Key { return eventSecretKey() }

// open returns the bytes.
func (s *eventSecret) open(d *deps) ([]byte, error) {
	return d.master.open(eventSecretKey().Name, s.Sealed)
}

// eventSealer makes the seals of events and of what says where a chain of them begins and ends: HMAC-SHA256, of which the
// first half is kept. It is for one goroutine.
type eventSealer struct {
	mac  hash.Hash
	room []byte // for what is sealed; none is made for each event
}

func newEventSealer(secret []byte) *eventSealer {
	return &eventSealer{mac: hmac.New(sha256.New, secret)}
}

// linkLength is how long a seal is: 16 bytes in base64url.
const linkLength = 22

// seal returns the seal of something, of which kind tells what it is. Only the last part may hold a NUL.
func (s *eventSealer) seal(kind string, parts ...string) string {
	s.begin(kind)
	for _, part := range parts {
		s.room = append(append(s.room, 0), part...)
	}
	return s.done()
}

// begin begins the text of a seal in s.room.
func (s *eventSealer) begin(kind string) { s.room = append(s.room[:0], kind...) }

// done returns the seal of what is in s.room.
func (s *eventSealer) done() string {
	s.mac.Reset()
	_, _ = s.mac.Write(s.room)
	s.room = s.mac.Sum(s.room[:0])
	return base64.RawURLEncoding.EncodeToString(s.room[:sha256.Size/2])
}

// link returns the link of an event in a partition, whose record begins with body.
func (s *eventSealer) link(p Partition, body []byte) string {
	s.begin("event")
	s.room = append(append(s.room, 0), p.String()...)
	s.room = append(append(s.room, 0), body...)
	return s.done()
}

// holds reports whether seal is the one that is wanted.
func (s *eventSealer) holds(seal, wanted string) bool {
	return hmac.Equal([]byte(seal), []byte(wanted))
}

// The record of a sealed event is its JSON with the link as the last field, so that the bytes before it are what the link seals.
const (
	linkBegin = `,"link":"`
	linkEnd   = `"}`
)

// usualEvent is how many bytes the records of most events have room in.
const usualEvent = 256

// withLink returns the record of an event that is sealed.
func withLink(body []byte, link string) []byte {
	body = append(body[:len(body)-1], linkBegin...) // less the brace that ends it
	return append(append(body, link...), linkEnd...)
}

// genuine returns whether the record of an event in a partition is as it was sealed.
func (s *eventSealer) genuine(p Partition, record []byte) bool {
	body, link, ok := splitLink(record)
	return ok && s.holds(link, s.link(p, body))
}

// splitLink undoes withLink, but for the brace. It reports false for what is no record of a sealed event.
func splitLink(record []byte) (body []byte, link string, ok bool) {
	n := len(record) - len(linkBegin) - linkLength - len(linkEnd)
	if n < 0 {
		return nil, "", false
	}
	tail := string(record[n:])
	tail, begins := strings.CutPrefix(tail, linkBegin)
	link, ends := strings.CutSuffix(tail, linkEnd)
	return record[:n], link, begins && ends
}

// eventSealer returns what seals events. It is remembered, unless fresh asks for what is in the store now: it is made where
// there is none yet.
func (d *deps) eventSealer(ctx context.Context, fresh bool) (*eventSealer, error) {
	if secret := d.eventSecret.Load(); secret != nil && !fresh {
		return newEventSealer(*secret), nil
	}
	var secret []byte
	err := retry(func() (err error) {
		kept := &eventSecret{}
		_, found, err := d.load(ctx, eventSecretKey(), kept)
		if err != nil {
			return fmt.Errorf("core: key of events: %w", err)
		}
		if found {
			secret, err = kept.open(d)
		} else {
			secret, err = d.newEventSecret(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d.eventSecret.Store(&secret)
	return newEventSealer(secret), nil
}

// newEventSecret makes what events are sealed with.
func (d *deps) newEventSecret(ctx context.Context) ([]byte, error) {
	now, err := d.clock.now()
	if err != nil {
		return nil, err
	}
	secret := make([]byte, sha256.Size)
	if _, err := io.ReadFull(d.random, secret); err != nil {
		return nil, fmt.Errorf("core: make key of events: %w", err)
	}
	sealed, err := d.master.seal(d.random, eventSecretKey().Name, secret)
	if err != nil {
		return nil, err
	}
	c := d.change(Partition{}, now)
	c.create(&eventSecret{Sealed: sealed}, noExpiry)
	_, err = c.committed(ctx)
	return secret, err
}

// resealEventSecret seals what events are sealed with under the current master key, and returns how many keys that were.
func (d *deps) resealEventSecret(ctx context.Context) (int, error) {
	now, err := d.clock.now()
	if err != nil {
		return 0, err
	}
	kept := &eventSecret{}
	version, found, err := d.load(ctx, eventSecretKey(), kept)
	if err != nil || !found || d.master.sealedHere(kept.Sealed) {
		return 0, err
	}
	secret, err := kept.open(d)
	if err != nil {
		return 0, err
	}
	if kept.Sealed, err = d.master.seal(d.random, eventSecretKey().Name, secret); err != nil {
		return 0, err
	}
	c := d.change(Partition{}, now)
	c.replace(kept, version, noExpiry)
	return 1, c.commit(ctx)
}

// eventChain says where the chain of a realm's events in a partition ends. Whoever reads the log gives each event the next
// number, the link of the one before, and a link of its own that seals both with all that it says. So each can be held
// against its own link, and any link stands for all events up to it.
type eventChain struct {
	Realm  RealmID `json:"realm,omitempty"`
	Began  Instant `json:"began"`
	Number uint64  `json:"n"`    // of the last event
	Link   string  `json:"link"` // its, or what the first event follows
	Seal   string  `json:"seal"` // of all this

	// Altered is when somebody read this who found that it had been changed in the store. The chain goes on, and this stays to tell of it.
	Altered Instant `json:"altered,omitzero"`
}

func (c *eventChain) key(p Partition) Key { return eventChainKey(p, c.Realm) }

// start returns what the first event follows: no other chain's does.
func (c *eventChain) start(s *eventSealer, p Partition) string {
	return s.seal("start", p.String(), string(c.Realm), millis(c.Began))
}

// sealed returns the seal that c should have.
func (c *eventChain) sealed(s *eventSealer, p Partition) string {
	return s.seal("end", c.start(s, p), strconv.FormatUint(c.Number, 10), c.Link, millis(c.Altered))
}

// holds reports whether c is as it was sealed.
func (c *eventChain) holds(s *eventSealer, p Partition) bool {
	return s.holds(c.Seal, c.sealed(s, p))
}

// add seals an event as the next of c and returns its record.
func (c *eventChain) add(s *eventSealer, p Partition, e *Event) ([]byte, error) {
	e.Number, e.After, e.Link = c.Number+1, c.Link, ""
	body, err := fastjson.Append(make([]byte, 0, usualEvent), e)
	if err != nil {
		return nil, err
	}
	e.Link = s.link(p, body[:len(body)-1])
	c.Number, c.Link = e.Number, e.Link
	return withLink(body, e.Link), nil
}

// eventFloor says up to where events were removed from a chain, since their realm keeps them no longer.
type eventFloor struct {
	Realm  RealmID `json:"realm,omitempty"`
	Number uint64  `json:"n"`    // the highest of those removed; a few before it may be there still, and go soon
	Seal   string  `json:"seal"` // of all this
}

func (f *eventFloor) key(p Partition) Key { return eventFloorKey(p, f.Realm) }

// sealed returns the seal that f should have.
func (f *eventFloor) sealed(s *eventSealer, p Partition) string {
	return s.seal("floor", p.String(), string(f.Realm), strconv.FormatUint(f.Number, 10))
}

// millis writes an Instant as its record does.
func millis(t Instant) string { return strconv.FormatInt(t.UnixMilli(), 10) }
