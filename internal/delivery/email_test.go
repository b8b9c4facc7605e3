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

// mailServer takes e-mails. It answers a command as answers say, by the whole of it or its first word, or else as servers do; "" hangs up.
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
			answer, other := answers[lines.Text()]
			if !other {
				answer, other = answers[word]
			}
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

// TestOutcomes goes by what a mail server says of the letter, and by nothing that comes after it was taken: it would be sent twice. What it says
// of us, whoever the letter is for, is told as that, and tried again: somebody may mend it.
func TestOutcomes(t *testing.T) {
	ours := func(line string) core.Attempted { return core.Attempted{Line: line, Unserved: true} }
	taken, later := core.Attempted{Result: core.Delivered, Line: "the mail server took it"}, core.Attempted{Line: "the mail server did not take it: 45"}
	const lacks = "the mail server: it hung up, or lacks what its settings ask for: TLS, or a way to sign in"
	refused := func(code string) core.Attempted {
		return core.Attempted{Result: core.Rejected, Line: "the mail server refused it: " + code}
	}
	for name, tt := range map[string]struct {
		answers map[string]string
		want    core.Attempted // its line may go on
	}{
		"taken":                            {nil, taken},
		"hangs up once it has it":          {map[string]string{"RSET": ""}, taken},
		"knows no RSET":                    {map[string]string{"RSET": "502 what?"}, taken},
		"says no goodbye":                  {map[string]string{"QUIT": ""}, taken},
		"hangs up before":                  {map[string]string{".": ""}, core.Attempted{Line: lacks}},
		"is busy":                          {map[string]string{".": "451 later"}, later},
		"refuses the letter":               {map[string]string{".": "554 no"}, refused("554")},
		"refuses the letter and hangs up":  {map[string]string{"RCPT": "550 nobody", "RSET": ""}, refused("550")},
		"knows nobody by that name, yet":   {map[string]string{"RCPT": "450 later"}, later},
		"hangs up at once":                 {map[string]string{"EHLO": "", "HELO": ""}, ours(lacks)},
		"is closed":                        {map[string]string{"EHLO": "421 closed", "HELO": "421 closed"}, ours("the mail server did not let us in: 421")},
		"knows another password":           {map[string]string{"EHLO": "250-here\r\n250 AUTH CRAM-MD5", "AUTH": "535 no"}, ours("the mail server did not let us in: 535")},
		"knows no way to sign in":          {map[string]string{"EHLO": "250 here"}, ours(lacks)},
		"wants somebody to sign in":        {map[string]string{"MAIL": "530 sign in first"}, ours("the mail server did not let us in: 530")},
		"wants somebody to sign in for it": {map[string]string{"RCPT": "530 sign in first"}, ours("the mail server did not let us in: 530")},
		"refuses the sender once and all":  {map[string]string{"MAIL": "553 not yours"}, refused("553")},
	} {
		m, err := newMailer(SMTP{Host: "127.0.0.1", Port: mailServer(t, tt.answers).Port, From: "noreply@example.com", TLS: TLSNone})
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(tt.answers["EHLO"], "250") {
			m.smtp.User, m.smtp.Password = "postern", "letters"
		}
		got := m.send(t.Context(), toAnn())
		if got.Result != tt.want.Result || got.Unserved != tt.want.Unserved || !strings.HasPrefix(got.Line, tt.want.Line) {
			t.Errorf("a server that %s: send = %+v; want %+v", name, got, tt.want)
		}
	}
}

// TestPlainAddresses holds that SMTPUTF8 is asked for where an address takes it, and nowhere else.
func TestPlainAddresses(t *testing.T) {
	for to, want := range map[string]core.DeliveryResult{"ann@example.com": core.Delivered, "jörg@example.com": core.Rejected} {
		server := mailServer(t, map[string]string{"EHLO": "250-here\r\n250 SMTPUTF8", "MAIL FROM:<noreply@example.com> SMTPUTF8": "555 not here"})
		m, err := newMailer(SMTP{Host: "127.0.0.1", Port: server.Port, From: "noreply@example.com", TLS: TLSNone})
		if err != nil {
			t.Fatal(err)
		}
		got := m.send(t.Context(), &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: to,
			Fields: map[string]string{"realm.name": "Grüße"}, Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}}})
		if got.Result != want {
			t.Errorf("send to %s, where asking for SMTPUTF8 is refused, = %+v; want %d", to, got, want)
		}
	}
}

// hanging returns a mail server that says nothing, and what sends to it.
func hanging(t *testing.T) (net.Listener, *mailer) {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	if err := silent.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil { // for who ought to come
		t.Fatal(err)
	}
	m, err := newMailer(SMTP{Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port, From: "noreply@example.com", TLS: TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	return silent, m
}

// toAnn returns an e-mail to be sent.
func toAnn() *core.Delivery {
	return &core.Delivery{Notification: &core.Notification{ID: "ent_1"}, Event: &core.Event{}, At: time.Unix(1700000000, 0), To: "ann@example.com",
		Hook: &core.AppHook{Type: core.HookEmail, EventTypes: []string{"user.created"}}}
}

// TestMailServerThatHangs holds that a mail server which says nothing is not asked by ever more connections, and that who waits for one
// is told in time.
func TestMailServerThatHangs(t *testing.T) {
	silent, m := hanging(t)
	send := func(ctx context.Context) core.Attempted {
		return m.send(ctx, toAnn())
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

// TestStopDoesNotWaitForTheMailServer holds that a mail server which hangs does not keep us from stopping for as long as it is given to answer.
func TestStopDoesNotWaitForTheMailServer(t *testing.T) {
	silent, m := hanging(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan core.Attempted, 1)
	go func() {
		sent <- m.send(ctx, toAnn())
	}()
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop()
	select {
	case got := <-sent:
		if got.Result != core.NotDelivered {
			t.Errorf("send = %+v; want it sent again later", got)
		}
	case <-time.After(15 * time.Second): // the server has 20
		t.Error("send goes on, though we are to stop")
	}
}
