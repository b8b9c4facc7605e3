package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// Guard judges requests for one realm. Make it with New, end it with Close. Safe for concurrent use.
type Guard struct {
	realms   Realms
	resolver Resolver
	keys     KeyResolver
	renewer  Renewer
	asserter Asserter
	feed     Feed
	c        *compiled
	names    *Names
	log      *zap.Logger
	now      func() time.Time
	address  func(*http.Request) netip.Addr
	observe  func(Verdict)

	requestID func(*http.Request) string

	home      atomic.Pointer[home] // nil until the realm is found
	cache     *cache
	visits    *visits
	crew      *crew
	foreign   map[string]*foreign // issuers elsewhere, by their iss; nil = none
	attending sync.Once           // somebody attends to the visits

	looks flights[string, *home]
	reads flights[question, known]

	slots    chan struct{} // one is taken for each read under way
	rechecks chan struct{} // and here for those in the background
	warned   atomic.Int64  // nanoseconds since the epoch: when the log last heard that requests cannot be judged
	lull     lull          // of use only with Settings.StaleOK
}

// New returns a Guard. It reads nothing yet but the keys of issuers elsewhere, which it begins to fetch: the realm is looked for at the
// first request that shows a credential. The error joins all that is wrong with o.
func New(o Options) (*Guard, error) {
	c, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", errors.Join(err, o.CheckFiles()))
	}
	o.Names.add(c.headers)
	crew := newCrew()
	g := &Guard{
		realms: o.Realms, resolver: o.Resolver, keys: o.Keys, renewer: o.Renewer, asserter: o.Asserter, feed: o.Feed,
		c: c, names: o.Names, log: o.Logger, now: o.Now, address: o.Address, observe: o.Observe, requestID: o.RequestID,
		cache: newCache(o.CacheSize), visits: newVisits(), crew: crew,
		looks:    flights[string, *home]{crew: crew, aloft: map[string]*flight[*home]{}},
		reads:    flights[question, known]{crew: crew, aloft: map[question]*flight[known]{}},
		slots:    make(chan struct{}, maxReads),
		rechecks: make(chan struct{}, maxRechecks),
	}
	if err := g.openIssuers(o.IssuerKeys); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return g, nil
}

// Close ends the watch over the realm and all work in the background. From then on each credential is asked about at the store, or CannotKnow is
// said of it, and who is inside, or gets in yet, has 5 seconds to leave. Retire leaves them the time that they need.
func (g *Guard) Close() {
	g.crew.dismiss()
	g.visits.abandon()
	g.closeIssuers()
	if h := g.home.Load(); h != nil {
		h.watch.Stop()
	}
}

// Retire closes g once all those have left who were let in, and calls then: at once where nobody is inside, else in the background. Until then, what is
// open for long still ends when its user may no longer enter.
func (g *Guard) Retire(then func()) {
	end := func() {
		g.Close()
		then()
	}
	if g.visits.none() {
		end()
		return
	}
	g.cache.empty() // a stream may last for days, and was let in already
	go func() {
		for wait := time.Millisecond; !g.visits.none(); wait = min(2*wait, reviewEvery) {
			time.Sleep(wait)
		}
		end()
	}()
}

// Handler returns next behind the guard. next gets requests as Admit leaves them; the others are answered by Refuse.
func (g *Guard) Handler(next http.Handler) http.Handler { return g.before(next, false) }

// ProxyHandler is Handler for a next that passes requests on, keeps nothing of them, and learns by the headers alone who they come from:
// FromContext finds nobody there, and another guard no credential. It spares a request a copy of itself and of what is known.
func (g *Guard) ProxyHandler(next http.Handler) http.Handler { return g.before(next, true) }

// before returns next, which may be a proxy, behind the guard.
func (g *Guard) before(next http.Handler, proxy bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v Verdict
		g.judge(r, false, &v)
		g.note(r, &v)
		if v.Decision != Allow {
			g.Refuse(w, g.Prepare(r, v), v)
			return
		}
		var here *visit
		if proxy {
			r, here = g.escort(w, r, &v)
		} else {
			r, here = g.admit(w, r, &v)
		}
		defer here.leave()
		answer, end := g.Answer(w, r)
		defer end()
		next.ServeHTTP(answer, r)
	})
}

// Judge says what is to become of r, which it does not change. For a token seen before it neither allocates
// nor waits; otherwise it reads the store, for at most 5 seconds (10 while the realm is not found yet) and no longer
// than r's context lasts. Behind another guard that shares Names, it goes by whom that one found.
func (g *Guard) Judge(r *http.Request) (v Verdict) {
	g.judge(r, false, &v)
	g.note(r, &v)
	return v
}

// JudgePublic is Judge for a request that the host found to be for a public path by rules of its own. One whose
// path, or whose method, can be read in several ways is refused.
func (g *Guard) JudgePublic(r *http.Request) (v Verdict) {
	g.judge(r, true, &v)
	g.note(r, &v)
	return v
}

// judge makes v, which is zero, the verdict on r. A Verdict is large: it is made where it is to be, and not handed from one to the next.
func (g *Guard) judge(r *http.Request, public bool, v *Verdict) {
	if why := g.refusedToAll(r); why != nil {
		*v = deny(*why)
		return
	}
	if isPreflight(r) {
		v.Decision, v.bodiless = Allow, mayHaveNoBody(r)
		return
	}
	d, why := g.c.demands(r)
	if public && why == nil {
		d = demand{public: true}
		if !IsExact(r.URL) {
			why = &refuseAmbiguous
		} else if overridesMethod(r) { // the host's rules may be about methods
			why = &refuseMethod
		}
	}
	if why != nil {
		*v = deny(*why)
		return
	}
	from := g.expect(r, v)
	now := g.now() // while memory is on its way
	if from != "" {
		g.recognise(r, from, now, v)
	}
	if v.Decision == Deny {
		g.c.challenge(r, &v.Refusal)
	}
	g.settle(r, &d, now, v)
	if v.Decision == CannotKnow && d.public || v.Decision == Deny && v.known == "" && (d.public || d.optional) {
		*v = Verdict{Decision: Allow}
	}
}

// refusedToAll returns why nobody may ask for r, or nil.
func (g *Guard) refusedToAll(r *http.Request) *Refusal {
	switch {
	case IsTunnel(r):
		return &refuseTunnel
	case splitsLine(r):
		return &refuseLine
	case g.names.named(r.Header["Connection"]): // a proxy would remove what we set
		return &refuseMeddling
	}
	return nil
}

// expect makes v, which is zero, ask about the credential that r shows, and returns where that is; "" where v is settled without.
func (g *Guard) expect(r *http.Request, v *Verdict) Source {
	former := passageOf(r.Context())
	if p := former.found(g); p != nil {
		v.Decision, v.standing, v.source, v.Stale = Allow, p.who, p.source, p.stale
		return ""
	}
	c, why := g.c.credential(former.sent(r.Header))
	if why != nil {
		*v = deny(*why)
		return ""
	}
	v.asked = question{token: c.text, byKey: c.source == SourceAPIKey}
	g.cache.expect(&v.asked)
	return c.source
}

// recognise makes v say who the credential that it asks about, and that r shows, stands for at now.
func (g *Guard) recognise(r *http.Request, from Source, now time.Time, v *Verdict) {
	q := &v.asked
	if q.byKey {
		q.address = g.address(r)
	}
	k, err := g.identify(r, q, now)
	if err == nil && q.byKey && !g.cache.admitsFrom(k, q.address) {
		err = core.ErrAPIKeyAddress
	}
	if err != nil {
		g.unrecognised(r, now, err, from, v)
		return
	}
	v.Decision, v.known, v.by, v.source = Allow, k, g, from
}

// unrecognised makes v say what is to become of r, whose credential was asked about in vain.
func (g *Guard) unrecognised(r *http.Request, now time.Time, err error, from Source, v *Verdict) {
	q := v.asked
	if *v = judgeError(err, from); v.Decision != CannotKnow {
		return
	}
	if k := g.stale(r, &q, now); k != "" && g.cache.admitsFrom(k, q.address) {
		*v = Verdict{Decision: Allow, Stale: true, standing: standing{known: k, asked: q, by: g}, source: from}
		return
	}
	if !errors.Is(err, errNewerKey) { // which anybody can bring about
		g.warn(r.Context(), err)
	}
}

// settle holds what r must satisfy at now against who it comes from, and makes v the verdict.
func (g *Guard) settle(r *http.Request, d *demand, now time.Time, v *Verdict) {
	if v.Decision != Allow {
		return
	}
	if v.source == SourceCookie && !g.c.provesOrigin(r) {
		*v = deny(refuseCrossSite)
		return
	}
	v.rules = d.rules
	if why := v.unmet(now); why != nil {
		v.Decision, v.Refusal = Deny, *why
		return
	}
	v.at = now.UnixNano()
	if g.c.Assertion == "" {
		return
	}
	var err error
	switch v.assertion, err = g.assert(r.Context(), &v.standing); {
	case err == nil:
	case errors.Is(err, core.ErrTokenTooLong) && d.public:
		*v = Verdict{Decision: Allow}
	case errors.Is(err, core.ErrTokenTooLong):
		v.Decision, v.Refusal = Deny, refuseUntellable
	default:
		g.warn(r.Context(), err)
		*v = judgeError(core.ErrUnavailable, v.source)
	}
}

// Prepare makes r fit to be passed on, whatever the verdict: it removes every identity header and trailer that the client
// sent, the wish for another protocol than a WebSocket, and its credentials, except for a bearer token that was found good and is to be passed. Where v allows somebody, it sets
// the identity headers and returns r with the identity in its context. It changes r's headers in place.
func (g *Guard) Prepare(r *http.Request, v Verdict) *http.Request {
	return g.prepare(r, &v, &passage{Context: r.Context()})
}

// prepare is Prepare for a request that is to have p's context, and has p itself from there on.
func (g *Guard) prepare(r *http.Request, v *Verdict, p *passage) *http.Request {
	p.guard, p.source, p.stale, p.former = g, v.source, v.Stale, passageOf(p.Context)
	p.authorization, p.cookies = r.Header["Authorization"], r.Header["Cookie"]
	if g.c.sources.key {
		p.keys = r.Header[g.c.APIKeyHeader]
	}
	if v.admitted() {
		v.known = v.known.alone()
		p.who = v.standing
	}
	g.rewrite(r, v, p.former, p.texts[:])
	return g.names.bare(r, v, p)
}

// rewrite makes the headers of a request what Prepare says. room is for the texts of those about who it is.
func (g *Guard) rewrite(r *http.Request, v *Verdict, former *passage, room []string) {
	h := r.Header
	var told map[string][]string
	if v.Decision == Allow {
		told = former.told(g, h, v.known)
	}
	g.names.strip(h)
	keepWebSocketsOnly(h, r.Method)
	g.c.remove(h, g.c.PassToken && v.admitted())
	for name, values := range told {
		h[name] = values
	}
	if v.admitted() {
		g.tell(h, v, room)
	}
}

// tell sets the identity headers to what they say of whom v allows.
func (g *Guard) tell(h http.Header, v *Verdict, room []string) {
	if v.by == g {
		g.c.headers.set(h, v.known.told(len(g.c.headers), room))
	} else { // another guard found who it is, and tells other things
		who := v.known.identity()
		g.c.headers.set(h, g.c.headers.told(&who))
	}
	if v.assertion != "" {
		h[assertionHeader] = []string{strings.Clone(v.assertion)}
	}
}

// Owns reports whether a header, by its name in any spelling, is one that only the guards that share Names may set.
func (g *Guard) Owns(name string) bool { return g.names.owns(name) }

// note logs a refusal of r, and lets the observer know.
func (g *Guard) note(r *http.Request, v *Verdict) {
	if g.observe != nil {
		g.observe(*v)
	}
	if v.Decision != Deny {
		return
	}
	if entry := g.log.Check(zap.DebugLevel, "request refused"); entry != nil {
		v.Refusal.RequestID = g.requestID(r)
		entry.Write(zap.String("realm", g.c.Realm), zap.Int("status", v.Refusal.Status), zap.String("reason", v.Refusal.Reason), zap.String("request_id", v.Refusal.RequestID))
	}
}

// warnEvery is how often the log hears that requests cannot be judged.
const warnEvery = 10 * time.Second

// warn logs why a request could not be judged, unless its client has left or the log heard it a moment ago.
func (g *Guard) warn(ctx context.Context, err error) {
	now, last := g.now().UnixNano(), g.warned.Load()
	if ctx.Err() != nil || now-last < int64(warnEvery) || !g.warned.CompareAndSwap(last, now) {
		return
	}
	level := zap.WarnLevel
	if coreError(err).Kind == core.KindInternal {
		level = zap.ErrorLevel
	}
	g.log.Log(level, "requests cannot be judged", zap.String("realm", g.c.Realm), zap.Error(err))
}
