package core

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// AppHooks makes and finds hooks. Safe for concurrent use.
type AppHooks struct{ d *deps }

// ErrAppHookNotFound says that there is no such hook.
var ErrAppHookNotFound = &Error{Kind: KindNotFound, Code: "app_hook_not_found", Detail: "app hook not found"}

// AppHookChange is what is to be set of a hook. What is nil stays as it is.
type AppHookChange struct {
	State       *State
	EventTypes  *[]string
	Delay       *Seconds
	Destination *string
	Letter      func(l *Letter) // changes the letter in place
}

// apply sets what in asks for.
func (h *AppHook) apply(in AppHookChange) error {
	if in.State != nil {
		h.State = *in.State
	}
	if in.EventTypes != nil {
		h.EventTypes = slices.Compact(slices.Sorted(slices.Values(*in.EventTypes)))
	}
	if in.Delay != nil {
		h.Delay = *in.Delay
	}
	if in.Destination != nil {
		h.Destination = *in.Destination
	}
	if in.Letter != nil {
		in.Letter(&h.Letter)
	}
	return h.validate()
}

// set sets what in asks for. A destination is held against what may be called where it is a new one, so that a hook
// that was made before something was forbidden can be changed all the same; what calls it looks again.
func (a *AppHooks) set(h *AppHook, in AppHookChange) error {
	former := h.Destination
	if err := h.apply(in); err != nil || h.Destination == former || a.d.courier == nil {
		return err
	}
	if why := a.d.courier.Refuses(h.Destination); why != "" {
		return invalid("destination", "Destination "+why)
	}
	return nil
}

// Create makes a hook for a realm, or with "" for all. A webhook comes with the secret that its calls are signed with, which
// is returned this once ("whsec_..."; Standard Webhooks). It fails with KindInvalid, also where there are 50 or the courier refuses
// the destination, and ErrRealmNotFound.
func (a *AppHooks) Create(ctx context.Context, realm RealmID, kind HookType, in AppHookChange, req Request) (hook *AppHook, secret string, err error) {
	err = retry(func() (err error) {
		hook, secret, err = a.create(ctx, realm, kind, in, req)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return hook, secret, nil
}

// create tries once.
func (a *AppHooks) create(ctx context.Context, realm RealmID, kind HookType, in AppHookChange, req Request) (*AppHook, string, error) {
	now, err := a.d.clock.now()
	if err != nil {
		return nil, "", err
	}
	enter, err := a.room(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	h := &AppHook{Realm: realm, Type: kind, State: StateActive, CreatedAt: Instant{now}}
	if err := a.set(h, in); err != nil {
		return nil, "", err
	}
	b, err := a.d.ids.bucket()
	if err != nil {
		return nil, "", err
	}
	id, err := a.d.ids.id(prefixAppHook, b)
	if err != nil {
		return nil, "", err
	}
	h.ID = AppHookID(id)
	secret, err := a.seal(h)
	if err != nil {
		return nil, "", err
	}
	c := a.d.change(Partition{}, now)
	enter(c)
	c.create(h, noExpiry)
	c.index(indexHooks, h.member())
	c.event(Event{Realm: realm, Type: eventHookCreated, AppHook: h.ID, Request: req.clean()})
	if err := c.commit(ctx); err != nil {
		return nil, "", fmt.Errorf("core: create app hook: %w", err)
	}
	return h, secret, nil
}

// presets adds to the making of a realm the hook that clients of the Users API count on: whoever forgot their password gets the
// token by e-mail ("Generate a password token").
func (c *change) presets(realm RealmID, req Request) {
	b, _ := bucketOf(string(realm))
	id, err := c.d.ids.id(prefixAppHook, b)
	if err != nil {
		c.err = err
		return
	}
	h := &AppHook{ID: AppHookID(id), Realm: realm, Type: HookEmail, State: StateActive, EventTypes: []string{eventResetCreated},
		Letter: Letter{UserType: UserHuman}, CreatedAt: Instant{c.tx.Now}, Preset: true}
	c.create(h, noExpiry)
	c.index(indexHooks, h.member())
	c.event(Event{Realm: realm, Type: eventHookCreated, AppHook: h.ID, Request: req.clean()})
}

// room refuses a hook too many, and one of a realm that is not there. Else it returns what enters one in the roster.
func (a *AppHooks) room(ctx context.Context, realm RealmID) (enter func(*change), err error) {
	if realm != "" {
		if _, err := a.d.realms.Get(ctx, realm); err != nil {
			return nil, err
		}
	}
	if enter, err = a.d.roster(ctx, rosterHooks, realm); err != nil {
		return nil, err
	}
	members, err := a.members(ctx, realm)
	if err != nil {
		return nil, err
	}
	if len(members) >= maxHooks {
		return nil, &Error{Kind: KindInvalid, Code: "too_many_app_hooks", Fields: []FieldError{{"base", fmt.Sprintf("There are %d app hooks already, which is the most", maxHooks)}}}
	}
	return enter, nil
}

// seal seals the destination of a hook, and gives a webhook that has none a secret, which it returns.
func (a *AppHooks) seal(h *AppHook) (secret string, err error) {
	if h.Type != HookWebhook {
		return "", nil
	}
	if h.SealedDestination, err = a.d.master.seal(a.d.random, h.destinationPlace(), []byte(h.Destination)); err != nil {
		return "", err
	}
	if len(h.Secrets) > 0 {
		return "", nil
	}
	return a.addSecret(h)
}

// addSecret gives a webhook a secret, and returns it.
func (a *AppHooks) addSecret(h *AppHook) (string, error) {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(a.d.random, secret); err != nil {
		return "", errors.Join(ErrInternal, err)
	}
	sealed, err := a.d.master.seal(a.d.random, h.secretPlace(), secret)
	if err != nil {
		return "", err
	}
	h.Secrets = append([]hookSecret{{Sealed: sealed}}, h.Secrets...)
	return "whsec_" + base64.StdEncoding.EncodeToString(secret), nil
}

// Get returns a hook by its id, or ErrAppHookNotFound.
func (a *AppHooks) Get(ctx context.Context, id AppHookID) (*AppHook, error) {
	h, _, err := a.get(ctx, id)
	return h, err
}

// get reads a hook and its version.
func (a *AppHooks) get(ctx context.Context, id AppHookID) (*AppHook, uint64, error) {
	if !validID(prefixAppHook, string(id)) {
		return nil, 0, ErrAppHookNotFound
	}
	h := &AppHook{}
	version, found, err := a.d.load(ctx, appHookKey(id), h)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get app hook: %w", err)
	}
	if !found {
		return nil, 0, ErrAppHookNotFound
	}
	return h, version, h.open(a.d.master)
}

// Update changes a hook. What it is to hear of is settled when an event is read from the log, and where it is told when
// that is tried, so a change is felt by deliveries that are due. It fails with ErrAppHookNotFound and KindInvalid.
func (a *AppHooks) Update(ctx context.Context, id AppHookID, in AppHookChange, req Request) (*AppHook, error) {
	var hook *AppHook
	err := a.change(ctx, id, req, func(h *AppHook, _ time.Time) error {
		hook = h
		if err := a.set(h, in); err != nil {
			return err
		}
		h.Preset = false
		_, err := a.seal(h)
		return err
	})
	return hook, err
}

// errNoSecret says that an e-mail hook has nothing to sign with.
var errNoSecret = &Error{Kind: KindConflict, Code: "not_a_webhook", Detail: "only webhooks have a secret"}

// RotateSecret gives a webhook a new secret, and returns it this once. For 24 hours calls carry a signature by the former
// one too. It fails with ErrAppHookNotFound, and KindConflict for an e-mail hook.
func (a *AppHooks) RotateSecret(ctx context.Context, id AppHookID, req Request) (hook *AppHook, secret string, err error) {
	err = a.change(ctx, id, req, func(h *AppHook, now time.Time) (err error) {
		if hook = h; h.Type != HookWebhook {
			return errNoSecret
		}
		h.Secrets = h.Secrets[:min(1, len(h.Secrets))] // the newest only: one overlap at a time
		for i := range h.Secrets {
			h.Secrets[i].Until = Instant{now.Add(secretOverlap)}
		}
		secret, err = a.addSecret(h)
		return err
	})
	return hook, secret, err
}

// change reads a hook, has it changed, and writes it.
func (a *AppHooks) change(ctx context.Context, id AppHookID, req Request, f func(*AppHook, time.Time) error) error {
	return retry(func() error {
		now, err := a.d.clock.now()
		if err != nil {
			return err
		}
		h, version, err := a.get(ctx, id)
		if err != nil {
			return err
		}
		if err := f(h, now); err != nil {
			return err
		}
		c := a.d.change(Partition{}, now)
		c.replace(h, version, noExpiry)
		c.event(Event{Realm: h.Realm, Type: eventHookUpdated, AppHook: id, Request: req.clean()})
		return c.commit(ctx)
	})
}

// Delete removes a hook; what it was still to hear of is canceled. It fails with ErrAppHookNotFound.
func (a *AppHooks) Delete(ctx context.Context, id AppHookID, req Request) error {
	return retry(func() error {
		now, err := a.d.clock.now()
		if err != nil {
			return err
		}
		h, version, err := a.get(ctx, id)
		if err != nil {
			return err
		}
		c := a.d.change(Partition{}, now)
		c.remove(h.key(Partition{}), version)
		c.unindex(indexHooks, h.member())
		c.event(Event{Realm: h.Realm, Type: eventHookDeleted, AppHook: id, Request: req.clean()})
		return c.commit(ctx)
	})
}

// members returns the places of a realm's hooks, or with "" of those for all realms: at most maxHooks.
func (a *AppHooks) members(ctx context.Context, realm RealmID) ([]string, error) {
	members, err := a.d.store.Range(ctx, Range{Index: Index{Name: indexHooks}, From: string(realm) + "\x00", To: string(realm) + "\x01", Limit: maxHooks})
	if err != nil {
		return nil, fmt.Errorf("core: list app hooks: %w", err)
	}
	return members, nil
}

// hookAt returns the hook that a place among hooks is of.
func hookAt(member string) AppHookID { return AppHookID(member[strings.IndexByte(member, 0)+1:]) }

// List returns the hooks of a realm, those for all realms among them, by id. There are at most 100.
func (a *AppHooks) List(ctx context.Context, realm RealmID) ([]*AppHook, error) {
	hooks, err := a.sealed(ctx, realm)
	for _, h := range hooks {
		err = errors.Join(err, h.open(a.d.master))
	}
	slices.SortFunc(hooks, func(a, b *AppHook) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return hooks, err
}

// sealed returns the hooks of a realm and those for all, without what is sealed of them.
func (a *AppHooks) sealed(ctx context.Context, realm RealmID) ([]*AppHook, error) {
	members, err := a.members(ctx, "")
	if err != nil {
		return nil, err
	}
	if realm != "" {
		own, err := a.members(ctx, realm)
		if err != nil {
			return nil, err
		}
		members = append(members, own...)
	}
	return a.load(ctx, members)
}

// load reads the hooks that have these places.
func (a *AppHooks) load(ctx context.Context, members []string) ([]*AppHook, error) {
	if len(members) == 0 {
		return nil, nil
	}
	keys := make([]Key, len(members))
	for i, m := range members {
		keys[i] = appHookKey(hookAt(m))
	}
	recs, err := a.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: list app hooks: %w", err)
	}
	var hooks []*AppHook
	for i := range recs {
		h := &AppHook{}
		found, err := decode(keys[i], recs[i], h)
		if err != nil {
			return nil, err
		}
		if found {
			hooks = append(hooks, h)
		}
	}
	return hooks, nil
}

// reseal seals what hooks hold under the current master key, and returns how many hooks it changed.
func (a *AppHooks) reseal(ctx context.Context) (int, error) {
	count, from := 0, ""
	for {
		members, err := a.d.store.Range(ctx, Range{Index: Index{Name: indexHooks}, From: from, Limit: 100})
		if err != nil {
			return count, fmt.Errorf("core: reseal app hooks: %w", err)
		}
		for _, m := range members {
			from = m + "\x00"
			err := retry(func() error {
				n, err := a.resealOne(ctx, hookAt(m))
				count += n
				return err
			})
			if err != nil && !errors.Is(err, ErrAppHookNotFound) {
				return count, err
			}
		}
		if len(members) < 100 {
			return count, nil
		}
	}
}

// resealOne seals what one hook holds.
func (a *AppHooks) resealOne(ctx context.Context, id AppHookID) (int, error) {
	now, err := a.d.clock.now()
	if err != nil {
		return 0, err
	}
	h, version, err := a.get(ctx, id)
	if err != nil {
		return 0, err
	}
	if h.Type != HookWebhook || a.d.master.sealedHere(h.SealedDestination) {
		return 0, nil
	}
	if _, err := a.seal(h); err != nil {
		return 0, err
	}
	for i, s := range h.Secrets {
		secret, err := a.d.master.open(h.secretPlace(), s.Sealed)
		if err != nil {
			return 0, err
		}
		if h.Secrets[i].Sealed, err = a.d.master.seal(a.d.random, h.secretPlace(), secret); err != nil {
			return 0, err
		}
	}
	c := a.d.change(Partition{}, now)
	c.replace(h, version, noExpiry)
	return 1, c.commit(ctx)
}
