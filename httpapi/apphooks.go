package httpapi

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/letter"
)

// Hooks hear of all that happens in a realm, and those without a realm of what happens in any: these are for holders
// of a management key for all realms.

// hook returns the hook that the path names, if it is the realm's of the call, or without a realm and the key is for all.
func (a *API) hook(c *call) (*core.AppHook, core.RealmID, error) {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return nil, "", err
	}
	realm, err := a.realm(c, key)
	if err != nil {
		return nil, "", err
	}
	h, err := a.core.AppHooks.Get(c.Context(), core.AppHookID(c.segment("hook")))
	if err != nil {
		return nil, "", err
	}
	if h.Realm != realm && (h.Realm != "" || key.Realm != "") {
		return nil, "", core.ErrAppHookNotFound
	}
	return h, realm, nil
}

// listAppHooks serves GET /v1/app_hooks?after=&max_results=: the realm's, and to a key for all realms those without one.
func (a *API) listAppHooks(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return err
	}
	realm, err := a.realm(c, key)
	if err != nil {
		return err
	}
	q := fields{}
	page := pageByID(&q, q.query(c.URL.RawQuery), "hk_", "an app hook")
	if err := q.wrong(); err != nil {
		return err
	}
	hooks, err := a.core.AppHooks.List(c.Context(), realm)
	if err != nil {
		return err
	}
	hooks = slices.DeleteFunc(hooks, func(h *core.AppHook) bool { return h.Realm == "" && key.Realm != "" })
	write(w, http.StatusOK, mediaJSON, listed(page, hooks, func(h *core.AppHook) string { return string(h.ID) }, appHookBody))
	return nil
}

// getAppHook serves GET /v1/app_hooks/{hook}.
func (a *API) getAppHook(w http.ResponseWriter, c *call) error {
	h, _, err := a.hook(c)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, appHookBody(h))
	return nil
}

// createAppHook serves POST /v1/app_hooks. "realm_id": null makes one for all realms. The answer about a webhook, and
// nothing ever after, has the secret that its calls are signed with.
func (a *API) createAppHook(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return err
	}
	b, err := c.readBody(w, "app_hook")
	if err != nil {
		return err
	}
	var realm core.RealmID
	if string(b.object.members.value("realm_id")) != "null" {
		if realm, err = a.realm(c, key); err != nil {
			return err
		}
	} else if key.Realm != "" {
		return errRealm
	}
	f := &b.object
	f.ignore("realm_id")
	kind := core.HookType(cmp.Or(orEmpty(f.text("hook_type")), string(core.HookWebhook)))
	in := f.appHook()
	if err := b.end(); err != nil {
		return err
	}
	h, secret, err := a.core.AppHooks.Create(c.Context(), realm, kind, in, b.request)
	if err != nil {
		return err
	}
	body := appHookBody(h)
	body.Secret, c.shownOnce = secret, secret != ""
	write(w, http.StatusCreated, mediaJSON, body)
	return nil
}

// updateAppHook serves PUT /v1/app_hooks/{hook}.
func (a *API) updateAppHook(w http.ResponseWriter, c *call) error {
	b, h, err := a.hookBody(w, c)
	if err != nil {
		return err
	}
	f := &b.object
	in := f.appHook()
	f.ignore("id", "realm_id", "hook_type", "created_at", "object")
	if err := b.end(); err != nil {
		return err
	}
	if h, err = a.core.AppHooks.Update(c.Context(), h.ID, in, b.request); err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, appHookBody(h))
	return nil
}

// hookBody returns the hook that the path names with the body of the call.
func (a *API) hookBody(w http.ResponseWriter, c *call) (*body, *core.AppHook, error) {
	b, h, _, err := a.hookBodyIn(w, c)
	return b, h, err
}

// hookBodyIn is hookBody for a call that takes the realm too, which the body may name.
func (a *API) hookBodyIn(w http.ResponseWriter, c *call) (*body, *core.AppHook, core.RealmID, error) {
	if _, err := a.permitted(c, core.PermissionManage); err != nil {
		return nil, nil, "", err
	}
	b, err := c.readBody(w, "app_hook")
	if err != nil {
		return nil, nil, "", err
	}
	h, realm, err := a.hook(c)
	return b, h, realm, err
}

// appHook takes what may be set of a hook.
func (f *fields) appHook() core.AppHookChange {
	in := core.AppHookChange{State: word[core.State](f, "state"), Destination: f.optional("destination"), Delay: f.delay()}
	if f.members.has("event_type") {
		types := f.texts("event_type")
		in.EventTypes = &types
	}
	set := map[string]*string{}
	for _, name := range []string{"email_from", "email_from_name", "email_subject", "email_template", "email_renderer", "email_to", "email_link", "user_type"} {
		if text := f.optional(name); text != nil {
			set[name] = text
		}
	}
	if len(set) > 0 {
		in.Letter = func(l *core.Letter) { setLetter(l, set) }
	}
	return in
}

// setLetter sets what a call says of a letter.
func setLetter(l *core.Letter, set map[string]*string) {
	for name, to := range map[string]*string{"email_from": &l.From, "email_from_name": &l.FromName, "email_subject": &l.Subject,
		"email_template": &l.Template, "email_to": &l.To, "email_link": &l.LinkURL} {
		if text := set[name]; text != nil {
			*to = *text
		}
	}
	if text := set["email_renderer"]; text != nil {
		l.Renderer = core.Renderer(*text)
	}
	if text := set["user_type"]; text != nil {
		l.UserType = core.UserType(*text)
		if *text == "all" {
			l.UserType = ""
		}
	}
}

// delay takes a number of seconds.
func (f *fields) delay() *core.Seconds {
	raw, there := f.take("delay")
	var seconds *core.Seconds
	if there && !f.read(raw, &seconds) {
		f.complain("delay", "must be a whole number of seconds")
	}
	return seconds
}

// deleteAppHook serves DELETE /v1/app_hooks/{hook}.
func (a *API) deleteAppHook(w http.ResponseWriter, c *call) error {
	b, h, err := a.hookBody(w, c)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	if err := a.core.AppHooks.Delete(c.Context(), h.ID, b.request); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// pingAppHook serves POST /v1/app_hooks/{hook}/ping: an event that this webhook alone hears of. How it went is in the event's
// notifications.
func (a *API) pingAppHook(w http.ResponseWriter, c *call) error {
	b, h, err := a.hookBody(w, c)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	event, err := a.core.Events.Ping(c.Context(), h.ID, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusAccepted, mediaJSON, EventBody(event))
	return nil
}

// rotateAppHookSecret serves POST /v1/app_hooks/{hook}/rotate_secret. The answer, and nothing ever after, has the new
// secret; for 24 hours calls are signed with the former one too.
func (a *API) rotateAppHookSecret(w http.ResponseWriter, c *call) error {
	b, h, err := a.hookBody(w, c)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	h, secret, err := a.core.AppHooks.RotateSecret(c.Context(), h.ID, b.request)
	if err != nil {
		return err
	}
	body := appHookBody(h)
	body.Secret = secret
	write(w, http.StatusOK, mediaJSON, body)
	return nil
}

// previewAppHook serves POST /v1/app_hooks/{hook}/preview: the e-mail that a user would get, or somebody made up where no
// user_id is given. Nothing is sent, and the token in it is none.
func (a *API) previewAppHook(w http.ResponseWriter, c *call) error {
	b, h, realm, err := a.hookBodyIn(w, c)
	if err != nil {
		return err
	}
	user := core.UserID(orEmpty(b.object.text("user_id")))
	if err := b.end(); err != nil {
		return err
	}
	delivery, err := a.core.AppHooks.Preview(c.Context(), h, realm, user)
	if err != nil {
		return err
	}
	l, err := letter.Write(h, delivery.Fields)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, wire.Preview{From: delivery.From, To: delivery.To, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Object: "preview"})
	return nil
}

// appHookBody returns a hook as it is answered.
func appHookBody(h *core.AppHook) wire.AppHook {
	body := wire.AppHook{
		ID: string(h.ID), RealmID: orNull(string(h.Realm)), State: string(h.State), HookType: string(h.Type),
		EventType: append([]string{}, h.EventTypes...), Delay: int64(h.Delay), CreatedAt: wire.Time{Time: h.CreatedAt.Time}, Object: "app_hook",
	}
	if h.Type == core.HookWebhook {
		body.Destination = &h.Destination
		return body
	}
	l, renderer, userType := &h.Letter, string(h.Letter.Renderer), string(h.Letter.UserType)
	if renderer == "" {
		renderer = string(core.RenderMarkdown)
	}
	if userType == "" {
		userType = "all"
	}
	body.EmailFrom, body.EmailFromName, body.EmailSubject, body.EmailTemplate = &l.From, &l.FromName, &l.Subject, &l.Template
	body.EmailRenderer, body.EmailTo, body.EmailLink, body.UserType = &renderer, &l.To, &l.LinkURL, &userType
	return body
}
