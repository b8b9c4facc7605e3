package caddymodule

import (
	"fmt"

	"github.com/postern-auth/postern/internal/delivery"
	"github.com/postern-auth/postern/internal/egress"
	"github.com/postern-auth/postern/internal/namedfile"
)

// Outgoing says how e-mails leave, and how far webhooks reach. The words are those of the sidecar.
type Outgoing struct {
	// SMTPHost is the mail server that takes e-mails. Without one, hooks that write e-mails cannot.
	SMTPHost string `json:"smtp_host,omitempty"`

	// SMTPPort is its port. The default is 587, with `smtp_tls` `implicit` 465, with `none` 25.
	SMTPPort int `json:"smtp_port,omitempty"`

	// SMTPTLS is how the connection to it is encrypted: `starttls`, where a server that does not offer that is not used,
	// `implicit`, or `none` for a server on the same machine. The default is `starttls`.
	SMTPTLS string `json:"smtp_tls,omitempty"`

	// SMTPUser is who we are to the mail server. The default is nobody.
	SMTPUser string `json:"smtp_user,omitempty"`

	// SMTPPassword is the password for it, given as `{env.NAME}` or `{file./path}`.
	SMTPPassword string `json:"smtp_password,omitempty"`

	// SMTPPasswordFile is a file with the password instead. It is read at each sending, so that it can be replaced
	// without a reload.
	SMTPPasswordFile string `json:"smtp_password_file,omitempty"`

	// SMTPFrom is the sender of e-mails, unless a hook names another: `noreply@example.com`.
	SMTPFrom string `json:"smtp_from,omitempty"`

	// SMTPCA is a file with the certificates that may vouch for the mail server, PEM. The default is the system's.
	SMTPCA string `json:"smtp_ca,omitempty"`

	// MailLinks is where the pages are that links in e-mails lead to: `https://app.example.com/auth`. Without it, links
	// are left out.
	MailLinks string `json:"mail_links,omitempty"`

	// WebhookAllow are addresses and networks inside that webhooks may reach: `127.0.0.1`, `10.0.0.0/8`. The default is
	// none: webhooks reach public addresses alone.
	WebhookAllow []string `json:"webhook_allow,omitempty"`
}

// outgoing are the settings of Outgoing, resolved.
type outgoing struct {
	delivery.Options
	links string
	ca    []byte // what SMTP.CAFile holds
}

// resolve replaces the placeholders. What is wrong goes to r.
func (o *Outgoing) resolve(r *resolver) outgoing {
	out := outgoing{links: r.text("mail_links", o.MailLinks)}
	out.SMTP = delivery.SMTP{
		Host: r.text("smtp_host", o.SMTPHost), Port: o.SMTPPort, TLS: r.text("smtp_tls", o.SMTPTLS), User: r.text("smtp_user", o.SMTPUser),
		Password: r.secret("smtp_password", o.SMTPPassword), PasswordFile: r.text("smtp_password_file", o.SMTPPasswordFile),
		From: r.text("smtp_from", o.SMTPFrom), CAFile: r.text("smtp_ca", o.SMTPCA),
	}
	var err error
	if out.SMTP.CAFile != "" {
		out.ca, err = namedfile.Read(out.SMTP.CAFile)
		r.complain(wrapped("smtp_ca", err))
	}
	networks := make([]string, len(o.WebhookAllow))
	for i, text := range o.WebhookAllow {
		networks[i] = r.text("webhook_allow", text)
	}
	out.Allow, err = egress.ParseNetworks(networks)
	r.complain(wrapped("webhook_allow", err))
	return out
}

// rehearse finds what a courier would complain about.
func (o *outgoing) rehearse() error {
	courier, err := delivery.New(o.Options)
	if err == nil {
		courier.Close()
	}
	return wrapped("smtp", err)
}

// wrapped says which setting an error is about. Nil stays nil.
func wrapped(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", setting, err)
}
