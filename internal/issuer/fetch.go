package issuer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/egress"
	"github.com/postern-auth/postern/internal/jose"
)

// discoveryPath leads from an issuer to the document that says where its keys are (OpenID Connect Discovery 1.0 §4).
const discoveryPath = "/.well-known/openid-configuration"

const (
	fetchTimeout = 10 * time.Second // for document and keys together
	maxDocument  = 256 << 10        // bytes
	maxAddress   = 2048             // bytes, of what a document says where the keys are; the log is told of it
)

// FetchError says why keys could not be fetched.
type FetchError struct {
	Code string // stable, snake_case, for metrics: "unreachable", "address_refused", "bad_status", "bad_document", "wrong_issuer", "bad_keys"
	Line string // for a log
}

// Error returns the line.
func (e *FetchError) Error() string { return e.Line }

// failed returns a FetchError.
func failed(code, format string, a ...any) error { return &FetchError{code, fmt.Sprintf(format, a...)} }

// fetcher fetches the keys of one issuer.
type fetcher struct {
	config Config
	client *http.Client
}

// newClient returns a client that connects where allow lets it, besides to public addresses. It follows no redirect: whoever could make an issuer's
// address lead elsewhere would choose its keys.
func newClient(allow []netip.Prefix, trust *tls.Config) *http.Client {
	policy := egress.Policy{Allow: allow}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: policy.DialContext, TLSClientConfig: trust, TLSHandshakeTimeout: fetchTimeout,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch returns the keys that the issuer publishes now, and how long it says that they are good for; 0 where it does not say.
func (f *fetcher) fetch(ctx context.Context) (*jose.KeySet, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	from := f.config.JWKSURL
	if from == "" {
		var err error
		if from, err = f.discover(ctx); err != nil {
			return nil, 0, err
		}
	}
	text, fresh, err := f.get(ctx, from)
	if err != nil {
		return nil, 0, err
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		return nil, 0, failed("bad_keys", "%s: %v", from, err)
	}
	return set, fresh, nil
}

// discover returns where the issuer's document says that its keys are.
func (f *fetcher) discover(ctx context.Context) (string, error) {
	at := strings.TrimSuffix(f.config.Issuer, "/") + discoveryPath
	text, _, err := f.get(ctx, at)
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", failed("bad_document", "%s is not a discovery document", at)
	}
	if isPattern(document.Issuer) {
		return "", failed("wrong_issuer", "%s speaks for many issuers, %q; name each tenant's own", at, shorten(document.Issuer))
	}
	if document.Issuer != f.config.Issuer {
		return "", failed("wrong_issuer", "%s speaks for the issuer %q, which is another", at, shorten(document.Issuer))
	}
	if len(document.JWKSURI) > maxAddress {
		return "", failed("bad_document", "%s: jwks_uri is longer than %d bytes", at, maxAddress)
	}
	if err := checkURL(document.JWKSURI); err != nil {
		return "", failed("bad_document", "%s: jwks_uri %q %v", at, shorten(document.JWKSURI), err)
	}
	if strings.HasPrefix(at, "https:") && !strings.HasPrefix(document.JWKSURI, "https:") {
		return "", failed("bad_document", "%s: jwks_uri %q must be https", at, shorten(document.JWKSURI))
	}
	return document.JWKSURI, nil
}

// get returns what is at an address, and how long it is good for.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, failed("bad_document", "%s is no address", shorten(address))
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json") // of keys Kubernetes gives the latter alone, and else answers 406
	req.Header.Set("User-Agent", "Postern-Issuer/1")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, 0, unreachable(address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		remedy := ""
		if resp.StatusCode/100 == 3 {
			remedy = "; redirects are not followed"
		}
		return nil, 0, failed("bad_status", "%s answered %d %s%s", address, resp.StatusCode, http.StatusText(resp.StatusCode), remedy)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, 0, unreachable(address, err)
	}
	if len(text) > maxDocument {
		return nil, 0, failed("bad_document", "%s answered more than %d KiB", address, maxDocument>>10)
	}
	return text, maxAge(resp.Header), nil
}

// unreachable says what kept an address from answering.
func unreachable(address string, err error) error {
	if refused, is := errors.AsType[*egress.RefusedError](err); is {
		return failed("address_refused", "%s: %v; if that is intended, allow it", address, refused)
	}
	if inner, is := errors.AsType[*url.Error](err); is {
		err = inner.Err // it repeats the address
	}
	return failed("unreachable", "%s: %v", address, err)
}

// maxAge returns what Cache-Control says about how long an answer is good for, 0 where that is nothing or "not at all" (RFC 9111 §5.2.2).
func maxAge(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
		if err != nil {
			return 0
		}
		return time.Duration(seconds) * time.Second
	}
	return 0
}

// checkURL refuses what is not the address of something that can be fetched: https, or on this very machine http.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is not an address like https://login.example.com")
	case u.User != nil || u.Fragment != "":
		return errors.New("must have no user and no fragment")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must be https; http is for this very machine alone")
}

// isLoopback reports whether a host, as it is written, is this very machine.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// shorten makes what somebody else wrote fit into a log.
func shorten(text string) string {
	const longest = 200
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}
