package core

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppHook is who wants to hear of events (Users API, "App hooks"): an address that is called, or a user who is sent an
// e-mail.
type AppHook struct {
	ID         AppHookID `json:"id"`
	Realm      RealmID   `json:"realm,omitempty"` // "" = all realms
	State      State     `json:"state"`
	Type       HookType  `json:"type"`
	EventTypes []string  `json:"event_types,omitempty"` // of a webhook none = all, of an e-mail exactly one
	Delay      Seconds   `json:"delay,omitempty"`       // between the event and its first delivery; at most 7 days
	Letter     Letter    `json:"letter,omitzero"`       // of an e-mail
	CreatedAt  Instant   `json:"created"`

	// Preset says that the hook came with its realm and nobody has changed it since: where no mail server is configured it
	// keeps silent, in place of failing.
	Preset bool `json:"preset,omitempty"`

	SealedDestination string       `json:"dest,omitempty"` // of a webhook: a URL, which may hold a password
	Secrets           []hookSecret `json:"secrets,omitempty"`

	// Destination is SealedDestination, opened. Whoever calls the URL knows it, nobody else should.
	Destination string `json:"-"`
}

func (h *AppHook) key(Partition) Key { return appHookKey(h.ID) }

// member is a hook's place among the hooks: those of a realm together, the oldest first.
func (h *AppHook) member() string { return string(h.Realm) + "\x00" + string(h.ID) }

// HookType is how a hook tells of events.
type HookType string

// The kinds of hooks.
const (
	HookWebhook HookType = "webhook"
	HookEmail   HookType = "email"
)

// Letter is what an e-mail hook writes (Users API, "App hooks", email_*). What is empty is as the built-in letter for
// the event has it, and the sender as the mail server's settings do.
type Letter struct {
	From     string   `json:"from,omitempty"`
	FromName string   `json:"from_name,omitempty"`
	Subject  string   `json:"subject,omitempty"`   // with merge fields
	Template string   `json:"template,omitempty"`  // with merge fields
	Renderer Renderer `json:"renderer,omitempty"`  // of Template
	To       string   `json:"to,omitempty"`        // in place of the user's own address
	UserType UserType `json:"user_type,omitempty"` // "" = all
	LinkURL  string   `json:"link,omitempty"`      // the page of the app that {{link}} leads to; the token is added as ?token=
}

// Renderer is how a template becomes a letter.
type Renderer string

// The renderers (Users API, "App hooks", email_renderer).
const (
	RenderHTML     Renderer = "html"
	RenderHTMLText Renderer = "html+text" // the HTML, and a plain form derived from it
	RenderMarkdown Renderer = "markdown"  // plain as it is written, and HTML made of it; the default
	RenderText     Renderer = "text"
)

// What events have a built-in letter, and which of them carry a token.
var (
	tokenEvents  = []string{eventVerifyRequested, eventResetCreated}
	letterEvents = append(slices.Clone(tokenEvents), eventUserCreated)
)

// Bounds of a hook.
const (
	maxHooks        = 50 // of a realm, and of all realms
	maxHookDelay    = 7 * day
	maxDestination  = 2048     // bytes
	maxHookSubject  = 250      // characters
	maxHookTemplate = 64 << 10 // bytes
)

// validate returns what is wrong with a hook, all of it, as KindInvalid.
func (h *AppHook) validate() error {
	var errs fieldErrors
	errs.check(h.State == StateActive || h.State == StateInactive, "state", "State must be active or inactive")
	errs.check(h.Delay >= 0 && h.Delay <= maxHookDelay, "delay", "Delay must be from 0 seconds to 7 days")
	for _, kind := range h.EventTypes {
		errs.check(slices.Contains(eventTypes, kind) && kind != EventPing, "event_type", fmt.Sprintf("Event type %.64q is not known", kind))
	}
	errs.check(len(h.EventTypes) <= len(eventTypes), "event_type", "Event type names too many types")
	switch h.Type {
	case HookWebhook:
		h.validateWebhook(&errs)
	case HookEmail:
		h.validateEmail(&errs)
	default:
		errs.check(false, "hook_type", "Hook type must be webhook or email")
	}
	return errs.err()
}

// validateWebhook looks at what only webhooks have.
func (h *AppHook) validateWebhook(errs *fieldErrors) {
	errs.check(h.Letter == Letter{}, "email_template", "Only an e-mail hook has attributes that begin with email_, or a user type")
	if h.Destination == "" {
		errs.check(false, "destination", "Destination can't be blank")
		return
	}
	u, err := url.Parse(h.Destination)
	errs.check(len(h.Destination) <= maxDestination && err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.Fragment == "",
		"destination", "Destination must be a URL like https://app.example.com/hook")
	errs.check(err != nil || isPort(u.Port()), "destination", "Destination must have a port from 1 to 65535, or none")
}

// isPort reports whether something can listen on the port of a URL; "" is that of its scheme.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// validateEmail looks at what only e-mail hooks have.
func (h *AppHook) validateEmail(errs *fieldErrors) {
	errs.check(h.Destination == "", "destination", "Destination is of webhooks only")
	ok := len(h.EventTypes) == 1 && strings.HasPrefix(h.EventTypes[0], "user.")
	errs.check(ok, "event_type", "Event type must be exactly one, and one of a user, for an e-mail hook")
	if !ok {
		return
	}
	kind := h.EventTypes[0]
	errs.check(kind != eventUserDeleted, "event_type", "Event type must not be user.deleted for an e-mail hook: the address is gone with the user")
	errs.check(h.Letter.To == "" || !slices.Contains(tokenEvents, kind), "email_to", "Email to must be blank where the e-mail carries a token: it is for its user alone")
	if !slices.Contains(letterEvents, kind) {
		errs.check(h.Letter.Subject != "", "email_subject", "Email subject can't be blank")
		errs.check(h.Letter.Template != "", "email_template", "Email template can't be blank")
	}
	h.Letter.validate(errs)
}

// validate looks at the letter by itself.
func (l *Letter) validate(errs *fieldErrors) {
	errs.check(l.From == "" || isAddress(l.From), "email_from", "Email from must be an e-mail address")
	errs.check(l.To == "" || isAddress(l.To), "email_to", "Email to must be an e-mail address")
	errs.check(isLine(l.FromName, maxTextLength), "email_from_name", "Email from name must be one line of at most 255 characters")
	errs.check(isLine(l.Subject, maxHookSubject), "email_subject", "Email subject must be one line of at most 250 characters")
	errs.check(len(l.Template) <= maxHookTemplate && utf8.ValidString(l.Template), "email_template", "Email template is too long (maximum is 64 KiB)")
	errs.check(slices.Contains([]Renderer{"", RenderHTML, RenderHTMLText, RenderMarkdown, RenderText}, l.Renderer),
		"email_renderer", "Email renderer must be html, html+text, markdown or text")
	errs.check(l.UserType == "" || l.UserType == UserHuman || l.UserType == UserAPI, "user_type", "User type must be all, human or api")
	if l.LinkURL != "" {
		u, err := url.Parse(l.LinkURL)
		errs.check(len(l.LinkURL) <= maxDestination && err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil,
			"email_link", "Email link must be a URL like https://app.example.com/verify")
	}
	for attribute, text := range map[string]string{"email_subject": l.Subject, "email_template": l.Template} {
		if _, err := ParseTemplate(text); err != nil {
			errs.check(false, attribute, sentenceOf(attribute)+" "+err.Error())
		}
	}
}

// sentenceOf writes an attribute's name as the beginning of a sentence.
func sentenceOf(attribute string) string {
	text := strings.ReplaceAll(attribute, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// isLine reports whether s is at most max characters of text without line breaks and other controls.
func isLine(s string, max int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= max && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isAddress reports whether s is one bare e-mail address.
func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254 && isLine(s, 254)
}

// wants reports whether a hook is to hear of an event.
func (h *AppHook) wants(e *Event) bool {
	if e.Type == EventPing {
		return h.State == StateActive && h.ID == e.AppHook
	}
	return h.State == StateActive && (h.Realm == "" || h.Realm == e.Realm) &&
		(len(h.EventTypes) == 0 || slices.Contains(h.EventTypes, e.Type))
}

// hookSecret is a secret that webhooks are signed with.
type hookSecret struct {
	Sealed string  `json:"sealed"`
	Until  Instant `json:"until,omitzero"` // zero = until it is replaced
}

// secretOverlap is for how long calls are signed with the former secret too, once a new one was made.
const secretOverlap = 24 * time.Hour

// secretSize is the size of a webhook's secret in bytes (Standard Webhooks: 24 to 64).
const secretSize = 32

// destinationPlace and secretPlace are where a hook's secrets are sealed for.
func (h *AppHook) destinationPlace() string { return "h:" + string(h.ID) + ":destination" }
func (h *AppHook) secretPlace() string      { return "h:" + string(h.ID) + ":secret" }

// open opens what is sealed of a hook that was read.
func (h *AppHook) open(m *sealer) error {
	if h.SealedDestination == "" {
		return nil
	}
	text, err := m.open(h.destinationPlace(), h.SealedDestination)
	h.Destination = string(text)
	return err
}

// signingSecrets returns the secrets to sign with now, the newest first.
func (h *AppHook) signingSecrets(m *sealer, now time.Time) ([][]byte, error) {
	var all [][]byte
	var errs []error
	for _, s := range h.Secrets {
		if !s.Until.IsZero() && !now.Before(s.Until.Time) {
			continue
		}
		secret, err := m.open(h.secretPlace(), s.Sealed)
		errs = append(errs, err)
		all = append(all, secret)
	}
	return all, errors.Join(errs...)
}
