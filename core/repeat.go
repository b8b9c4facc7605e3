package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How long calls that may be repeated are remembered.
const (
	// RepeatLifetime is for how long after a call began it is answered as it was at first.
	RepeatLifetime = 24 * time.Hour

	// repeatPatience is for how long whoever carries a call out is waited for; then a repetition carries it out.
	repeatPatience = 30 * time.Second

	// releasePatience is for how long it is tried to give a claim up at once.
	releasePatience = time.Second
)

// Why a repetition is not answered.
var (
	ErrRepeatDiffers = &Error{Kind: KindInvalid, Code: "idempotency_key_reused", Detail: "this idempotency key was used for another call; each call needs one of its own"}
	ErrUnderWay      = &Error{Kind: KindConflict, Code: "call_under_way", Detail: "a call with this idempotency key is under way; ask again shortly", RetryAfter: time.Second}

	// ErrAnswerTooLong says that the answer to a call could not be kept, so that nothing was done.
	ErrAnswerTooLong = &Error{Kind: KindInvalid, Code: "answer_too_long", Detail: "the answer is too long to be kept for a repetition, so nothing was done; ask for less, or send no idempotency key"}
)

// Repeats carries out calls that may be sent again, and answers a repetition as the call was answered first. Safe for
// concurrent use.
//
// A call is claimed, carried out, and concluded. The last change that it makes is held back until the answer is known, and
// the two become one Transaction: there is no moment in which the change is made and the answer lost. That Transaction
// requires the claim to be as it was made. So a call whose process died, or is only slow, can be taken over by a repetition:
// of the two, one comes to its end. What a call changed before its last change is not undone.
//
// Answers are sealed, since they may hold what is shown once; so is what tells one call from another, since passwords
// are in it.
type Repeats struct{ d *deps }

// Repeatable is a call that may be sent again.
type Repeatable struct {
	Key     *ManagementKey // of the caller; no other's calls are the same
	APT     *APTCaller     // who calls, where that is no holder of a management key
	Realm   RealmID        // that the call names; with a key for one realm it may be "", which otherwise stands for none
	Name    string         // what the caller calls this call
	Request []byte         // all that tells the call from another of the same name
}

// sum returns a digest of who calls and of the call's name.
func (in *Repeatable) sum() string {
	if in.APT != nil {
		return digest(in.APT.identity() + "\x00" + in.Name)
	}
	return digest(string(in.Key.ID) + "\x00" + in.Name)
}

// fingerprint returns a digest of all that tells the call from another of the same name. What a management key may do is part of it: one that
// may do less than when it called first is not told, from then on, what was answered it before.
func (in *Repeatable) fingerprint() [32]byte {
	all := slices.Clone(in.Request)
	if in.Key != nil {
		for _, p := range slices.Sorted(slices.Values(in.Key.Permissions)) {
			all = append(append(all, 0), p...)
		}
	}
	return sha256.Sum256(all)
}

// realm returns the realm in which the call is claimed, "" for none.
func (in *Repeatable) realm() RealmID {
	if in.APT != nil {
		return in.APT.apt.state.ID
	}
	return cmp.Or(in.Key.Realm, in.Realm)
}

// repeatable is the claim of a call, and its answer where that fits into the same partition.
type repeatable struct {
	Sum       string     `json:"sum"`   // digest of the caller and the call's name
	Try       string     `json:"try"`   // at random; who takes a call over makes another
	Until     Instant    `json:"until"` // then whoever carries it out is given up
	At        *Partition `json:"at,omitempty"`
	Answered  bool       `json:"answered,omitempty"`
	Sealed    string     `json:"sealed"` // the digest of the request and, where it is answered here, the answer, or what was noted
	ExpiresAt Instant    `json:"expires"`
}

func (r *repeatable) key(p Partition) Key { return repeatableKey(p, r.Sum) }

// repeatAnswer is the answer to a call whose last change was in another partition than its claim. One without an answer keeps
// a try that was given up from coming to its end.
type repeatAnswer struct {
	Sum    string `json:"sum"`
	Try    string `json:"try"`
	Sealed string `json:"sealed,omitempty"`
}

func (r *repeatAnswer) key(p Partition) Key { return repeatAnswerKey(p, r.Sum, r.Try) }

// try is a call being carried out.
type try struct {
	at      Partition // of the claim
	claim   *repeatable
	version uint64   // of the claim
	request [32]byte // digest
	kept    []byte   // what was noted by whoever carried the call out before: see Undertaking
	settled bool     // the claim stays as it is
}

// Once carries a call out, or returns what it was answered before, with repeated true. call returns the answer, and whether it
// is to be kept; where not, its last change is not made and a repetition is a new call. call is called again where somebody
// else changed what it changes. Once fails with ErrRepeatDiffers, ErrUnderWay and ErrAnswerTooLong, with ErrInvalidToken where a repetition
// shows an APT that worked before, and like a store.
func (r *Repeats) Once(ctx context.Context, in Repeatable, call func(context.Context) (answer []byte, keep bool)) (answer []byte, repeated bool, err error) {
	t, err := r.try(ctx, in)
	if err != nil {
		return nil, false, err
	}
	if answer, err = r.claim(ctx, t); err != nil {
		return nil, false, err
	}
	if answer != nil {
		if err := in.APT.again(ctx); err != nil {
			return nil, false, err
		}
		return answer, true, nil
	}
	defer r.release(ctx, t)
	ctx = in.APT.under(ctx)
	for try := range maxTries {
		standBack(try)
		held, w := withhold(ctx)
		answer, keep := call(held)
		last, clashed := w.end()
		switch {
		case clashed:
			continue
		case !keep:
			return answer, false, nil
		}
		err := r.conclude(ctx, t, last, answer)
		if !isConflict(err) {
			return answer, false, err
		}
	}
	return nil, false, contention()
}

// try returns a call that is not claimed yet.
func (r *Repeats) try(ctx context.Context, in Repeatable) (*try, error) {
	t := &try{request: in.fingerprint(), claim: &repeatable{Sum: in.sum()}}
	if id := in.realm(); id != "" {
		realm, err := r.d.realms.managed(ctx, id)
		if err != nil {
			return nil, err
		}
		t.at = realm.partition(bucketOfText(t.claim.Sum))
	}
	return t, nil
}

// claim makes a call this process's to carry out. It returns the answer instead where there is one.
func (r *Repeats) claim(ctx context.Context, t *try) (answer []byte, err error) {
	err = retry(func() error {
		now, err := r.d.clock.now()
		if err != nil {
			return err
		}
		before := &repeatable{Sum: t.claim.Sum}
		t.kept = nil
		version, found, err := r.d.load(ctx, before.key(t.at), before)
		if err != nil {
			return fmt.Errorf("core: claim call: %w", err)
		}
		if found && now.Before(before.ExpiresAt.Time) {
			if answer, err = r.answer(ctx, t, before); err != nil || answer != nil {
				return err
			}
			if now.Before(before.Until.Time) {
				return ErrUnderWay
			}
			if err := r.giveUp(ctx, before, now); err != nil {
				return err
			}
		}
		if err := r.begin(t, now); err != nil {
			return err
		}
		return r.put(ctx, t, version, now)
	})
	return answer, err
}

// begin gives a try its claim.
func (r *Repeats) begin(t *try, now time.Time) (err error) {
	c := &repeatable{Sum: t.claim.Sum, Until: Instant{now.Add(repeatPatience)}, ExpiresAt: Instant{now.Add(RepeatLifetime)}}
	if c.Try, err = r.d.ids.text(idLength); err != nil {
		return err
	}
	c.Sealed, err = r.seal(c.key(t.at), t.request, t.kept)
	t.claim = c
	return err
}

// put writes a claim in the place of the version that was read. Where it says that the answer is elsewhere, its loss would let
// the call be carried out twice.
func (r *Repeats) put(ctx context.Context, t *try, version uint64, now time.Time) error {
	c := r.d.change(t.at, now)
	c.replace(t.claim, version, t.claim.ExpiresAt.Time)
	c.tx.Durable = t.claim.At != nil
	put, err := c.committed(ctx)
	if err == nil {
		t.version = put
	}
	return err
}

// answer returns what a call was answered, or nil where it was not yet. It fails with ErrRepeatDiffers.
func (r *Repeats) answer(ctx context.Context, t *try, claim *repeatable) ([]byte, error) {
	answer, err := r.open(claim.key(t.at), claim.Sealed, t.request)
	if err != nil || claim.Answered {
		return answer, err
	}
	if claim.At == nil {
		t.kept = answer
		return nil, nil
	}
	kept := &repeatAnswer{Sum: claim.Sum, Try: claim.Try}
	key := kept.key(*claim.At)
	_, found, err := r.d.load(ctx, key, kept)
	if err != nil || !found || kept.Sealed == "" {
		return nil, err
	}
	return r.open(key, kept.Sealed, t.request)
}

// giveUp keeps a try that was not heard of for long from coming to its end elsewhere; here the claim's version does that.
func (r *Repeats) giveUp(ctx context.Context, claim *repeatable, now time.Time) error {
	if claim.At == nil {
		return nil
	}
	c := r.d.change(*claim.At, now)
	void := &repeatAnswer{Sum: claim.Sum, Try: claim.Try}
	key := void.key(*claim.At)
	_, found, err := r.d.load(ctx, key, void)
	switch {
	case err != nil:
		return err
	case found && void.Sealed != "": // it came to its end after all
		return &ConflictError{key}
	case found:
		return nil
	}
	c.create(void, claim.ExpiresAt.Time)
	return c.commit(ctx)
}

// conclude carries out a call's last change, which may be none, together with its answer. A *ConflictError says that
// somebody else changed what the call changes.
func (r *Repeats) conclude(ctx context.Context, t *try, last *change, answer []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // whoever has gone will ask again
	defer cancel()
	now, err := r.d.clock.now()
	if err != nil {
		return err
	}
	if last == nil {
		last = r.d.change(t.at, now)
	}
	if last.tx.Partition == t.at {
		answered := *t.claim
		answered.Answered = true
		if answered.Sealed, err = r.seal(answered.key(t.at), t.request, answer); err != nil {
			return err
		}
		last.replace(&answered, t.version, answered.ExpiresAt.Time)
		_, err = last.carryOut(ctx)
		return t.end(answered.key(t.at), err)
	}
	kept := &repeatAnswer{Sum: t.claim.Sum, Try: t.claim.Try}
	key := kept.key(last.tx.Partition)
	if kept.Sealed, err = r.seal(key, t.request, answer); err != nil {
		return err
	}
	if t.claim.At == nil || *t.claim.At != last.tx.Partition {
		t.claim.At = &last.tx.Partition
		if err := r.put(ctx, t, t.version, now); err != nil {
			return t.end(t.claim.key(t.at), err)
		}
	}
	last.create(kept, t.claim.ExpiresAt.Time)
	_, err = last.carryOut(ctx)
	return t.end(key, err)
}

// end notes how a try ended. One that was given up meanwhile, as its claim or its answer says, is no longer this process's;
// one of which nothing is known is left to whoever asks again.
func (t *try) end(mark Key, err error) error {
	if conflictOn(err, mark) {
		t.settled = true
		return ErrUnderWay
	}
	t.settled = err == nil || !isConflict(err) && !errors.Is(err, ErrUnavailable)
	return err
}

// release forgets a claim of which nothing came, so that a repetition need not wait. Whatever keeps it from that, the claim
// is given up in time.
func (r *Repeats) release(ctx context.Context, t *try) {
	if t.settled {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer cancel()
	now, err := r.d.clock.now()
	if err != nil {
		return
	}
	c := r.d.change(t.at, now)
	c.remove(t.claim.key(t.at), t.version)
	_ = c.commit(ctx)
}

// seal seals the digest of a request with its answer, or with none yet, for a record. It fails with ErrAnswerTooLong.
func (r *Repeats) seal(key Key, request [32]byte, answer []byte) (string, error) {
	sealed, err := r.d.master.seal(r.d.random, key.Name, append(request[:], answer...))
	if len(sealed) > MaxValueSize-1<<10 { // what else the record has fits into the rest
		return "", ErrAnswerTooLong
	}
	return sealed, err
}

// open returns what seal sealed, or ErrRepeatDiffers where that was of another request.
func (r *Repeats) open(key Key, sealed string, request [32]byte) ([]byte, error) {
	text, err := r.d.master.open(key.Name, sealed)
	if err != nil {
		return nil, err
	}
	if len(text) < len(request) || subtle.ConstantTimeCompare(text[:len(request)], request[:]) != 1 {
		return nil, ErrRepeatDiffers
	}
	return text[len(request):], nil
}
