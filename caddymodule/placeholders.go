package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// Where placeholders speak of who a request comes from, and of who was known and refused.
const (
	userPrefix      = "http.auth.user."
	candidatePrefix = "http.auth.candidate."
)

// What an error route finds of a refusal.
const (
	refusalReason = "http.auth.postern.error"
	refusalID     = "http.auth.postern.request_id"
)

// speaker answers the placeholders of a request that begin with a prefix. There is one for each, however many guards the request passes:
// Caddy asks in the order in which speakers came, and the first would go on speaking of whom the first guard saw.
type speaker struct {
	prefix string
	field  func(name string) (string, bool) // nil = of nobody
}

// introduce makes the placeholders of a request speak of whom fields are of, and no longer of whom another handler saw. Of nobody, where
// field is nil, they say nothing, which is what headers and pages made of them are to hold then; whom another handler saw stays.
func introduce(r *http.Request, prefix string, field func(name string) (string, bool)) {
	replacer := replacerOf(r)
	if field != nil {
		replacer.DeleteByPrefix(prefix)
	}
	if s := speakerOf(replacer, prefix); s == nil {
		replacer.Map((&speaker{prefix, field}).answer)
	} else if field != nil {
		s.field = field
	}
}

// introduceNobody makes the placeholders of a request that a guard refuses speak of nobody, though a guard before it had let somebody in.
func introduceNobody(r *http.Request) {
	introduce(r, userPrefix, nil)
	if s := speakerOf(replacerOf(r), userPrefix); s != nil {
		s.field = nil
	}
}

// leaveUnsaid gives the placeholders that error routes may use, and of which no guard said anything, no value: Caddy would leave their names standing,
// for an app to take for somebody.
func leaveUnsaid(r *http.Request) {
	introduce(r, userPrefix, nil)
	introduce(r, candidatePrefix, nil)
	replacer := replacerOf(r)
	for _, name := range []string{refusalReason, refusalID} {
		if _, said := replacer.Get(name); !said {
			replacer.Set(name, "")
		}
	}
}

// speakerOf returns who answers the placeholders that begin with a prefix, or nil.
func speakerOf(replacer *caddy.Replacer, prefix string) *speaker {
	former, _ := replacer.Get(prefix)
	s, _ := former.(*speaker)
	return s
}

// answer answers one placeholder, and for the bare prefix hands out the speaker.
func (s *speaker) answer(name string) (any, bool) {
	name, ours := strings.CutPrefix(name, s.prefix)
	switch {
	case !ours:
		return nil, false
	case name == "":
		return s, true
	case s.field == nil:
		_, exists := guard.FieldOf(name, &core.Identity{})
		return "", exists
	}
	return s.field(name)
}

// String keeps a speaker that is asked for by a placeholder to itself.
func (*speaker) String() string { return "" }

// replacerOf returns what resolves the placeholders of a request.
func replacerOf(r *http.Request) *caddy.Replacer {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}
