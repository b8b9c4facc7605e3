// Package delivery carries notifications to where their hooks say: webhooks over HTTP, e-mails over SMTP. What is due and
// when it is tried again is core's.
package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/egress"
)

// Options configures a Courier. The zero Options deliver to public addresses, and no e-mails.
type Options struct {
	Allow []netip.Prefix // networks inside that webhooks may reach; see egress.Policy
	SMTP  SMTP
}

// Courier is a core.Courier. Safe for concurrent use.
type Courier struct {
	policy egress.Policy
	client *http.Client
	mail   *mailer // nil = no server is configured
}

var _ core.Courier = (*Courier)(nil)

// New returns a Courier. It connects to nothing yet; its complaints are all that is wrong with the options.
func New(o Options) (*Courier, error) {
	policy := egress.Policy{Allow: o.Allow}
	c := &Courier{policy: policy, client: newClient(policy)}
	if o.SMTP == (SMTP{}) {
		return c, nil
	}
	var err error
	c.mail, err = newMailer(o.SMTP)
	return c, err
}

// Deliver makes one try.
func (c *Courier) Deliver(ctx context.Context, d *core.Delivery) core.Attempted {
	if d.Hook.Type == core.HookWebhook {
		return c.call(ctx, d)
	}
	if c.mail == nil {
		return core.Attempted{Line: "no mail server is configured"}
	}
	return c.mail.send(ctx, d)
}

// Refuses says what is wrong with where a webhook is to be called, as far as the URL tells; "" is nothing. Each call asks again,
// see call: a name may lead inside all the same.
func (c *Courier) Refuses(destination string) string {
	u, err := url.Parse(destination)
	if err != nil {
		return "must be a URL"
	}
	err = c.policy.CheckHost(u.Hostname())
	switch refused, inside := errors.AsType[*egress.RefusedError](err); {
	case inside:
		return "must not lead inside: " + refused.Error() + ". Who runs Postern can let it in with webhook_allow"
	case err != nil:
		return "must name its host so that all read the same: " + err.Error()
	}
	return ""
}

// Mails reports whether a mail server is configured.
func (c *Courier) Mails() bool { return c.mail != nil }

// Sender returns the address that the e-mails of a hook come from; "" = neither the hook nor a mail server's settings name one.
func (c *Courier) Sender(h *core.AppHook) string {
	if c.mail == nil {
		return h.Letter.From
	}
	return c.mail.sender(h)
}

// Close lets go of idle connections.
func (c *Courier) Close() { c.client.CloseIdleConnections() }

// newClient returns a client for destinations that others choose: public addresses alone, no proxy that the environment
// names, no redirects, and little patience.
func newClient(policy egress.Policy) *http.Client {
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			Proxy: nil, DialContext: policy.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// why says in a line what kept a server from answering, and nothing of where it is or what it was sent. Where nothing of what it knows did, it is
// that the server did not go on as agreed: other.
func why(err error, other string) string {
	refused, isRefused := errors.AsType[*egress.RefusedError](err)
	timeout, _ := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	_, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, isUnknown := errors.AsType[*net.DNSError](err)
	connection, _ := errors.AsType[*net.OpError](err)
	switch {
	case isRefused:
		return refused.Error()
	case timeout != nil && timeout.Timeout():
		return "it took too long to answer"
	case isUntrusted:
		return "its certificate is not one to trust"
	case isUnknown, connection != nil && connection.Op == "dial":
		return "it could not be reached"
	}
	return other
}
