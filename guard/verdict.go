package guard

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// Decision is what a Verdict comes to.
type Decision uint8

// The decisions. The zero Decision denies, so that a Verdict made without thought opens nothing.
const (
	Deny       Decision = iota // who is asking may not enter
	Allow                      // pass the request on
	CannotKnow                 // the store is away; nothing is said about who is asking
)

// String returns "deny", "allow" or "cannot know".
func (d Decision) String() string {
	switch d {
	case Deny:
		return "deny"
	case Allow:
		return "allow"
	}
	return "cannot know"
}

// Verdict is what a Guard says about one request.
type Verdict struct {
	Decision Decision
	Refusal  Refusal // of Deny and CannotKnow
	Stale    bool    // allowed by what was known before the store went away (Settings.StaleOK)

	bodiless bool // allowed as one without a body, which shows only when it is read: none is passed on
	standing
	source    Source // where it was found who it is
	at        int64  // nanoseconds since the epoch: as of when somebody was allowed
	assertion string // to tell with it; "" = none
}

// standing is who a request comes from, and what is asked of them.
type standing struct {
	known known             // empty where nobody in particular is allowed or denied
	asked question          // what it was known by
	by    *Guard            // that knows it
	rules [maxDemands]*rule // what is asked of it; nil = no more
}

// admitted reports whether somebody may enter of whom it is known who they are.
func (v *Verdict) admitted() bool { return v.Decision == Allow && v.known != "" }

// issuer returns the issuer elsewhere that vouches for who it is; nil = they are one of ours.
func (s *standing) issuer() *outside {
	if n := s.known[atFrom]; n > 0 {
		return s.by.c.issuers[n-1]
	}
	return nil
}

// overtaken reports whether there has been news of who it is since that was read.
func (s *standing) overtaken() bool {
	stamps := s.known.stamps()
	return s.by.cache.overtaken(s.known.number(atHeard), &stamps)
}

// unmet returns why one of the rules does not let in who it is, or nil.
func (s *standing) unmet(now time.Time) *Refusal {
	asked := false
	for _, r := range s.rules {
		asked = asked || r.asks()
	}
	if !asked { // who it is lies far off in memory, and need not be fetched to be asked nothing
		return nil
	}
	room := s.by.cache.facts.Get().(*facts)
	defer s.by.cache.facts.Put(room)
	room.read(s.known)
	for _, r := range s.rules {
		if !r.asks() {
			continue
		}
		if why := r.policy.judge(&room.who, now); why != nil {
			return why
		}
	}
	return nil
}

// Identity returns who may enter. It reports false where the request is refused, and where it may pass
// without identity.
func (v Verdict) Identity() (core.Identity, bool) {
	if !v.admitted() {
		return core.Identity{}, false
	}
	return v.known.alone().identity(), true
}

// Candidate returns who is known and may not enter.
func (v Verdict) Candidate() (core.Identity, bool) {
	if v.Decision != Deny || v.known == "" {
		return core.Identity{}, false
	}
	return v.known.alone().identity(), true
}

// Fields returns what FieldOf says of who may enter, or of who is known and may not; nil where it is nobody.
func (v Verdict) Fields() func(name string) (value string, exists bool) {
	if v.known == "" || v.Decision == CannotKnow {
		return nil
	}
	return v.known.alone().fields()
}

// Refusal is what the client of a refused request is told. It never holds a secret.
type Refusal struct {
	Status     int           // 400, 401, 403, 405, 429 or 503
	Reason     string        // stable, machine-readable, snake_case: "invalid_token"
	Detail     string        // whole sentences: what is wrong and what to do
	Challenge  string        // WWW-Authenticate (RFC 6750 §3); "" = none
	RetryAfter time.Duration // 429 and 503 only
	RequestID  string        // that the log has of this refusal; "" = the log is silent

	stepUp  string // for the sign-in page: what kind of sign-in it takes, as a query; "" = any
	another bool   // whether somebody else might enter
}

// The challenges of refusals.
const (
	challenge             = `Bearer realm="postern"`
	challengeInvalidToken = challenge + `, error="invalid_token"`
	challengeMalformed    = challenge + `, error="invalid_request"`
)

// Refusals that depend on nothing but the request.
var (
	refuseMeddling = Refusal{Status: http.StatusBadRequest, Reason: "identity_header_in_connection",
		Detail: "The Connection header names a header that only the server may set. Send the request without it."}

	refuseAnonymous = Refusal{Status: http.StatusUnauthorized, Reason: "no_credential", Challenge: challenge} // its Detail is compiled.wanted

	refuseSeveral = Refusal{Status: http.StatusUnauthorized, Reason: "invalid_request", Challenge: challengeMalformed,
		Detail: "There is more than one Authorization header. Send exactly one."}

	refuseDiffering = Refusal{Status: http.StatusUnauthorized, Reason: "invalid_request", Challenge: challengeMalformed,
		Detail: "The request shows two credentials that differ. Send exactly one."}

	refuseMalformed = Refusal{Status: http.StatusUnauthorized, Reason: "invalid_request", Challenge: challengeMalformed,
		Detail: "The Authorization header could not be read. Send it as: Bearer, a space, and one session token."}

	refuseEmpty = Refusal{Status: http.StatusUnauthorized, Reason: "invalid_request", Challenge: challengeMalformed,
		Detail: "The request names a credential and shows none. Sign in again."}

	refuseTooLong = Refusal{Status: http.StatusUnauthorized, Reason: "invalid_token", Challenge: challengeInvalidToken,
		Detail: "The session token is longer than any that is given out. Sign in again."}
)

// deny returns the Verdict of a refusal.
func deny(r Refusal) Verdict { return Verdict{Decision: Deny, Refusal: r} }

// judgeError returns the Verdict where reading who it is failed. Only what core says about the credential or the user
// is a refusal; anything else says nothing about them.
func judgeError(err error, from Source) Verdict {
	e := coreError(err)
	switch e.Kind {
	case core.KindUnauthenticated:
		remedy := " Sign in again."
		if from == SourceAPIKey {
			remedy = " Use another API key."
		}
		return deny(Refusal{Status: http.StatusUnauthorized, Reason: e.Code, Challenge: challengeInvalidToken, Detail: sentence(e.Detail) + remedy})
	case core.KindForbidden:
		return deny(Refusal{Status: http.StatusForbidden, Reason: e.Code,
			Detail: sentence(e.Detail) + " Ask whoever runs this service."})
	}
	refusal := Refusal{Status: http.StatusServiceUnavailable, Reason: "unavailable", RetryAfter: max(e.RetryAfter, time.Second),
		Detail: "Whether you are signed in cannot be checked right now. Nothing is wrong with your session; try again in a moment."}
	if errors.Is(err, errIssuerAway) || errors.Is(err, errNewerKey) { // which say more than that the store is away
		refusal.Reason = e.Code
	}
	if e.Kind == core.KindThrottled {
		refusal.Status, refusal.Reason, refusal.Detail = http.StatusTooManyRequests, "throttled", "There were too many attempts. Try again in a while."
	}
	return Verdict{Decision: CannotKnow, Refusal: refusal}
}

// sentence returns a detail of core as a sentence of its own: "user is inactive" as "User is inactive."
func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	return strings.ToUpper(detail[:1]) + detail[1:] + "."
}
