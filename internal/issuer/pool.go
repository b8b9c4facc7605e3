package issuer

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/egress"
	"github.com/postern-auth/postern/internal/jose"
	"github.com/postern-auth/postern/internal/namedfile"
)

// Config says whose keys they are and where they lie. Who takes the keys of equal Configs shares them, as long as CAFile holds the same.
type Config struct {
	Issuer  string // as tokens and the discovery document name it
	JWKSURL string // where the keys are; "" = where the discovery document says
	Allow   string // networks inside that may be reached, as egress.ParseNetworks reads them, with commas between
	CAFile  string // certificates (PEM) that may vouch for the issuer's server; "" = the system's
}

// Validate returns all complaints at once. It reads nothing.
func (c Config) Validate() error {
	var errs []error
	if c.JWKSURL != "" {
		if err := checkURL(c.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("jwks_url %q %w", c.JWKSURL, err))
		}
		if c.Issuer == "" || len(c.Issuer) > 500 {
			errs = append(errs, errors.New("issuer must have 1 to 500 characters: the iss of its tokens"))
		}
	} else if err := checkURL(c.Issuer); err != nil {
		errs = append(errs, fmt.Errorf("issuer %q %w; say in jwks_url where its keys are, and it may be any text", c.Issuer, err))
	} else if strings.Contains(c.Issuer, "?") {
		errs = append(errs, fmt.Errorf("issuer %q must have no query; say in jwks_url where its keys are, and it may have one", c.Issuer))
	} else if issuer, is := strings.CutSuffix(c.Issuer, discoveryPath); is {
		errs = append(errs, fmt.Errorf("issuer %q is the address of its document; name the issuer, %q or as the document has it", c.Issuer, issuer))
	}
	if isPattern(c.Issuer) {
		errs = append(errs, fmt.Errorf("issuer %q is a pattern for many; name each tenant's own", c.Issuer))
	}
	allow, err := egress.ParseNetworks(c.allowed())
	if err == nil && len(errs) == 0 {
		err = c.checkReach(allow)
	}
	return errors.Join(append(errs, err)...)
}

// checkReach refuses a place that would never be reached, as far as the configuration tells by itself: an address inside that is not allowed.
func (c Config) checkReach(allow []netip.Prefix) error {
	at := cmp.Or(c.JWKSURL, c.Issuer)
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	err = egress.Policy{Allow: allow}.CheckHost(u.Hostname())
	if refused, is := errors.AsType[*egress.RefusedError](err); is {
		return fmt.Errorf("%q: %w; if that is intended, name it in allow", at, refused)
	}
	return err
}

// isPattern reports whether an issuer stands for those of many tenants, as `https://login.microsoftonline.com/{tenantid}/v2.0` does. Whoever took its tokens
// would take those of everybody who opens a tenant.
func isPattern(issuer string) bool { return strings.ContainsAny(issuer, "{}") }

// allowed returns the networks in Allow.
func (c Config) allowed() []string {
	if c.Allow == "" {
		return nil
	}
	return strings.Split(c.Allow, ",")
}

// shared is whose keys are shared: those of equal Configs, as long as their CAFile holds the same.
type shared struct {
	Config
	certificates string // in PEM
}

// read returns c with what its CAFile holds.
func (c Config) read() (shared, error) {
	if c.CAFile == "" {
		return shared{Config: c}, nil
	}
	text, err := namedfile.Read(c.CAFile)
	if err != nil {
		return shared{}, fmt.Errorf("cannot read the certificates for issuer %s: %w", c.Issuer, err)
	}
	return shared{c, string(text)}, nil
}

// CheckFile says what is wrong with CAFile, which is read when the keys are wanted.
func (c Config) CheckFile() error {
	s, err := c.read()
	if err == nil {
		_, err = s.fetcher()
	}
	return err
}

// fetcher returns what fetches the keys.
func (c shared) fetcher() (*fetcher, error) {
	allow, err := egress.ParseNetworks(c.allowed())
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM([]byte(c.certificates)) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", c.CAFile)
		}
	}
	return &fetcher{config: c.Config, client: newClient(allow, trust)}, nil
}

// Pool holds the keys of issuers, each as long as somebody needs them. The zero Pool is empty. Safe for concurrent use.
type Pool struct {
	// Fetched, if set, is told of each fetch, with a *FetchError where it failed. It must not block, and is set before the first Take.
	Fetched func(issuer string, err error)

	// AskEvery is how often the keys of an issuer are fetched at most where tokens name ones that are not known; default 10s. It is set
	// before the first Take.
	AskEvery time.Duration

	mu      sync.Mutex
	sources map[shared]*source
}

// Keys are an issuer's keys as they were when they were fetched.
type Keys struct {
	*jose.KeySet
	At time.Time // when the fetch began
}

// Lease is somebody's use of an issuer's keys, until Close.
type Lease struct {
	pool   *Pool
	source *source
	gone   func([]string)
}

// Take has an issuer's keys fetched, and fetched again, until the Lease is closed. It does not wait for them. gone is told the
// fingerprints of keys that are no longer the issuer's, after Lease.Keys has ceased to return them, and one call at a time; it must not block. log
// hears when fetches begin to fail, and when they go well again. It fails for a Config that Validate refuses, and where CAFile cannot be read.
func (p *Pool) Take(c Config, log *zap.Logger, gone func(fingerprints []string)) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &Lease{pool: p, gone: gone}
	of, err := c.read()
	if err != nil {
		return nil, err
	}
	if s := p.sources[of]; s != nil {
		l.source = s
		s.add(l, log)
		return l, nil
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f, err := of.fetcher()
	if err != nil {
		return nil, err
	}
	if p.sources == nil {
		p.sources = map[shared]*source{}
	}
	p.sources[of] = newSource(of, f, p, l, log)
	return l, nil
}

// Close ends the use. From its return on, gone is told nothing more.
func (l *Lease) Close() {
	l.pool.mu.Lock()
	last := l.source.remove(l)
	if last {
		delete(l.pool.sources, l.source.config)
	}
	l.pool.mu.Unlock()
	if last {
		l.source.close()
	}
}

// Keys returns the last good set, or nil while there was none yet.
func (l *Lease) Keys() *Keys { return l.source.keys.Load() }

// Ask has the keys fetched soon, unless they were a moment ago. It does not block.
func (l *Lease) Ask() {
	select {
	case l.source.asked <- struct{}{}:
	default:
	}
}

// Tried is closed once the first fetch is over, however it went.
func (l *Lease) Tried() <-chan struct{} { return l.source.tried }

// State is how an issuer's keys are.
type State struct {
	Issuer string
	At     time.Time // when they were last fetched; zero = never yet
	Tried  time.Time // since when they are fetched
	Keys   int
}

// States returns how the keys of all issuers are that somebody uses.
func (p *Pool) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]State, 0, len(p.sources))
	for c, s := range p.sources {
		state := State{Issuer: c.Issuer, Tried: s.began}
		if keys := s.keys.Load(); keys != nil {
			state.At, state.Keys = keys.At, keys.Len()
		}
		all = append(all, state)
	}
	return all
}
