package caddymodule

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mailServer takes e-mails over TLS from whoever shows user and password, and keeps them.
type mailServer struct {
	port    int
	ca      string // file that vouches for it
	letters chan string
}

// startMailServer starts one on this machine, until the test ends.
func startMailServer(t *testing.T, user, password string) *mailServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{ca: filepath.Join(t.TempDir(), "mail.pem"), letters: make(chan string, 10)}
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.port = l.Addr().(*net.TCPAddr).Port
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go s.converse(conn, secret)
		}
	}()
	return s
}

// converse has one conversation (RFC 5321), with AUTH PLAIN (RFC 4616).
func (s *mailServer) converse(conn net.Conn, secret string) {
	defer conn.Close()
	in := textproto.NewReader(bufio.NewReader(conn))
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 mail")
	known := false
	for line, err := in.ReadLine(); err == nil; line, err = in.ReadLine() {
		switch verb := strings.ToUpper(line); {
		case strings.HasPrefix(verb, "EHLO"):
			say("250-mail\r\n250 AUTH PLAIN")
		case strings.HasPrefix(verb, "AUTH PLAIN"):
			if known = strings.HasSuffix(line, " "+secret); !known {
				say("535 no")
				continue
			}
			say("235 welcome")
		case !known && verb != "QUIT":
			say("530 who are you?")
		case verb == "DATA":
			say("354 go on")
			letter, err := io.ReadAll(in.DotReader())
			if err != nil {
				return
			}
			s.letters <- string(letter)
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// letter returns the next e-mail.
func (s *mailServer) letter(w *world) string {
	w.Helper()
	var letter string
	w.eventually("an e-mail arrives", func() bool {
		select {
		case letter = <-s.letters:
			return true
		default:
			return false
		}
	})
	return letter
}

// managed calls the API with the first management key.
func (w *world) managed(method, path, body string) answer {
	w.Helper()
	w.eventually("the store is set up", func() bool { return len(w.logged("the first management key lies")) > 0 })
	key, err := os.ReadFile(filepath.Join(w.folder, "management.key"))
	if err != nil {
		w.Fatal(err)
	}
	return w.do(method, path, strings.TrimSpace(string(key)), body, "Content-Type", "application/json", "X-Authrocket-Realm", "default")
}

// manage calls the API with the first management key. It must answer 2xx; what it answers is read into out, unless nil.
func (w *world) manage(method, path, body string, out any) {
	w.Helper()
	got := w.managed(method, path, body)
	if got.status/100 != 2 {
		w.Fatalf("%s %s = %+v", method, path, got)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(got.body), out); err != nil {
		w.Fatal(err)
	}
}

// TestMail has Caddy write to a new user, in a conversation with a mail server that asks for a password, and call a webhook
// inside. The password stands neither in the configuration nor in the log.
func TestMail(t *testing.T) {
	w := newWorld(t)
	const password = "hunter2-of-the-mail-server"
	t.Setenv("SMTP_PASSWORD", password)
	mail := startMailServer(t, "postern", password)
	called := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		called <- string(body)
	}))
	t.Cleanup(app.Close)
	config := w.config(fmt.Sprintf(`postern {
		smtp_host 127.0.0.1
		smtp_port %d
		smtp_tls implicit
		smtp_user postern
		smtp_password {env.SMTP_PASSWORD}
		smtp_from noreply@example.com
		smtp_ca %s
		mail_links https://app.example.com/auth
		webhook_allow 127.0.0.1
	}`, mail.port, mail.ca), guarded)
	if got := adapted(config); strings.Contains(got, password) || !strings.Contains(got, "{env.SMTP_PASSWORD}") {
		t.Errorf("adapts to %s; want the placeholder, and not what it stands for", got)
	}
	w.load(config)
	w.manage("POST", "/v1/app_hooks", `{"app_hook":{"hook_type":"email","event_type":"user.email.verification_requested"}}`, nil)
	w.manage("POST", "/v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"`+app.URL+`","event_type":["user.created"]}}`, nil)
	got := w.managed("POST", "/v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"http://10.0.0.1/","event_type":["user.created"]}}`)
	if got.status != 422 || !strings.Contains(got.body, "10.0.0.1 is not a public address. Who runs Postern can let it in with webhook_allow") {
		t.Errorf("a webhook to what is not allowed = %+v; want a refusal that says what allows it", got)
	}
	var user struct{ ID string }
	w.manage("POST", "/v1/users", `{"user":{"user_type":"human","username":"ann","email":"ann@example.com","password":"correct horse battery staple"}}`, &user)
	w.manage("POST", "/v1/users/"+user.ID+"/request_email_verification", "", nil)
	letter := mail.letter(w)
	for _, want := range []string{"From: <noreply@example.com>", "To: <ann@example.com>", "https://app.example.com/auth/verify-email?token="} {
		if !strings.Contains(strings.ReplaceAll(letter, "=\r\n", ""), want) {
			t.Errorf("the e-mail lacks %q:\n%s", want, letter)
		}
	}
	w.eventually("the webhook is called", func() bool { return len(called) > 0 })
	if body := <-called; !strings.Contains(body, user.ID) {
		t.Errorf("the webhook was told %s; want the user", body)
	}
	if lines := w.logged(password); len(lines) > 0 {
		t.Errorf("the log shows the password: %s", lines)
	}
}
