package core_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestAppHookRules tries what a hook cannot be.
func TestAppHookRules(t *testing.T) {
	each(t, func(w *world) {
		letter := func(f func(l *core.Letter)) core.AppHookChange {
			return core.AppHookChange{EventTypes: &[]string{"user.created"}, Letter: f}
		}
		for _, c := range []struct {
			kind core.HookType
			in   core.AppHookChange
			want string // the attributes complained about
		}{
			{"carrier pigeon", core.AppHookChange{}, "hook_type"},
			{core.HookWebhook, core.AppHookChange{}, "destination"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("ftp://example.com")}, "destination"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://")}, "destination"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com:0/")}, "destination"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com:65536/")}, "destination"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com"), EventTypes: &[]string{"user.bored"}}, "event_type"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com"), Delay: ptr(core.Seconds(-1))}, "delay"},
			{core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com"), Letter: func(l *core.Letter) { l.To = "a@example.com" }}, "email_template"},
			{core.HookEmail, core.AppHookChange{}, "event_type"},
			{core.HookEmail, core.AppHookChange{EventTypes: &[]string{"user.created", "user.updated"}}, "event_type"},
			{core.HookEmail, core.AppHookChange{EventTypes: &[]string{"org.created"}}, "event_type"},
			{core.HookEmail, core.AppHookChange{EventTypes: &[]string{"user.deleted"}, Letter: func(l *core.Letter) { l.Subject, l.Template = "a", "b" }}, "event_type"},
			{core.HookEmail, core.AppHookChange{EventTypes: &[]string{"user.updated"}}, "email_subject email_template"},
			{core.HookEmail, core.AppHookChange{EventTypes: &[]string{"user.password_token.created"}, Letter: func(l *core.Letter) { l.To = "a@example.com" }}, "email_to"},
			{core.HookEmail, letter(func(l *core.Letter) { l.From = "Ann <ann@example.com>" }), "email_from"},
			{core.HookEmail, letter(func(l *core.Letter) { l.From = "ann@example.com\r\nBcc: all@example.com" }), "email_from"},
			{core.HookEmail, letter(func(l *core.Letter) { l.FromName = "Ann\r\nBcc: all@example.com" }), "email_from_name"},
			{core.HookEmail, letter(func(l *core.Letter) { l.Subject = "Hi\nBcc: all@example.com" }), "email_subject"},
			{core.HookEmail, letter(func(l *core.Letter) { l.Template = "{{user.password}}" }), "email_template"},
			{core.HookEmail, letter(func(l *core.Letter) { l.Template = "{{user.name" }), "email_template"},
			{core.HookEmail, letter(func(l *core.Letter) { l.Renderer = "latex" }), "email_renderer"},
			{core.HookEmail, letter(func(l *core.Letter) { l.LinkURL = "javascript:alert(1)" }), "email_link"},
		} {
			if _, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, c.kind, c.in, core.Request{}); attributes(err) != c.want {
				t.Errorf("Create(%s, %+v) = %v; want complaints about %s", c.kind, c.in, err, c.want)
			}
		}
	})
}

// TestAppHookDestinations asks the courier of new destinations alone: a hook whose destination came to be refused can be read and changed.
func TestAppHookDestinations(t *testing.T) {
	each(t, func(w *world) {
		const former, inside = "https://example.com/hook", "http://10.0.0.1/hook"
		c := w.withCourier()
		h, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{Destination: ptr(former)}, core.Request{})
		w.must(err)
		c.refuses = inside
		_, _, err = w.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{Destination: ptr(inside)}, core.Request{})
		if got := attributes(err); got != "destination" || !strings.Contains(err.Error(), "Destination must be another") {
			t.Errorf("a hook to what the courier refuses = %v; want what it says of the destination", err)
		}
		if _, err = w.AppHooks.Update(w.ctx, h.ID, core.AppHookChange{Destination: ptr(inside)}, core.Request{}); attributes(err) != "destination" {
			t.Errorf("a hook that is to go to what the courier refuses = %v; want a complaint about the destination", err)
		}
		c.refuses = former
		for _, destination := range []*string{nil, ptr(former)} {
			got, err := w.AppHooks.Update(w.ctx, h.ID, core.AppHookChange{State: ptr(core.StateInactive), Destination: destination}, core.Request{})
			if err != nil || got.State != core.StateInactive || got.Destination != former {
				t.Errorf("a change of a hook to what is refused by now = %+v, %v; want it made", got, err)
			}
		}
		_, err = w.AppHooks.Update(w.ctx, h.ID, core.AppHookChange{Destination: ptr(inside)}, core.Request{})
		w.must(err)
	})
}

// TestAppHookSecrets holds that secrets are shown once, kept under seal, and overlap.
func TestAppHookSecrets(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		h, first, err := w.AppHooks.Create(w.ctx, "", core.HookWebhook, core.AppHookChange{Destination: ptr("https://ann:password@example.com/")}, core.Request{})
		w.must(err)
		recs, err := w.store.Get(w.ctx, core.Key{Name: "h:" + string(h.ID)})
		w.must(err)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(first, "whsec_"))
		if err != nil || len(raw) != 32 || bytes.Contains(recs[0].Value, []byte("password")) || bytes.Contains(recs[0].Value, []byte(first[6:])) {
			t.Fatalf("secret %q, record %s; want 32 bytes, and none of it in the record", first, recs[0].Value)
		}
		_, second, err := w.AppHooks.RotateSecret(w.ctx, h.ID, core.Request{})
		w.must(err)
		secrets := func() string {
			t.Helper()
			_, err := w.Events.Ping(w.ctx, h.ID, core.Request{})
			w.must(err)
			w.must(w.DeliverNow(w.ctx))
			var all []string
			for _, s := range c.got[len(c.got)-1].Secrets {
				all = append(all, "whsec_"+base64.StdEncoding.EncodeToString(s))
			}
			return strings.Join(all, " ")
		}
		if got := secrets(); got != second+" "+first {
			t.Errorf("signed with %q; want the new secret and the former", got)
		}
		w.clock.Advance(24*time.Hour + time.Second)
		if got := secrets(); got != second {
			t.Errorf("signed with %q after a day; want the new secret alone", got)
		}

		other, err := core.NewMasterKey(bytes.Repeat([]byte{1}, core.MasterKeySize))
		w.must(err)
		former, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		both, err := core.New(core.Options{Store: w.store, MasterKey: other.Replacing(former), Now: w.clock.Now})
		w.must(err)
		_, err = both.Realms.Reseal(w.ctx)
		w.must(err)
		only, err := core.New(core.Options{Store: w.store, MasterKey: other, Now: w.clock.Now})
		w.must(err)
		if got, err := only.AppHooks.Get(w.ctx, h.ID); err != nil || got.Destination != "https://ann:password@example.com/" {
			t.Errorf("Get under the new master key = %v, %v; want the destination", got, err)
		}
	})
}

// FuzzTemplate holds that a template which is read is merged to its own text where each field stands for itself, and that
// what a value says is never read as a field.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"Hello {{user.name}}", "{{ link }}", "{{", "}}{{token}}{{", "{{{{token}}}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := core.ParseTemplate(text)
		if err != nil {
			return
		}
		again := parsed.Merge(func(field string) string { return "{{" + field + "}}" })
		once, err := core.ParseTemplate(again)
		if err != nil {
			t.Fatalf("%q merges to %q, which cannot be read: %v", text, again, err)
		}
		if twice := once.Merge(func(field string) string { return "{{" + field + "}}" }); twice != again {
			t.Errorf("%q merges to %q and then to %q", text, again, twice)
		}
		if count := strings.Count(parsed.Merge(func(string) string { return "\x00{{token}}" }), "\x00"); count > strings.Count(text, "{{")+strings.Count(text, "\x00") {
			t.Errorf("%q has %d fields", text, count)
		}
	})
}
