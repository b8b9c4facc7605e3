package delivery

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"mime"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// headers are all that an e-mail has.
var headers = []string{"Date", "Mime-Version", "Message-Id", "Subject", "Auto-Submitted", "From", "To", "Content-Type", "Content-Transfer-Encoding"}

// FuzzMessage writes e-mails to people whose names and addresses are somebody's idea: each goes to the one address, under headers of ours,
// each of them once, and says in one line what it is about.
func FuzzMessage(f *testing.F) {
	for _, seed := range []struct{ name, to string }{
		{"Ann", "ann@example.com"}, {"Ann\r\nBcc: eve@example.com", "ann@example.com"}, {"Ann\nBcc: eve@example.com\n\nbody", "ann@example.com"}, {"Ann\r.\r", "ann@example.com"},
		{"\r\n.\r\nRCPT TO:<eve@example.com>", "ann@example.com"}, {"=?utf-8?q?=0d=0aBcc:_eve@example.com?=", "ann@example.com"}, {"\u2028Bcc: eve@example.com", "ann@example.com"},
		{strings.Repeat("ä", 300), "ann@example.com"}, {"\xff\x00", "ann@example.com"}, {"Ann", "ann@example.com, eve@example.com"}, {"Ann", "ann@example.com\r\nBcc: eve@example.com"},
		{"Ann", "ann@example.com>\r\nRCPT TO:<eve@example.com"}, {"Ann", "Eve <eve@example.com>"}, {"Ann", "jörg@exämple.com"}, {"Ann", "@a,@b:ann@example.com"}, {"Ann", "ann+tag=x@example.com"},
	} {
		f.Add(seed.name, seed.to)
	}
	m := &mailer{smtp: SMTP{Host: "mail.example.com", From: "noreply@example.com"}}
	f.Fuzz(func(t *testing.T, name, to string) {
		d := &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: to,
			Fields: map[string]string{"user.name": name, "realm.name": name},
			Hook:   &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}, Letter: core.Letter{Subject: "Hello {{user.name}}", FromName: "App"}}}
		msg, err := m.message(d)
		if err != nil {
			return // it is not sent
		}
		var written bytes.Buffer
		if _, err := msg.WriteTo(&written); err != nil {
			return
		}
		read, err := mail.ReadMessage(&written)
		if err != nil {
			t.Fatalf("an e-mail to %q for %q cannot be read: %v", to, name, err)
		}
		for header, values := range read.Header {
			if !slices.Contains(headers, header) || len(values) != 1 {
				t.Errorf("an e-mail to %q for %q has %s: %q", to, name, header, values)
			}
		}
		list, err := read.Header.AddressList("To")
		if err != nil || len(list) != 1 {
			t.Errorf("an e-mail to %q goes to %v, %v; want one", to, list, err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n") || !strings.HasPrefix(subject, "Hello") {
			t.Errorf("an e-mail for %q is about %q, %v; want one line", name, subject, err)
		}
	})
}

// TestSenders holds that an e-mail comes from whom its hook says, whatever the name, and else from whom the settings say.
func TestSenders(t *testing.T) {
	m := &mailer{smtp: SMTP{Host: "mail.example.com", From: "noreply@example.com"}}
	for _, want := range []mail.Address{
		{Address: "shop@example.com"}, {Name: "Shop", Address: "shop@example.com"}, {Name: `The "Shop", Inc.`, Address: "shop@example.com"}, {Name: `\`, Address: "shop@example.com"},
		{Name: "Café <eve@example.com>", Address: "shop@example.com"}, {Name: "=?utf-8?q?x?=", Address: "noreply@example.com"},
	} {
		l := core.Letter{FromName: want.Name, From: want.Address}
		if want.Address == m.smtp.From {
			l.From = ""
		}
		msg, err := m.message(&core.Delivery{Notification: &core.Notification{ID: "ent_1"}, At: time.Unix(1700000000, 0), To: "ann@example.com",
			Hook: &core.AppHook{EventTypes: []string{"user.created"}, Letter: l}})
		if err != nil {
			t.Errorf("message from %q = %v", want.Name, err)
			continue
		}
		var written bytes.Buffer
		if _, err := msg.WriteTo(&written); err != nil {
			t.Errorf("writing a message from %q = %v", want.Name, err)
		}
		read, err := mail.ReadMessage(&written)
		if err != nil {
			t.Fatalf("a message from %q cannot be read: %v", want.Name, err)
		}
		if from, err := read.Header.AddressList("From"); err != nil || len(from) != 1 || *from[0] != want {
			t.Errorf("a message from %v is from %q, %v", want, read.Header.Get("From"), err)
		}
	}
}

// mailServer takes e-mails. It answers a command as answers say, by its first word, or else as servers do; "" hangs up.
func mailServer(t *testing.T, answers map[string]string) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 mail.example.com\r\n")
		lines, inLetter := bufio.NewScanner(conn), false
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), " ")
			if inLetter && word != "." {
				continue
			}
			answer, other := answers[word]
			switch {
			case other:
			case word == "DATA":
				answer = "354 go on"
			default:
				answer = "250 ok"
			}
			if answer == "" {
				return
			}
			inLetter = strings.HasPrefix(answer, "354")
			fmt.Fprint(conn, answer+"\r\n")
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// TestNothingInTheClear holds that a mail server which offers no STARTTLS, and would take a letter without, is not given it.
func TestNothingInTheClear(t *testing.T) {
	m, err := newMailer(SMTP{Host: "127.0.0.1", Port: mailServer(t, nil).Port, From: "noreply@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	got := m.send(t.Context(), &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: "ann@example.com",
		Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}}})
	if got.Result != core.NotDelivered {
		t.Errorf("send = %+v; want %d, to be tried again", got, core.NotDelivered)
	}
}

// TestOutcomes goes by what a mail server says of the letter, and by nothing that comes after it was taken: it would be sent twice.
func TestOutcomes(t *testing.T) {
	for name, tt := range map[string]struct {
		answers map[string]string
		want    core.DeliveryResult
	}{
		"taken":                           {nil, core.Delivered},
		"hangs up once it has it":         {map[string]string{"RSET": ""}, core.Delivered},
		"knows no RSET":                   {map[string]string{"RSET": "502 what?"}, core.Delivered},
		"says no goodbye":                 {map[string]string{"QUIT": ""}, core.Delivered},
		"hangs up before":                 {map[string]string{".": ""}, core.NotDelivered},
		"is busy":                         {map[string]string{".": "451 later"}, core.NotDelivered},
		"refuses the letter":              {map[string]string{".": "554 no"}, core.Rejected},
		"refuses the letter and hangs up": {map[string]string{"RCPT": "550 nobody", "RSET": ""}, core.Rejected},
		"knows nobody by that name, yet":  {map[string]string{"RCPT": "450 later"}, core.NotDelivered},
		"hangs up at once":                {map[string]string{"EHLO": "", "HELO": ""}, core.NotDelivered},
	} {
		m, err := newMailer(SMTP{Host: "127.0.0.1", Port: mailServer(t, tt.answers).Port, From: "noreply@example.com", TLS: TLSNone})
		if err != nil {
			t.Fatal(err)
		}
		got := m.send(t.Context(), &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: "ann@example.com",
			Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}}})
		if got.Result != tt.want {
			t.Errorf("a server that %s: send = %+v; want %d", name, got, tt.want)
		}
	}
}

// TestMailServerThatHangs holds that a mail server which says nothing is not asked by ever more connections, and that who waits for one
// is told in time.
func TestMailServerThatHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m, err := newMailer(SMTP{Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port, From: "noreply@example.com", TLS: TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	send := func(ctx context.Context) core.Attempted {
		return m.send(ctx, &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: "ann@example.com",
			Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	for range mailsAtOnce {
		sending.Go(func() { send(ctx) })
	}
	for range mailsAtOnce {
		if conn, err := silent.Accept(); err != nil {
			t.Fatal(err)
		} else {
			defer conn.Close()
		}
	}
	over, end := context.WithCancel(t.Context())
	end()
	if got := send(over); got.Result != core.NotDelivered || got.Line != "the mail server is busy with others" {
		t.Errorf("one e-mail more = %+v; want it tried again later", got)
	}
}
