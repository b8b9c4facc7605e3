package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
	"github.com/postern-auth/postern/internal/seldom"
)

// DefaultMount is the path that the pages are under unless told otherwise.
const DefaultMount = "/auth"

// Realms finds the realm whose users sign in. It fails with core.ErrRealmNotFound.
type Realms interface {
	Find(ctx context.Context, idOrName string) (*core.Realm, error)
}

// Passwords checks passwords (core.Passwords).
type Passwords interface {
	Authenticate(ctx context.Context, realm core.RealmID, idOrName, password string, req core.Request) (*core.SignedIn, error)
}

// SecondFactors completes sign-ins that wait for a code (core.SecondFactors).
type SecondFactors interface {
	Complete(ctx context.Context, realm core.RealmID, idOrName, token, code string, req core.Request) (*core.SignedIn, error)
}

// Sessions ends sessions (core.Sessions).
type Sessions interface {
	ByToken(ctx context.Context, realm core.RealmID, token string) (*core.Session, *core.User, error)
	Delete(ctx context.Context, realm core.RealmID, id core.SessionID, req core.Request) error
}

// Cookies makes the cookies that hold a session token, and what a device is known by (guard.Guard).
type Cookies interface {
	SessionCookie(token string, until time.Time) *http.Cookie
	DeviceCookie(text string, until time.Time) *http.Cookie
	NoSessionCookie() *http.Cookie
}

var (
	_ Realms    = (*core.Realms)(nil)
	_ Passwords = (*core.Passwords)(nil)
	_ Sessions  = (*core.Sessions)(nil)

	_ SecondFactors = (*core.SecondFactors)(nil)
)

// Options configures Pages. All but Mount, Origins, Title, Forgot, SignUp, Address, Logger and Now are required.
type Options struct {
	Realms        Realms
	Passwords     Passwords
	SecondFactors SecondFactors
	Sessions      Sessions
	Cookies       Cookies

	Realm   string   // id or name of the realm whose users sign in; default "default"
	Mount   string   // path that the pages are under, without a slash at its end; default DefaultMount
	Origins []string // besides the pages' own: where one may return to after signing in, such as https://app.example.com
	Title   string   // what people sign in to; at most 100 bytes; default the host that they reach it by
	Forgot  string   // where the page to sign in sends who forgot their password: see CheckLink; default nowhere
	SignUp  string   // where it sends who has no account yet, likewise

	// Address returns the address that a request comes from; default that of the connection.
	Address func(*http.Request) string

	Logger *zap.Logger      // default none
	Now    func() time.Time // default time.Now
}

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() error {
	var errs []error
	if o.Realms == nil || o.Passwords == nil || o.SecondFactors == nil || o.Sessions == nil || o.Cookies == nil {
		errs = append(errs, errors.New("Realms, Passwords, SecondFactors, Sessions and Cookies are required"))
	}
	if o.Realm == "" {
		o.Realm = core.DefaultRealm
	}
	if o.Mount == "" {
		o.Mount = DefaultMount
	}
	errs = append(errs, CheckMount(o.Mount))
	if len(o.Title) > 100 {
		errs = append(errs, errors.New("title must have at most 100 bytes"))
	}
	errs = append(errs, CheckLink("forgot_url", o.Forgot), CheckLink("sign_up_url", o.SignUp))
	if o.Address == nil {
		o.Address = func(r *http.Request) string { return r.RemoteAddr }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return errors.Join(errs...)
}

// CheckMount refuses what is no path to mount pages under.
func CheckMount(mount string) error {
	if path, ok := guard.SafeReturn(mount); !ok || path[0] != '/' || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#%;*{} ") {
		return fmt.Errorf("the pages' path %q must be one like %s, without a slash at its end", mount, DefaultMount)
	}
	return nil
}

// CheckLink refuses what the page to sign in cannot link to, by the name of the setting that says it: it is "", for none, a path, an address, or
// whom to write to (mailto:).
func CheckLink(setting, link string) error {
	if link == "" || link[0] == '/' {
		if _, ok := guard.SafeReturn(link); ok || link == "" {
			return nil
		}
	} else if u, err := url.Parse(link); err == nil && ((u.Scheme == "https" || u.Scheme == "http") && u.Host != "" || u.Scheme == "mailto" && u.Opaque != "") {
		return nil
	}
	return fmt.Errorf("%s is %q; it must be a path like /forgot, an address like https://app.example.com/forgot, or mailto:help@example.com", setting, link)
}

// Pages serves the pages. Make it with New. Safe for concurrent use.
type Pages struct {
	o      Options
	mux    *http.ServeMux
	policy string // Content-Security-Policy

	outages *seldom.Log // for what fails every request
}

// New returns Pages. The error joins all that is wrong with o.
func New(o Options) (*Pages, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	p := &Pages{o: o, mux: http.NewServeMux(), policy: policy(), outages: seldom.New(o.Logger)}
	p.mux.HandleFunc("GET "+o.Mount+"/{$}", p.begin)
	p.mux.HandleFunc("GET "+o.Mount+"/sign-in", p.showSignIn)
	p.mux.HandleFunc("POST "+o.Mount+"/sign-in", p.signIn)
	p.mux.HandleFunc("GET "+o.Mount+"/second-factor", p.begin)
	p.mux.HandleFunc("POST "+o.Mount+"/second-factor", p.secondFactor)
	p.mux.HandleFunc("GET "+o.Mount+"/sign-out", p.showSignOut)
	p.mux.HandleFunc("POST "+o.Mount+"/sign-out", p.signOut)
	return p, nil
}

// Owns reports whether a request is for the pages, and not for what they stand beside.
func (p *Pages) Owns(r *http.Request) bool { return IsUnder(p.o.Mount, r) }

// IsUnder reports whether a request is for pages that are under mount.
func IsUnder(mount string, r *http.Request) bool {
	rest, is := strings.CutPrefix(r.URL.Path, mount)
	return is && strings.HasPrefix(rest, "/")
}

// SignInPath returns the path of the page to sign in, for guards to send browsers to.
func (p *Pages) SignInPath() string { return p.o.Mount + "/sign-in" }

// maxForm bounds a form, in bytes.
const maxForm = 16 << 10

// ServeHTTP serves the pages. A form that another site had a browser send is refused.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := failure.IDOf(r)
	r = failure.WithID(r, id)
	p.settle(w.Header(), id)
	if err := p.fromHere(r); err != nil {
		p.say(w, r, http.StatusForbidden, "This form came from elsewhere", "Another site sent it. Nothing was done. Open the page here and try again.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if _, pattern := p.mux.Handler(r); pattern == "" {
		p.missing(w, r)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// begin sends to the page to sign in whoever asks for none, or for the form of the second factor: a telephone forgets that while its owner
// looks at another app for the code, and then asks for it anew.
func (p *Pages) begin(w http.ResponseWriter, _ *http.Request) { sendOn(w, p.SignInPath()) }

// missing answers for an address that is none of the pages', or a method that is not for it.
func (p *Pages) missing(w http.ResponseWriter, r *http.Request) {
	asked := r.Clone(r.Context())
	asked.Method = http.MethodGet
	if _, pattern := p.mux.Handler(asked); pattern != "" {
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.say(w, r, http.StatusMethodNotAllowed, "That cannot be done here", "Open the page in a browser.")
		return
	}
	p.say(w, r, http.StatusNotFound, "There is nothing here", "The address may be mistyped.")
}

// fromHere refuses what another site had a browser send (see http.CrossOriginProtection). A request without any sign of a
// browser passes: it carries nobody's cookies.
func (p *Pages) fromHere(r *http.Request) error {
	protection := http.NewCrossOriginProtection()
	for _, origin := range p.o.Origins {
		_ = protection.AddTrustedOrigin(origin) // one that is none is nobody's
	}
	asked := r.Clone(r.Context())
	if page, relayed := failure.Relayed(r); relayed { // then what the browser says of its origin is that of the worker
		asked.Header.Del("Sec-Fetch-Site")
		asked.Header.Set("Origin", originOf(page))
	}
	asked.Host = hostAsIn(asked.Header.Get("Origin"), r.Host)
	return protection.Check(asked)
}

// hostAsIn returns a host as browsers have it in an origin, in lower case and without a default port: a proxy may write Host otherwise. Programs
// may write both as they like, but alike.
func hostAsIn(origin, host string) string {
	if _, said, _ := strings.Cut(origin, "://"); said == host {
		return host
	}
	port := ":80"
	if strings.HasPrefix(origin, "https:") {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}

// originOf returns the origin of a page at an address, "null" where that is none, as browsers do.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "null"
	}
	return u.Scheme + "://" + u.Host
}

// realm finds the realm whose users sign in.
func (p *Pages) realm(ctx context.Context) (core.RealmID, error) {
	realm, err := p.o.Realms.Find(ctx, p.o.Realm)
	if err != nil {
		return "", err
	}
	return realm.ID, nil
}

// requestOf says of a request what is kept with events, that a token is for a cookie, and which device it comes from, where that
// is known from an earlier sign-in.
func (p *Pages) requestOf(r *http.Request) core.Request {
	in := core.Request{IP: p.o.Address(r), Client: r.UserAgent(), Slim: true}
	in.Address = addressIn(in.IP)
	if c, err := r.Cookie(p.o.Cookies.DeviceCookie("", time.Time{}).Name); err == nil {
		in.Device = c.Value
	}
	return in
}

// addressIn reads an address, with or without a port. One that is none is not known.
func addressIn(text string) netip.Addr {
	if pair, err := netip.ParseAddrPort(text); err == nil {
		return pair.Addr()
	}
	address, _ := netip.ParseAddr(text)
	return address
}

// returnTo returns where a request asks to go afterwards, or the front page where it asks for nothing that is allowed. Back to the pages
// themselves leads nowhere: who has just signed in would be asked to sign in.
func (p *Pages) returnTo(r *http.Request) string {
	to, ok := guard.SafeReturn(r.FormValue("return_to"), p.o.Origins...)
	if !ok || strings.HasPrefix(to, p.o.Mount+"/") {
		return "/"
	}
	return to
}
