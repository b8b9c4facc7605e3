package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a Core. Store and MasterKey are required.
type Options struct {
	Store     Store
	MasterKey *MasterKey

	// PublicURL is where the outside reaches /v1 from, without it: "https://auth.example.com". It is stored
	// as part of the issuer of each realm made from now on. "" makes issuers of the form urn:postern:<realm>.
	PublicURL string

	MaxStaleness time.Duration // for how long a remembered verdict outlives silence of the feed; 1s to 1m, default 5s

	Hashing // what password hashes cost

	// RefusedPasswords are passwords that nobody may choose, beside those that are refused anyway; default none.
	RefusedPasswords *PasswordList

	// Courier delivers webhooks and e-mails; default nobody does, and what is due waits for a process that has one.
	Courier Courier

	// LinkBase is where the pages are that links in e-mails lead to, where a hook does not say: "https://app.example.com/auth".
	LinkBase string

	// Report is told what Check found, or why it failed, every minute while Run runs; default nobody is.
	Report func(Fitness, error)

	// Trouble is told when some work that Run does begins to fail, or WorkWrites or WorkMails, by the work's name, and with nil when it goes well
	// again; default nobody is. It must not block.
	Trouble func(work string, err error)

	// Happened is told each Event that this process took from the log, after it was kept; the one of all processes over the store
	// that did is told, unless it ends in that moment. Default nobody is. It must not block, nor change the Event, which holds
	// no secret.
	Happened func(*Event)

	Now    func() time.Time // default time.Now
	Random io.Reader        // default crypto/rand.Reader
}

// CheckAddresses refuses what cannot be Options.PublicURL and Options.LinkBase, for hosts that check their settings before there is a Core.
func CheckAddresses(publicURL, linkBase string) error {
	var errs []error
	if !isPlace(publicURL) {
		errs = append(errs, errors.New("the public URL must look like https://auth.example.com"))
	}
	if strings.HasSuffix(strings.TrimSuffix(publicURL, "/"), "/v1") { // issuers would have it twice, and stay so
		errs = append(errs, errors.New("the public URL must not end in /v1, which is added to it: leave that out"))
	}
	if !isPlace(linkBase) {
		errs = append(errs, errors.New("the base of links in e-mails must look like https://app.example.com/auth"))
	}
	return errors.Join(errs...)
}

// isPlace reports whether a text is where something is on the web, to which a path can be added. None is good too.
func isPlace(text string) bool {
	u, err := url.Parse(text)
	return text == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() error {
	var errs []error
	complain := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	complain(o.Store == nil, "a store is required")
	complain(o.MasterKey == nil, "a master key is required")
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	errs = append(errs, CheckAddresses(o.PublicURL, o.LinkBase))
	defaultTo(&o.MaxStaleness, 5*time.Second)
	complain(o.MaxStaleness < time.Second || o.MaxStaleness > time.Minute, "max staleness must be from 1s to 1m")
	errs = append(errs, o.Hashing.Validate())
	if o.Report == nil {
		o.Report = func(Fitness, error) {}
	}
	if o.Trouble == nil {
		o.Trouble = func(string, error) {}
	}
	if o.Happened == nil {
		o.Happened = func(*Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return errors.Join(errs...)
}

// defaultTo sets *v to d where it is zero.
func defaultTo[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Core is Postern's rules over one store. Make it with New, keep it current with Run. Safe for
// concurrent use.
type Core struct {
	Realms         *Realms
	ManagementKeys *ManagementKeys
	APTKeys        *APTKeys
	LoginPolicies  *LoginPolicies
	APTs           *APTs
	Users          *Users
	Passwords      *Passwords
	Sessions       *Sessions
	Credentials    *Credentials
	APIKeys        *APIKeys
	SecondFactors  *SecondFactors
	Orgs           *Orgs
	Memberships    *Memberships
	Feed           *InvalidationFeed
	Events         *Events
	AppHooks       *AppHooks
	Repeats        *Repeats

	dispatcher *dispatcher
	d          *deps
}

// deps is what the services of a Core share.
type deps struct {
	store     Store
	clock     *clock
	ids       *source
	random    io.Reader
	decoy     decoy
	master    *sealer
	publicURL string
	linkBase  string
	process   string                 // random; tells the holders of leases apart
	opening   atomic.Pointer[string] // Fitness.Opening; nil = the store was not asked yet
	troubles  *troubles
	writes    *writes

	feed     *InvalidationFeed
	realms   *Realms
	jobs     *jobs
	hasher   *hasher
	refused  *PasswordList
	report   func(Fitness, error)
	happened func(*Event)

	eventSecret atomic.Pointer[[]byte] // see eventSealer; nil = not read yet

	courier Courier // nil = none
	meter   *meter
	touch   chan touch // what was seen, to be noted off the request path
}

// New returns a Core over o.Store. It reads and writes nothing yet. It fails where the Options are not good.
func New(o Options) (*Core, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	d, err := newDeps(o)
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	c := &Core{
		Realms: d.realms, Feed: d.feed, d: d,
		ManagementKeys: newManagementKeys(d),
		APTKeys:        &APTKeys{d},
		LoginPolicies:  &LoginPolicies{d},
		Users:          &Users{d},
		Sessions:       &Sessions{d},
		Orgs:           &Orgs{d},
		AppHooks:       &AppHooks{d},
		Repeats:        &Repeats{d},
	}
	c.Memberships = &Memberships{d, c.Users, c.Orgs}
	c.Passwords = &Passwords{d, c.Users, c.Sessions}
	c.Credentials = &Credentials{d, c.Users}
	c.APIKeys = &APIKeys{d, c.Users}
	c.SecondFactors = &SecondFactors{d, c.Users, c.Sessions}
	c.APTs = &APTs{d, c.Users, c.Sessions}
	c.Events = &Events{d, &Outbox{d: d, hooks: c.AppHooks, renewal: claimTime / 3}}
	c.dispatcher = newDispatcher(c.Events.outbox, o.Courier)
	d.jobs.does(jobResetRealm, d.realms.resetStep)
	d.jobs.does(jobDeleteRealm, d.realms.deleteStep)
	d.jobs.does(jobOrg, c.Orgs.settle)
	return c, nil
}

// newDeps returns what the services share, of Options that are whole. It fails where randomness does.
func newDeps(o Options) (*deps, error) {
	c := &clock{local: o.Now}
	d := &deps{
		store: view{o.Store}, clock: c, random: o.Random, master: newSealer(o.MasterKey), publicURL: o.PublicURL, linkBase: o.LinkBase,
		ids:     &source{random: o.Random, now: func() time.Time { t, _ := c.now(); return t }},
		hasher:  newHasher(o.HashSlots, params{memory: uint32(o.HashMemory), passes: uint32(o.HashPasses)}, o.HashBusy, o.Random),
		refused: o.RefusedPasswords,
		report:  o.Report, happened: o.Happened,
		courier:  o.Courier,
		touch:    make(chan touch, touchBacklog),
		troubles: &troubles{tell: o.Trouble, failing: map[string]bool{}}, writes: &writes{},
	}
	var err error
	if d.process, err = d.ids.text(idLength); err != nil {
		return nil, err
	}
	if d.decoy, err = newDecoy(d.hasher.decoy.String()); err != nil {
		return nil, err
	}
	d.feed = newFeed(d, o.MaxStaleness)
	d.meter = newMeter(d)
	d.jobs = &jobs{d: d, steps: map[jobKind]func(context.Context, *job) (progress, error){}}
	d.realms = newRealms(d)
	return d, nil
}

// Run follows the feed, keeps the clock in step with the store's, notes which sessions and API keys were seen and what was used, rotates
// signing keys that are due, carries on large deletions, and reads the event log and delivers what hooks are to hear of, until ctx ends.
// Without it a Core works, reads the store for everything, and does none of these.
func (c *Core) Run(ctx context.Context) {
	var work sync.WaitGroup
	for _, part := range []func(context.Context){c.d.feed.run, c.d.keepTime, c.noteSeen, c.Realms.rotateOnSchedule, c.d.meter.run, c.d.jobs.run, c.dispatcher.run} {
		work.Go(func() { part(ctx) })
	}
	work.Wait()
}

// Now returns the time by which expiry is judged and news confirmed: the machine's, corrected by the store's. While
// the two are too far apart to judge anything it is the machine's.
func (c *Core) Now() time.Time {
	now, err := c.d.clock.now()
	if err != nil {
		return c.d.clock.local()
	}
	return now
}

// Check asks the store whether it is fit to be a system of record, and takes its clock.
func (c *Core) Check(ctx context.Context) (Fitness, error) { return c.d.check(ctx) }

// check reads the store's Fitness and corrects the clock by it.
func (d *deps) check(ctx context.Context) (Fitness, error) {
	before := d.clock.local()
	fit, err := d.store.Check(ctx)
	if err != nil {
		return Fitness{}, err
	}
	d.clock.correct(before, fit.Now, d.clock.local())
	d.opening.Store(&fit.Opening)
	return fit, nil
}

// keepTime corrects the clock every minute, and reports how fit the store is and how many jobs are left, and whether it takes writes again.
func (d *deps) keepTime(ctx context.Context) {
	for {
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		fit, err := d.check(call)
		if err == nil {
			fit.Jobs, err = d.jobs.left(call)
		}
		cancel()
		if ctx.Err() == nil {
			d.report(fit, err)
		}
		d.tryWrites(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}
