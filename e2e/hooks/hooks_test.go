// Package hooks_test holds what hooks send against the libraries of those who receive it: Standard Webhooks' own for
// signatures, and a mail server.
package hooks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/delivery"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestStandardWebhooks has the scheme's own library verify a call, with the new secret and with the former one.
func TestStandardWebhooks(t *testing.T) {
	secrets := [][]byte{make([]byte, 32), make([]byte, 32)}
	for _, s := range secrets {
		_, _ = rand.Read(s)
	}
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, secret := range secrets {
			hook, err := webhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(secret))
			if err != nil {
				t.Errorf("NewWebhook = %v", err)
				return
			}
			if err := hook.Verify(body, r.Header); err != nil {
				t.Errorf("Verify = %v", err)
			}
			if hook.Verify(append(body, ' '), r.Header) == nil {
				t.Error("a body that was changed is verified")
			}
		}
		calls++
	}))
	defer server.Close()
	c, err := delivery.New(delivery.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := c.Deliver(t.Context(), &core.Delivery{Notification: &core.Notification{ID: "ent_0000000000000000000000"}, At: time.Now(), Secrets: secrets,
		Event: &core.Event{ID: "ev_1", Type: "user.created"}, Hook: &core.AppHook{Type: core.HookWebhook, Destination: server.URL}})
	if done.Result != core.Delivered || calls != 1 {
		t.Errorf("Deliver = %+v after %d calls; want it delivered by one", done, calls)
	}
}

// mailbox is a mail server's back end that keeps what it is given.
type mailbox struct {
	mu       sync.Mutex
	letters  []string
	to       []string
	loggedIn int
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: m}, nil }

// session is one conversation.
type session struct {
	box *mailbox
	in  bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "postern" || password != "letters" {
			return smtp.ErrAuthFailed
		}
		s.in = true
		s.box.mu.Lock()
		defer s.box.mu.Unlock()
		s.box.loggedIn++
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.to = append(s.box.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.letters = append(s.box.letters, string(text))
	return err
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

// certificate returns a certificate for 127.0.0.1, and the file that vouches for it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestMail has real conversations with a mail server: STARTTLS, implicit TLS, authentication, and what it refuses.
func TestMail(t *testing.T) {
	cert, ca := certificate(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("letters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{delivery.TLSStart, delivery.TLSImplicit} {
		t.Run(mode, func(t *testing.T) {
			box := &mailbox{}
			server := smtp.NewServer(box)
			server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			if mode == delivery.TLSImplicit {
				l = tls.NewListener(l, server.TLSConfig)
			}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			settings := delivery.SMTP{Host: "127.0.0.1", Port: port, User: "postern", PasswordFile: password, From: "noreply@example.com", TLS: mode, CAFile: ca}
			deliver := func(s delivery.SMTP, to string) core.Attempted {
				t.Helper()
				c, err := delivery.New(delivery.Options{SMTP: s})
				if err != nil {
					t.Fatal(err)
				}
				return c.Deliver(t.Context(), &core.Delivery{Notification: &core.Notification{ID: "ent_0000000000000000000000"}, At: time.Now(), To: to,
					Event: &core.Event{ID: "ev_1", Type: "user.created"}, Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}},
					Fields: map[string]string{"user.name": "Ann\r\nBcc: all@example.com", "realm.name": "Shop\r\nBcc: all@example.com", "user.username": "ann"}})
			}
			if done := deliver(settings, "ann@example.com"); done.Result != core.Delivered {
				t.Fatalf("Deliver = %+v; want it delivered", done)
			}
			letter := strings.ReplaceAll(box.letters[0], "\r\n", "\n")
			head, _, _ := strings.Cut(letter, "\n\n")
			if strings.Contains(head, "\nBcc:") || len(box.to) != 1 || box.loggedIn != 1 {
				t.Errorf("a value made a header, or a recipient: to %q\n%s", box.to, head)
			}
			for _, want := range []string{"From: <noreply@example.com>", "To: <ann@example.com>", "Message-ID: <ent_0000000000000000000000@example.com>", "Subject: Welcome to Shop", "Auto-Submitted: auto-generated", "multipart/alternative"} {
				if !strings.Contains(head, want) {
					t.Errorf("the head lacks %q:\n%s", want, head)
				}
			}
			if !strings.Contains(letter, "You sign in as ann.") || !strings.Contains(letter, "text/html") {
				t.Errorf("the letter is\n%s", letter)
			}
			if done := deliver(settings, "nobody@example.com"); done.Result != core.Rejected || done.Line != "the mail server refused it: 550" {
				t.Errorf("Deliver to nobody = %+v; want it rejected", done)
			}
			outdated := settings
			outdated.PasswordFile, outdated.Password = "", "former"
			if done := deliver(outdated, "ann@example.com"); done.Result != core.NotDelivered || done.Line != "the mail server did not let us in: 535" || !done.Unserved {
				t.Errorf("Deliver with a former password = %+v; want it tried again, with the reason", done)
			}
			stranger := settings
			stranger.CAFile = ""
			if done := deliver(stranger, "ann@example.com"); done.Result != core.NotDelivered || !strings.Contains(done.Line, "certificate") || !done.Unserved || len(box.letters) != 1 {
				t.Errorf("Deliver to a server that nobody vouches for = %+v; want it not delivered", done)
			}
		})
	}
}
