package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/letter"
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
		text, err := os.ReadFile(s.CAFile)
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
	text, err := os.ReadFile(m.smtp.PasswordFile)
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
	client, err := m.client()
	if err != nil {
		done.Line = "the mail server's settings cannot be used"
		return done
	}
	select {
	case m.lines <- struct{}{}:
		defer func() { <-m.lines }()
	case <-ctx.Done():
		done.Line = "the mail server is busy with others"
		return done
	}
	// Once the server has taken it, nothing that goes wrong afterwards, such as a connection that ends without goodbye, matters: to try
	// again would be to send it twice.
	if err := client.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() {
		done.Result, done.Line = outcome(err)
		return done
	}
	done.Result, done.Line = core.Delivered, "the mail server took it"
	return done
}

// outcome says what came of a failed sending. What the server said is not passed on: it may quote the letter.
func outcome(err error) (core.DeliveryResult, string) {
	sending, is := errors.AsType[*gomail.SendError](err)
	switch {
	case is && sending.ErrorCode() >= 500 && !sending.IsTemp():
		return core.Rejected, fmt.Sprintf("the mail server refused it: %d", sending.ErrorCode())
	case is && sending.ErrorCode() != 0:
		return core.NotDelivered, fmt.Sprintf("the mail server did not take it: %d", sending.ErrorCode())
	}
	return core.NotDelivered, "the mail server could not be reached, or did not let us in"
}

// client returns a client for one sending.
func (m *mailer) client() (*gomail.Client, error) {
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
	if m.smtp.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.smtp.User), gomail.WithPassword(password))
	}
	return gomail.NewClient(m.smtp.Host, options...)
}

// message returns the e-mail. Its id is that of the notification, the same at every try.
func (m *mailer) message(d *core.Delivery) (*gomail.Msg, error) {
	l, err := letter.Write(d.Hook, d.Fields)
	if err != nil {
		return nil, err
	}
	from := d.Hook.Letter.From
	if from == "" {
		from = m.smtp.From
	}
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
