package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options configures a Client. URL is required.
type Options struct {
	// URL is where the API is, with or without its /v1: "https://auth.example.com", "http://127.0.0.1:8470". It must be HTTPS
	// unless it names this machine.
	URL string

	// Key is a management key ("ko_..."). Without one, only what needs none can be called: a user's own Me and DeleteMe, the
	// calls of account providers, and public keys.
	Key string

	// Realm is the realm that calls act in, by id or name. It is needed with a key for all realms; see also Client.InRealm.
	Realm string

	// HTTPClient carries the requests; default one of its own. Its redirects are not followed, and where it has a Timeout, that
	// cuts imports and exports too.
	HTTPClient *http.Client

	// UserAgent is put before the client's own name in User-Agent: "shop/1.4".
	UserAgent string

	// Timeout bounds each try of a call, but for imports and exports, which only their context does; default 30 s.
	Timeout time.Duration

	// Tries is how often a call is tried at most; default 3, and 1 is never again.
	Tries int

	// MaxWait is the longest wait between two tries; default 5 s. Where the server asks for a longer one, the call fails, and the
	// error says when it may be made again.
	MaxWait time.Duration

	// AllowPlainHTTP lets URL be plain HTTP to another machine: keys, passwords and tokens can be read on the way.
	AllowPlainHTTP bool
}

// Client calls the API. Safe for concurrent use.
type Client struct {
	Users          *Users
	UserTokens     *UserTokens
	Credentials    *Credentials
	Sessions       *Sessions
	Orgs           *Orgs
	Memberships    *Memberships
	Realms         *Realms
	APTKeys        *APTKeys
	JWTKeys        *JWTKeys
	ManagementKeys *ManagementKeys
	AuthProviders  *AuthProviders
	LoginPolicies  *LoginPolicies
	Events         *Events
	AppHooks       *AppHooks

	options Options // without what is secret
	base    string  // the URL, without /v1 and without a slash at its end
	http    *http.Client
	key     func() string                                    // a func, so that printing a Client does not show it
	pause   func(ctx context.Context, d time.Duration) error // between two tries
	now     func() time.Time
	longest int64 // answer that is read, in bytes
}

// New returns a Client. It calls nobody. It fails with all that is wrong with the options at once.
func New(o Options) (*Client, error) {
	base, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	key := o.Key
	c := &Client{base: base, http: sender(o.HTTPClient), key: func() string { return key }, pause: pause, now: time.Now, longest: maxBody}
	o.Key, o.HTTPClient = "", nil
	c.options = o
	c.serve()
	return c, nil
}

// serve sets up the services.
func (c *Client) serve() {
	c.Users = &Users{c}
	c.UserTokens = &UserTokens{c}
	c.Credentials = &Credentials{c}
	c.Sessions = &Sessions{c}
	c.Orgs = &Orgs{c}
	c.Memberships = &Memberships{c}
	c.Realms = &Realms{c}
	c.APTKeys = &APTKeys{c}
	c.JWTKeys = &JWTKeys{c}
	c.ManagementKeys = &ManagementKeys{c}
	c.AuthProviders = &AuthProviders{c}
	c.LoginPolicies = &LoginPolicies{c}
	c.Events = &Events{c}
	c.AppHooks = &AppHooks{c}
}

// InRealm returns a Client like c whose calls act in another realm, by id or name.
func (c *Client) InRealm(realm string) *Client {
	other := *c
	other.options.Realm = realm
	other.serve()
	return &other
}

// String returns what may be shown of a Client.
func (c *Client) String() string { return "postern client of " + c.base }

// validate fills defaults and returns the base of all URLs.
func (o *Options) validate() (string, error) {
	var errs []error
	base, err := baseURL(o.URL, o.AllowPlainHTTP)
	errs = append(errs, err)
	for name, text := range map[string]string{"Key": o.Key, "Realm": o.Realm, "UserAgent": o.UserAgent} {
		if strings.ContainsFunc(text, notInHeader) {
			errs = append(errs, fmt.Errorf("%s holds a character that cannot be sent in a header: is there a line break at its end?", name))
		}
	}
	if o.Timeout < 0 || o.Tries < 0 || o.MaxWait < 0 {
		errs = append(errs, errors.New("none of Timeout, Tries and MaxWait may be negative"))
	}
	o.Timeout, o.Tries, o.MaxWait = cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.Tries, 3), cmp.Or(o.MaxWait, 5*time.Second)
	return base, errors.Join(errs...)
}

// notInHeader reports whether a character is none that headers of ours have.
func notInHeader(r rune) bool { return r < ' ' || r > '~' }

// baseURL checks an URL and returns what all addresses of the API begin with. Its errors do not show the URL, which may hold
// a password.
func baseURL(text string, plain bool) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New(`URL must be like "https://auth.example.com"`)
	case u.User != nil:
		return "", errors.New("URL must not hold a name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("URL must not hold a query or a fragment")
	case u.Scheme == "http" && !plain && !loopback(u.Hostname()):
		return "", errors.New("URL is plain HTTP to another machine, where keys, passwords and tokens can be read on the way: use https, or set AllowPlainHTTP")
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/v1")
	return u.Scheme + "://" + u.Host + strings.TrimRight(path, "/"), nil
}

// loopback reports whether a host is this machine (RFC 6761 §6.3).
func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// sender returns what carries requests: as given, but that it follows no redirect, since it would carry the key elsewhere.
func sender(given *http.Client) *http.Client {
	h := http.Client{}
	if given != nil {
		h = *given
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = t.MaxIdleConns // there is one host: with the default of 2, calls in parallel would connect anew
		h.Transport = t
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// pause waits for d, or fails when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// neverSent reports whether a request failed before any of it was sent.
func neverSent(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
