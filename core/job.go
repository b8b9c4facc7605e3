package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// job is work that is too large for one Transaction, such as the deletion of a realm. The Transaction that decides on
// it leaves a tombstone, so that what is to go is gone for everybody at once, and queues the job. Then whoever holds
// the lease does it, a step at a time: every step is one Transaction of at most MaxOperations, conditional on what it
// read, and finds out from the store what is left to do. So a job may be interrupted anywhere, done by two at once, or
// finished by another process.
//
// Jobs lie in the system partition. Where a tombstone lies elsewhere, the job is queued first, and its first step puts
// the tombstone if it is not there.
type job struct {
	ID        JobID   `json:"id"`
	Kind      jobKind `json:"kind"`
	Realm     RealmID `json:"realm"`
	Subject   string  `json:"subject,omitempty"` // what it is about, where that is not the realm
	Request   Request `json:"request,omitzero"`
	CreatedAt Instant `json:"created"`
}

func (j *job) key(Partition) Key { return jobKey(j.ID) }

// jobKind says what is to be done.
type jobKind string

// progress is what a step of a job came to.
type progress int

const (
	jobMore  progress = iota // there is more to do
	jobRests                 // there will be, later
	jobDone                  // it is done, and forgotten
)

// jobs does jobs. Safe for concurrent use.
type jobs struct {
	d     *deps
	steps map[jobKind]func(context.Context, *job) (progress, error)
}

// does says how a step of a kind of job is done. It is called while a Core is put together.
func (j *jobs) does(kind jobKind, step func(context.Context, *job) (progress, error)) {
	j.steps[kind] = step
}

// queue adds a new job to c, a change of the system partition, and returns it.
func (c *change) queue(kind jobKind, realm RealmID, subject string, req Request) *job {
	b, _ := bucketOf(string(realm))
	id, err := c.d.ids.id(prefixJob, b)
	c.err = errors.Join(c.err, err)
	j := &job{ID: JobID(id), Kind: kind, Realm: realm, Subject: subject, Request: req.clean(), CreatedAt: Instant{c.tx.Now}}
	c.create(j, noExpiry)
	c.index(indexJobs, id)
	return j
}

// leaseJobs names the lease of whoever does jobs.
const leaseJobs = "jobs"

// Jobs are looked for every jobPause, and done for jobRound at a time, well within a lease.
const (
	jobPause = time.Second
	jobRound = 4 * time.Second
)

// run does what is queued, while this process holds the lease, until ctx ends.
func (j *jobs) run(ctx context.Context) {
	at := JobID("")
	j.d.whileLeased(ctx, leaseJobs, jobPause, func(ctx context.Context) (err error) {
		soon, cancel := context.WithTimeout(ctx, jobRound)
		defer cancel()
		at, err = j.all(ctx, soon, at)
		return err
	})
}

// all does what is queued until soon ends: from the job after one on, some at a time, and at the end from the oldest on. It returns
// which it came to, so that the next call goes on from there: however many jobs fail or take long, each has its turn.
func (j *jobs) all(ctx, soon context.Context, after JobID) (at JobID, err error) {
	var errs []error
	around := after == ""
	for at = after; ; {
		queue, err := j.list(ctx, at)
		switch {
		case err == nil && len(queue) == 0 && !around:
			at, around = "", true
			continue
		case len(queue) == 0:
			return at, errors.Join(append(errs, err)...)
		}
		looked, err := j.some(ctx, soon, queue)
		at, errs = queue[looked-1].id, append(errs, err)
		if soon.Err() != nil || around && after != "" && at >= after {
			return at, errors.Join(errs...)
		}
	}
}

// some does a step of each of some jobs, and again until soon ends, so that a small job need not wait for a large
// one. A job that fails is left for another call. It returns how many had a turn, at least one.
func (j *jobs) some(ctx, soon context.Context, queue []queued) (looked int, err error) {
	var errs []error
	for first := true; len(queue) > 0; first = false {
		var again []queued
		for _, q := range queue {
			p, err := jobRests, q.err
			if q.job != nil {
				p, err = j.step(ctx, q.job)
			}
			errs = append(errs, err)
			if err == nil && p == jobMore {
				again = append(again, q)
			}
			if first {
				looked++
			}
			if soon.Err() != nil {
				return looked, errors.Join(errs...)
			}
		}
		queue = again
	}
	return looked, errors.Join(errs...)
}

// finish does steps of one job until it is done or ctx ends, and reports whether it is.
func (j *jobs) finish(ctx context.Context, job *job) (bool, error) {
	for ctx.Err() == nil {
		p, err := j.step(context.WithoutCancel(ctx), job)
		if err != nil || p != jobMore {
			return p == jobDone, err
		}
	}
	return false, nil
}

// step does one step of a job, and forgets the job after its last. A step that something else was in the way of is
// tried again.
func (j *jobs) step(ctx context.Context, job *job) (p progress, err error) {
	do := j.steps[job.Kind]
	if do == nil {
		return jobRests, fmt.Errorf("core: job %s is of kind %q, which this version does not know", job.ID, job.Kind)
	}
	err = retry(func() (err error) {
		p, err = do(ctx, job)
		return err
	})
	switch {
	case errors.Is(err, ErrRealmNotFound): // and with it all that there was to do
		p = jobDone
	case errors.Is(err, ErrRealmResetting):
		return jobRests, nil
	case err != nil:
		return jobRests, fmt.Errorf("core: job %s (%s): %w", job.ID, job.Kind, err)
	}
	if p == jobDone {
		return p, j.forget(ctx, job)
	}
	return p, nil
}

// forget removes a job that is done.
func (j *jobs) forget(ctx context.Context, job *job) error {
	now, err := j.d.clock.now()
	if err != nil {
		return err
	}
	c := j.d.change(Partition{}, now)
	c.tx.Delete = append(c.tx.Delete, jobKey(job.ID).Name)
	c.unindex(indexJobs, string(job.ID))
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("core: forget job %s: %w", job.ID, err)
	}
	return nil
}

// jobsAtOnce is how many jobs are looked at together.
const jobsAtOnce = 100

// queued is a place in the queue, and its job. One that cannot be read is in nobody's way.
type queued struct {
	id  JobID
	job *job  // nil = it cannot be read, or another has just done it
	err error // why it cannot
}

// list returns the next jobs that are queued, the oldest first.
func (j *jobs) list(ctx context.Context, after JobID) ([]queued, error) {
	r := Range{Index: Index{Name: indexJobs}, Limit: jobsAtOnce}
	if after != "" {
		r.goOn(string(after))
	}
	ids, err := j.d.store.Range(ctx, r)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = jobKey(JobID(id))
	}
	recs, err := j.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	list := make([]queued, len(ids))
	for i := range recs {
		list[i].id = JobID(ids[i])
		job := &job{}
		found, err := decode(keys[i], recs[i], job)
		if err != nil {
			list[i].err = fmt.Errorf("core: job %s: %w", ids[i], err)
		} else if found {
			list[i].job = job
		}
	}
	return list, nil
}

// left returns how many jobs are queued; MaxRange at most.
func (j *jobs) left(ctx context.Context) (int, error) {
	ids, err := j.d.store.Range(ctx, Range{Index: Index{Name: indexJobs}, Limit: MaxRange})
	return len(ids), err
}

// RunJobs does the large deletions that are queued, until nothing is left that could be done now. A Core that runs
// does so by itself; this is for commands and tests that will not wait.
func (c *Core) RunJobs(ctx context.Context) error {
	_, err := c.d.jobs.all(ctx, ctx, "")
	return err
}
