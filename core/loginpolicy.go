package core

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// LoginPolicy is how a realm's sign-in pages look and where they lead (Users API, "Login policies"). It is kept for
// whoever shows such pages; nothing here follows it.
type LoginPolicy struct {
	ID            LoginPolicyID `json:"id"`
	Realm         RealmID       `json:"realm"`
	Name          string        `json:"name"`
	Subdomain     string        `json:"subdomain,omitempty"`
	Domains       []string      `json:"domains,omitempty"`
	Header        string        `json:"header,omitempty"` // HTML, as it was sent
	Footer        string        `json:"footer,omitempty"` // HTML, as it was sent
	ExternalCSS   string        `json:"css,omitempty"`
	LoginHandler  string        `json:"login,omitempty"`
	SignupHandler string        `json:"signup,omitempty"`
	RedirectURIs  []string      `json:"redirects,omitempty"`
	CreatedAt     Instant       `json:"created"`
}

func (l *LoginPolicy) key(Partition) Key { return loginPolicyKey(l.ID) }

// member is a policy's place among its realm's: the order in which they were made.
func (l *LoginPolicy) member() string { return string(l.ID) }

// LoginPolicyChange is what is to be set of a login policy. What is nil stays as it is.
type LoginPolicyChange struct {
	Name          *string   // 1 to 100 characters
	Subdomain     *string   // one label of a host name, or ""
	Domains       *[]string // host names, at most 20
	Header        *string   // at most 16 KiB
	Footer        *string   // at most 16 KiB
	ExternalCSS   *string   // an http or https URL, or ""
	LoginHandler  *string   // the same
	SignupHandler *string   // the same
	RedirectURIs  *[]string // http or https URLs, at most 50
}

// Bounds of login policies.
const (
	maxPolicies      = 100 // of a realm
	maxPolicyText    = 16 << 10
	maxPolicyURL     = 2048
	maxPolicyDomains = 20
	maxRedirectURIs  = 50
)

// Failures of login policies.
var (
	ErrLoginPolicyNotFound = &Error{Kind: KindNotFound, Code: "login_policy_not_found", Detail: "login policy not found"}
	errTooManyPolicies     = &Error{Kind: KindConflict, Code: "too_many_policies", Detail: "a realm has at most 100 login policies; delete one first"}
)

// apply sets what in asks for.
func (l *LoginPolicy) apply(in LoginPolicyChange) error {
	var errs fieldErrors
	errs.text(&l.Name, in.Name, "name", "Name")
	l.Name = strings.TrimSpace(l.Name)
	errs.check(l.Name != "", "name", "Name can't be blank")
	if in.Subdomain != nil {
		l.Subdomain = strings.ToLower(*in.Subdomain)
		errs.check(l.Subdomain == "" || isHostLabel(l.Subdomain), "subdomain", "Subdomain must be one part of a host name")
	}
	if in.Domains != nil {
		l.Domains = *in.Domains
		errs.check(len(l.Domains) <= maxPolicyDomains && all(l.Domains, isHostName), "domains", "Domains must be at most 20 host names")
	}
	errs.page(&l.Header, in.Header, "header", "Header")
	errs.page(&l.Footer, in.Footer, "footer", "Footer")
	errs.link(&l.ExternalCSS, in.ExternalCSS, "external_css", "External css")
	errs.link(&l.LoginHandler, in.LoginHandler, "login_handler", "Login handler")
	errs.link(&l.SignupHandler, in.SignupHandler, "signup_handler", "Signup handler")
	if in.RedirectURIs != nil {
		l.RedirectURIs = *in.RedirectURIs
		errs.check(len(l.RedirectURIs) <= maxRedirectURIs && all(l.RedirectURIs, isWebURL), "redirect_uris", "Redirect uris must be at most 50 http or https URLs")
	}
	return errs.err()
}

// all reports whether each text is as it should be.
func all(texts []string, is func(string) bool) bool {
	for _, t := range texts {
		if !is(t) {
			return false
		}
	}
	return true
}

// isHostLabel reports whether s is one part of a host name, in lower case (RFC 1123 §2.1).
func isHostLabel(s string) bool {
	return only(s, "0123456789abcdefghijklmnopqrstuvwxyz-", 1, 63) && s[0] != '-' && s[len(s)-1] != '-'
}

func isHostName(s string) bool { return len(s) <= 253 && all(strings.Split(s, "."), isHostLabel) }

// isWebURL reports whether s is an absolute http or https URL without user and password.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxPolicyURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// page sets a piece of HTML.
func (f *fieldErrors) page(to, from *string, attribute, label string) {
	if from == nil {
		return
	}
	f.check(len(*from) <= maxPolicyText && utf8.ValidString(*from), attribute, label+" is too long (maximum is 16 KiB)")
	*to = *from
}

// link sets a URL, or none.
func (f *fieldErrors) link(to, from *string, attribute, label string) {
	if from == nil {
		return
	}
	f.check(*from == "" || isWebURL(*from), attribute, label+" must be an http or https URL")
	*to = *from
}

// LoginPolicies keeps the login policies of realms. Safe for concurrent use.
type LoginPolicies struct{ d *deps }

// Create makes a login policy. It fails with KindInvalid, KindConflict (there are 100) and ErrRealmNotFound.
func (l *LoginPolicies) Create(ctx context.Context, realm RealmID, in LoginPolicyChange, req Request) (policy *LoginPolicy, err error) {
	err = retry(func() (err error) {
		policy, err = l.create(ctx, realm, in, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return policy, nil
}

// create tries once.
func (l *LoginPolicies) create(ctx context.Context, realm RealmID, in LoginPolicyChange, req Request) (*LoginPolicy, error) {
	enter, err := l.d.roster(ctx, rosterPolicies, realm)
	if err != nil {
		return nil, err
	}
	list, err := l.List(ctx, realm)
	if err != nil {
		return nil, err
	}
	if len(list) >= maxPolicies {
		return nil, errTooManyPolicies
	}
	now, err := l.d.clock.now()
	if err != nil {
		return nil, err
	}
	b, _ := bucketOf(string(realm))
	id, err := l.d.ids.id(prefixLoginPolicy, b)
	if err != nil {
		return nil, err
	}
	policy := &LoginPolicy{ID: LoginPolicyID(id), Realm: realm, CreatedAt: Instant{now}}
	if err := policy.apply(in); err != nil {
		return nil, err
	}
	c := l.d.change(Partition{}, now)
	enter(c)
	c.create(policy, noExpiry)
	c.index(loginPoliciesIndex(realm).Name, policy.member())
	c.event(policy.event(eventPolicyCreated, req))
	return policy, c.commit(ctx)
}

// event returns what tells of a change of l.
func (l *LoginPolicy) event(name string, req Request) Event {
	return Event{Realm: l.Realm, Type: name, LoginPolicy: l.ID, Request: req.clean()}
}

// List returns a realm's login policies, the oldest first. It fails with ErrRealmNotFound.
func (l *LoginPolicies) List(ctx context.Context, realm RealmID) ([]*LoginPolicy, error) {
	if _, err := l.d.realms.Get(ctx, realm); err != nil {
		return nil, err
	}
	members, err := l.d.store.Range(ctx, Range{Index: loginPoliciesIndex(realm), Limit: MaxRange})
	if err != nil || len(members) == 0 {
		return nil, err
	}
	keys := make([]Key, len(members))
	for i, m := range members {
		keys[i] = loginPolicyKey(LoginPolicyID(m))
	}
	recs, err := l.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: list login policies: %w", err)
	}
	var list []*LoginPolicy
	for i := range recs {
		policy := &LoginPolicy{}
		found, err := decode(keys[i], recs[i], policy)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, policy)
		}
	}
	return list, nil
}

// Get returns a login policy, or ErrLoginPolicyNotFound.
func (l *LoginPolicies) Get(ctx context.Context, realm RealmID, id LoginPolicyID) (*LoginPolicy, error) {
	policy, _, err := l.read(ctx, realm, id)
	return policy, err
}

// read reads a login policy and its version.
func (l *LoginPolicies) read(ctx context.Context, realm RealmID, id LoginPolicyID) (*LoginPolicy, uint64, error) {
	if _, err := l.d.realms.Get(ctx, realm); err != nil {
		return nil, 0, err
	}
	if !validID(prefixLoginPolicy, string(id)) {
		return nil, 0, ErrLoginPolicyNotFound
	}
	policy := &LoginPolicy{}
	version, found, err := l.d.load(ctx, loginPolicyKey(id), policy)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get login policy: %w", err)
	}
	if !found || policy.Realm != realm {
		return nil, 0, ErrLoginPolicyNotFound
	}
	return policy, version, nil
}

// Update changes a login policy. It fails with KindInvalid and ErrLoginPolicyNotFound.
func (l *LoginPolicies) Update(ctx context.Context, realm RealmID, id LoginPolicyID, in LoginPolicyChange, req Request) (*LoginPolicy, error) {
	var policy *LoginPolicy
	err := retry(func() error {
		now, err := l.d.clock.now()
		if err != nil {
			return err
		}
		var version uint64
		if policy, version, err = l.read(ctx, realm, id); err != nil {
			return err
		}
		if err := policy.apply(in); err != nil {
			return err
		}
		c := l.d.change(Partition{}, now)
		c.replace(policy, version, noExpiry)
		c.event(policy.event(eventPolicyUpdated, req))
		return c.commit(ctx)
	})
	return policy, err
}

// Delete removes a login policy. It fails with ErrLoginPolicyNotFound.
func (l *LoginPolicies) Delete(ctx context.Context, realm RealmID, id LoginPolicyID, req Request) error {
	return retry(func() error {
		now, err := l.d.clock.now()
		if err != nil {
			return err
		}
		policy, version, err := l.read(ctx, realm, id)
		if err != nil {
			return err
		}
		c := l.d.change(Partition{}, now)
		c.remove(policy.key(Partition{}), version)
		c.unindex(loginPoliciesIndex(realm).Name, policy.member())
		c.event(policy.event(eventPolicyDeleted, req))
		return c.commit(ctx)
	})
}

// sweepLoginPolicies deletes some of a realm's login policies.
func (d *deps) sweepLoginPolicies(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	index := loginPoliciesIndex(realm.ID)
	members, err := d.store.Range(ctx, Range{Index: index, Limit: maxPolicies})
	if err != nil || len(members) == 0 {
		return false, err
	}
	c := d.change(Partition{}, now)
	for _, m := range members {
		c.unindex(index.Name, m)
		c.tx.Delete = append(c.tx.Delete, loginPolicyKey(LoginPolicyID(m)).Name)
	}
	return true, c.commit(ctx)
}
