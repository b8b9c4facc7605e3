package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// Assertion is who a request comes from, as a guard tells an application in X-Postern-Assertion. What it does not tell is empty.
type Assertion struct {
	UserID        string         `json:"sub"`
	RealmID       string         `json:"realm"`
	SessionID     string         `json:"sid"`
	CredentialID  string         `json:"credential"` // the API key that was shown
	UserType      string         `json:"user_type"`
	Username      string         `json:"preferred_username"`
	Name          string         `json:"name"`
	FirstName     string         `json:"given_name"`
	LastName      string         `json:"family_name"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"email_verified"`
	ArbitraryID   string         `json:"arbitrary_id"`
	Reference     string         `json:"reference"`
	AuthTime      int64          `json:"auth_time"` // when they signed in, in seconds since 1970
	Methods       []string       `json:"amr"`       // "mfa" where a second factor was shown
	Orgs          []AssertionOrg `json:"orgs"`
	Expires       int64          `json:"exp"` // in seconds since 1970
}

// AssertionOrg is what somebody may do in an org. An id of "" stands for none.
type AssertionOrg struct {
	ID          string   `json:"id"`
	Permissions []string `json:"permissions"`
}

// AssertionOptions says which assertions an application takes. Issuer and Audience are required.
type AssertionOptions struct {
	Realm    string // the guard's realm, by id or name; "" is the one that is called default
	Issuer   string // of that realm's tokens, to the letter
	Audience string // the guard's setting assertion, to the letter
}

// ErrAssertion says that an assertion proves nothing. Errors of any other kind say that this could not be found out.
var ErrAssertion = errors.New("not a valid assertion")

// What an AssertionVerifier goes by.
const (
	assertionType  = "assertion+jwt"
	assertionSkew  = 30 * time.Second // how far the clocks of Postern and of this machine may be apart
	keysFresh      = 5 * time.Minute  // then keys are fetched again; a new one is published ten minutes before it signs
	keysLast       = 72 * time.Hour   // for how long those of the last fetch that went well are relied on
	keysFetchEvery = 10 * time.Second // at most
	keysFetchTime  = 30 * time.Second
)

// AssertionVerifier verifies what a guard tells an application under signature, so that the application need not trust the network. It
// fetches the realm's public keys through a Client, which needs no management key for that, at first and then now and again, while requests
// go on with those it has. Safe for concurrent use.
type AssertionVerifier struct {
	realms  *Realms
	options AssertionOptions
	now     func() time.Time

	mu      sync.Mutex
	keys    *jose.KeySet  // of the last fetch that went well; nil = none did yet
	at      time.Time     // when that began
	failure error         // of the last fetch
	tried   time.Time     // when the last fetch began
	over    chan struct{} // closed once that is over; nil = there was none
}

// AssertionVerifier returns a verifier of what guards of a realm assert. It fetches nothing yet.
func (c *Client) AssertionVerifier(o AssertionOptions) (*AssertionVerifier, error) {
	if o.Issuer == "" || o.Audience == "" {
		return nil, errors.New("an issuer and an audience are required")
	}
	return &AssertionVerifier{realms: c.Realms, options: o, now: c.now}, nil
}

// Verify returns who an assertion is about. It fails with ErrAssertion where that is not proven, and otherwise where the keys cannot be had or ctx
// ends: a request is then to be answered 503, and not 401. It waits for a fetch of keys only where it knows none that fits.
func (v *AssertionVerifier) Verify(ctx context.Context, assertion string) (*Assertion, error) {
	token, err := jose.Parse(assertion)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	if err := v.check(token); err != nil {
		return nil, err
	}
	key, err := v.key(ctx, token)
	if err != nil {
		return nil, err
	}
	if _, err := token.Verify(key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	var who Assertion
	if err := decodeClaims(assertion, &who); err != nil {
		return nil, fmt.Errorf("%w: its claims cannot be read", ErrAssertion)
	}
	return &who, nil
}

// decodeClaims decodes the claims of a token that is in order.
func decodeClaims(token string, into any) error {
	_, rest, _ := strings.Cut(token, ".")
	claims, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(claims)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// check refuses what is no assertion, another's, or over. It costs little, and says nothing of the signature.
func (v *AssertionVerifier) check(token jose.Token) error {
	claims, now := token.Unverified(), v.now()
	issuer, _ := claims.String("iss")
	audiences, _ := claims.Strings("aud")
	expires, _ := claims.Int("exp")
	issued, dated := claims.Int("iat")
	switch {
	case token.Type() != assertionType || token.Alg() != jose.EdDSA:
		return fmt.Errorf("%w: it is a token of another kind", ErrAssertion)
	case issuer != v.options.Issuer:
		return fmt.Errorf("%w: its issuer is another", ErrAssertion)
	case !slices.Contains(audiences, v.options.Audience):
		return fmt.Errorf("%w: it is meant for another application", ErrAssertion)
	case now.Add(-assertionSkew).Unix() >= expires:
		return fmt.Errorf("%w: it has expired", ErrAssertion)
	case !dated || issued > now.Add(assertionSkew).Unix():
		return fmt.Errorf("%w: it is from the future", ErrAssertion)
	}
	return nil
}

// key returns the key that a token names.
func (v *AssertionVerifier) key(ctx context.Context, token jose.Token) (*jose.PublicKey, error) {
	known, age, _ := v.known()
	if known != nil && age < keysLast {
		if key, found := known.For(token); found {
			if age >= keysFresh {
				v.fetch()
			}
			return key, nil
		}
	}
	select {
	case <-v.fetch():
	case <-ctx.Done():
		return nil, fmt.Errorf("keys of assertions: %w", ctx.Err())
	}
	known, age, failure := v.known()
	if known == nil || age >= keysLast {
		return nil, fmt.Errorf("keys of assertions: %w", failure)
	}
	if key, found := known.For(token); found {
		return key, nil
	}
	return nil, fmt.Errorf("%w: its key is not one that the realm publishes", ErrAssertion)
}

// known returns the keys that there are, how old they are, and why the last fetch failed, if it did.
func (v *AssertionVerifier) known() (*jose.KeySet, time.Duration, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys, v.now().Sub(v.at), v.failure
}

// fetch has the keys fetched, unless that is under way or was done a moment ago. The channel is closed once it is over.
func (v *AssertionVerifier) fetch() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	began := v.now()
	if v.over != nil && began.Sub(v.tried) < keysFetchEvery {
		return v.over
	}
	over := make(chan struct{})
	v.tried, v.over = began, over
	go func() {
		defer close(over)
		ctx, cancel := context.WithTimeout(context.Background(), keysFetchTime)
		defer cancel()
		text, err := v.realms.KeySet(ctx, v.options.Realm)
		var keys *jose.KeySet
		if err == nil {
			keys, err = jose.ParseKeySet(text)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.failure = err; err == nil && began.After(v.at) { // a slow one may have been overtaken
			v.keys, v.at = keys, began
		}
	}()
	return over
}
