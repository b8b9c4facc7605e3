package client

import (
	"context"
	"iter"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about app hooks answer with.
type (
	AppHook = wire.AppHook
	Preview = wire.Preview
)

// AppHooks are who hears of events: webhooks and e-mails (Users API, "App hooks"). All calls need the manage permission.
type AppHooks struct{ c *Client }

// List returns a page of hooks.
func (s *AppHooks) List(ctx context.Context, p Page) (*List[AppHook], error) {
	return do[List[AppHook]](ctx, s.c, to("GET", "/v1/app_hooks").asking(p.values()), nil)
}

// All returns all hooks from a page on.
func (s *AppHooks) All(ctx context.Context, p Page) iter.Seq2[*AppHook, error] {
	return all(ctx, p, s.List, func(one *AppHook) string { return one.ID })
}

// Get returns a hook. It fails with ErrNotFound.
func (s *AppHooks) Get(ctx context.Context, hook string, opts ...CallOption) (*AppHook, error) {
	return do[AppHook](ctx, s.c, to("GET", "/v1/app_hooks/{hook}", hook), opts)
}

// AppHookChange is what is to be set of a hook. What is nil stays as it is; an empty text clears.
type AppHookChange struct {
	State     *string  `json:"state,omitempty"`     // active or inactive
	EventType []string `json:"event_type,omitzero"` // of a webhook any number, empty = all; of an e-mail one, user.* only
	Delay     *int64   `json:"delay,omitempty"`     // seconds

	Destination *string `json:"destination,omitempty"` // of a webhook

	EmailFrom     *string `json:"email_from,omitempty"` // of an e-mail, as are the others
	EmailFromName *string `json:"email_from_name,omitempty"`
	EmailSubject  *string `json:"email_subject,omitempty"`
	EmailTemplate *string `json:"email_template,omitempty"`
	EmailRenderer *string `json:"email_renderer,omitempty"` // html, html+text, markdown, text
	EmailTo       *string `json:"email_to,omitempty"`
	EmailLink     *string `json:"email_link,omitempty"`
	UserType      *string `json:"user_type,omitempty"` // all, human, api
}

// AppHookCreate is a hook to be made.
type AppHookCreate struct {
	HookType  string // webhook or email
	AllRealms bool   // it hears of what happens in any realm, which needs a key for all of them
	AppHookChange
}

// Create makes a hook. The answer about a webhook, and nothing ever after, has the secret that its calls are signed with. It fails
// with ErrInvalid.
func (s *AppHooks) Create(ctx context.Context, in AppHookCreate, opts ...CallOption) (*AppHook, error) {
	r := to("POST", "/v1/app_hooks")
	if in.AllRealms {
		return do[AppHook](ctx, s.c, r.about("app_hook", struct {
			HookType string  `json:"hook_type"`
			RealmID  *string `json:"realm_id"`
			AppHookChange
		}{in.HookType, nil, in.AppHookChange}), opts)
	}
	return do[AppHook](ctx, s.c, r.about("app_hook", struct {
		HookType string `json:"hook_type"`
		AppHookChange
	}{in.HookType, in.AppHookChange}), opts)
}

// Update changes a hook. It fails with ErrNotFound and ErrInvalid.
func (s *AppHooks) Update(ctx context.Context, hook string, in AppHookChange, opts ...CallOption) (*AppHook, error) {
	return do[AppHook](ctx, s.c, to("PUT", "/v1/app_hooks/{hook}", hook).about("app_hook", in), opts)
}

// Delete deletes a hook. It fails with ErrNotFound.
func (s *AppHooks) Delete(ctx context.Context, hook string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/app_hooks/{hook}", hook), nil, opts)
}

// Ping makes an event that this webhook alone hears of. How it went is in the event's notifications, later.
func (s *AppHooks) Ping(ctx context.Context, hook string, opts ...CallOption) (*Event, error) {
	return do[Event](ctx, s.c, to("POST", "/v1/app_hooks/{hook}/ping", hook), opts)
}

// RotateSecret makes a new secret, which is in this answer alone. For 24 hours calls are signed with the former one too.
func (s *AppHooks) RotateSecret(ctx context.Context, hook string, opts ...CallOption) (*AppHook, error) {
	return do[AppHook](ctx, s.c, to("POST", "/v1/app_hooks/{hook}/rotate_secret", hook), opts)
}

// Preview returns the e-mail that a user would get, or somebody made up where user is "". Nothing is sent.
func (s *AppHooks) Preview(ctx context.Context, hook, user string, opts ...CallOption) (*Preview, error) {
	r := to("POST", "/v1/app_hooks/{hook}/preview", hook).repeated(always)
	if user != "" {
		r.about("app_hook", map[string]string{"user_id": user})
	}
	return do[Preview](ctx, s.c, r, opts)
}
