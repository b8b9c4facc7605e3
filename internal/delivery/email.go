package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/letter"
	"github.com/postern-auth/postern/internal/namedfile"
)

// SMTP says which server takes e-mails, and how. Host and From are required; the zero SMTP is no server.
type SMTP struct {
	Host         string
	Port         int    // default 587, with TLSImplicit 465, with TLSNone 25
	User         string // "" = no authentication
	Password     string // given by itself, or
	PasswordFile string // in a file that is read at each sending, so that it can be replaced
	From         string // an address, which hooks may replace
	TLS          string // TLSStart, the default, TLSImplicit or TLSNone
	CAFile       string // certificates in PEM that may vouch for the server; "" = the system's
}

// How a connection to a mail server is encrypted.
const (
	TLSStart    = "starttls" // begun in the clear, and ended where the server does not offer STARTTLS
	TLSImplicit = "implicit" // encrypted from the start
	TLSNone     = "none"     // for servers on the same machine
)

// validate fills the defaults and returns all complaints at once.
func (s *SMTP) validate() error {
	var errs []error
	complain := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	ports := map[string]int{TLSStart: 587, TLSImplicit: 465, TLSNone: 25}
	if s.TLS == "" {
		s.TLS = TLSStart
	}
	complain(ports[s.TLS] == 0, "TLS of the mail server must be starttls, implicit or none")
	if s.Port == 0 {
		s.Port = ports[s.TLS]
	}
	complain(s.Host == "", "the mail server has no host")
	complain(s.Port < 0 || s.Port > 65535, "the port of the mail server must be from 1 to 65535")
	from, err := mail.ParseAddress(s.From)
	complain(err != nil || from.Address != s.From, "the sender of e-mails must be an address like noreply@example.com")
	complain(s.Password != "" && s.PasswordFile != "", "the mail server's password is given twice, by itself and in a file")
	complain((s.User == "") != (s.Password == "" && s.PasswordFile == ""), "the mail server's user and password go together")
	complain(s.User != "" && s.TLS == TLSNone, "a password is not sent to a mail server without TLS")
	return errors.Join(errs...)
}

// mailsAtOnce is how many connections to the mail server there are at most: hooks have their own places, and it is one for all of them.
const mailsAtOnce = 16

// mailer sends e-mails. Safe for concurrent use.
type mailer struct {
	smtp  SMTP
	roots *x509.CertPool // nil = the system's
	lines chan struct{}  // as many as there are connections
}

func newMailer(s SMTP) (*mailer, error) {
	m := &mailer{smtp: s, lines: make(chan struct{}, mailsAtOnce)}
	if err := m.smtp.validate(); err != nil {
		return nil, err
	}
	if _, err := m.password(); err != nil {
		return nil, err
	}
	if s.CAFile != "" {
		text, err := namedfile.Read(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificates for the mail server: %w", err)
		}
		if m.roots = x509.NewCertPool(); !m.roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", s.CAFile)
		}
	}
	return m, nil
}

// password returns the password, "" for none.
func (m *mailer) password() (string, error) {
	if m.smtp.PasswordFile == "" {
		return m.smtp.Password, nil
	}
	text, err := namedfile.Read(m.smtp.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("cannot read the mail server's password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// send writes the letter of a delivery and gives it to the server.
func (m *mailer) send(ctx context.Context, d *core.Delivery) core.Attempted {
	done := core.Attempted{Destination: "mail server " + m.smtp.Host}
	msg, err := m.message(d)
	if err != nil {
		done.Result, done.Line = core.Rejected, "the e-mail cannot be written: "+err.Error()
		return done
	}
	client, err := m.client(isASCII(m.sender(d.Hook) + d.To))
	if err != nil {
		done.Line, done.Unserved = "the mail server's settings cannot be used", true
		return done
	}
	select {
	case m.lines <- struct{}{}:
	case <-ctx.Done():
		done.Line = "the mail server is busy with others"
		return done
	}
	if err := m.converse(ctx, client, msg); err != nil {
		done.Result, done.Line, done.Unserved = outcome(err)
		return done
	}
	done.Result, done.Line = core.Delivered, "the mail server took it"
	return done
}

// stopPatience is for how long a conversation may go on once we are to stop. It is seldom needed: a letter that is cut short may have been taken,
// and is sent again.
const stopPatience = 2 * time.Second

// converse gives a message to the server, and a line back. It ends in time where we are to stop and the server hangs, which nothing but its own
// patience ends.
func (m *mailer) converse(ctx context.Context, client *gomail.Client, msg *gomail.Msg) error {
	ended := make(chan error, 1)
	go func() {
		defer func() { <-m.lines }()
		err := client.DialAndSendWithContext(ctx, msg)
		// Once the server has taken it, nothing that goes wrong afterwards, such as a connection that ends without goodbye, matters: to try
		// again would be to send it twice.
		if msg.IsDelivered() {
			err = nil
		}
		ended <- err
	}()
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) { // a deadline alone leaves a server that is slow to its own
			time.AfterFunc(stopPatience, func() { close(stopped) })
		}
	})()
	select {
	case err := <-ended:
		return err
	case <-stopped:
		return ctx.Err()
	}
}

// outcome says what came of a failed sending, and whether others would fare no better. What the server said is not passed on: it may quote the
// letter.
func outcome(err error) (result core.DeliveryResult, line string, unserved bool) {
	sending, ofLetter := errors.AsType[*gomail.SendError](err)
	reply, ofUs := errors.AsType[*textproto.Error](err)
	switch {
	case ofLetter && slices.Contains(notSignedIn, sending.ErrorCode()):
		return core.NotDelivered, fmt.Sprintf("the mail server did not let us in: %d", sending.ErrorCode()), true
	case ofLetter && sending.ErrorCode() >= 500 && !sending.IsTemp():
		return core.Rejected, fmt.Sprintf("the mail server refused it: %d", sending.ErrorCode()), false
	case ofLetter && sending.ErrorCode() != 0:
		return core.NotDelivered, fmt.Sprintf("the mail server did not take it: %d", sending.ErrorCode()), false
	case ofUs:
		return core.NotDelivered, fmt.Sprintf("the mail server did not let us in: %d", reply.Code), true
	}
	return core.NotDelivered, "the mail server: " + why(err, "it hung up, or lacks what its settings ask for: TLS, or a way to sign in"), !ofLetter
}

// notSignedIn are the answers to who must sign in, or cannot (RFC 4954 §6). They are about our settings, which somebody may mend, and not about
// the letter.
var notSignedIn = []int{530, 534, 535, 538}

// client returns a client for one sending. With plain addresses it does not ask for SMTPUTF8: a server that has promised it may have to return
// the e-mail, where the next one does not know it (RFC 6531 §3.4).
func (m *mailer) client(plain bool) (*gomail.Client, error) {
	password, err := m.password()
	if err != nil {
		return nil, err
	}
	options := []gomail.Option{
		gomail.WithPort(m.smtp.Port), gomail.WithTimeout(20 * time.Second),
		gomail.WithTLSConfig(&tls.Config{ServerName: m.smtp.Host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}),
	}
	switch m.smtp.TLS {
	case TLSImplicit:
		options = append(options, gomail.WithSSL())
	case TLSNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if plain {
		options = append(options, gomail.WithoutSMTPUTF8())
	}
	if m.smtp.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.smtp.User), gomail.WithPassword(password))
	}
	return gomail.NewClient(m.smtp.Host, options...)
}

// isASCII reports whether a text has no other characters.
func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// sender returns the address that the e-mails of a hook come from.
func (m *mailer) sender(h *core.AppHook) string {
	if h.Letter.From != "" {
		return h.Letter.From
	}
	return m.smtp.From
}

// message returns the e-mail. Its id is that of the notification, the same at every try.
func (m *mailer) message(d *core.Delivery) (*gomail.Msg, error) {
	l, err := letter.Write(d.Hook, d.Fields)
	if err != nil {
		return nil, err
	}
	from := m.sender(d.Hook)
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&mail.Address{Name: d.Hook.Letter.FromName, Address: from}) // FromFormat fails with a name that has quotes
	if err := msg.To(d.To); err != nil {
		return nil, errors.New("its recipient is no address")
	}
	msg.Subject(l.Subject)
	msg.SetDateWithValue(d.At)
	msg.SetMessageIDWithValue(string(d.Notification.ID) + from[strings.LastIndexByte(from, '@'):])
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	switch {
	case l.HTML == "":
		msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	case l.Text == "":
		msg.SetBodyString(gomail.TypeTextHTML, l.HTML)
	default:
		msg.SetBodyString(gomail.TypeTextPlain, l.Text)
		msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	}
	return msg, nil
}
