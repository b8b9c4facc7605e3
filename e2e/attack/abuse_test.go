package attack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestGuesses tries many passwords at once, over every spelling of a name and from every claimed address.
func TestGuesses(t *testing.T) {
	each(t, func(h *host) {
		name := "guess" + stamp()
		id := h.newUser(name, nil).id
		spellings := []string{name, strings.ToUpper(name), id, name + "@example.com", strings.ToUpper(name) + "@EXAMPLE.com", "+" + name, name + "+", "ｇ" + name[1:]}
		var mu sync.Mutex
		looked, began := 0, time.Now()
		var work sync.WaitGroup
		for i := range 240 {
			work.Go(func() {
				wrong := fmt.Sprintf("wrong password number %d", i)
				var status int
				if i%4 == 0 {
					status = h.form("/auth/sign-in", url.Values{"username": {spellings[i%len(spellings)]}, "password": {wrong}}, "Sec-Fetch-Site: same-origin", "X-Forwarded-For: 10.0.0."+strconv.Itoa(i)).status
				} else {
					status, _ = h.call("POST", "/v1/users/"+url.PathEscape(spellings[i%len(spellings)])+"/authenticate", map[string]any{"password": wrong, "request": map[string]any{"ip": "10.0.0." + strconv.Itoa(i)}})
				}
				mu.Lock()
				defer mu.Unlock()
				switch status {
				case 401:
					looked++
				case 429, 503, 404:
				default:
					h.Errorf("a guess = %d", status)
				}
			})
		}
		work.Wait()
		if most := 11 + int(time.Since(began)/time.Minute); looked > most { // one a minute after ten
			h.Errorf("%d guesses were looked at in %v; want at most ten, and one a minute", looked, time.Since(began))
		}
	})
}

// TestGarbageTokens shows many tokens that differ, as bearer, cookie and API key. A good one is still known, and nothing is kept of the others.
func TestGarbageTokens(t *testing.T) {
	each(t, func(h *host) {
		p := h.takeApart(h.users["ann"].token)
		before := h.peak()
		var work sync.WaitGroup
		for worker := range 4 {
			work.Go(func() {
				conn, err := net.DialTimeout("tcp", h.guard, patience)
				if err != nil {
					h.Error(err)
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
				in := bufio.NewReader(conn)
				for i := range 4000 {
					junk := fmt.Sprintf("%s.%s.%086d", p.text[0], encode(with(p.claims, "jti", fmt.Sprintf("%d-%d", worker, i))), i)
					line := []string{bearer(junk), "Cookie: __Host-postern=" + junk, "X-Api-Key: ak_" + stamp() + stamp() + stamp(), bearer(junk[:len(junk)-20])}[worker]
					if _, err := io.WriteString(conn, "GET /page HTTP/1.1\r\nHost: "+h.guard+"\r\n"+line+"\r\n\r\n"); err != nil {
						h.Error(err)
						return
					}
					resp, err := http.ReadResponse(in, nil)
					if err != nil || resp.StatusCode != 401 {
						h.Errorf("garbage = %v, %v; want 401", resp, err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
				}
			})
		}
		work.Wait()
		if grown := h.peak() - before; grown > 100 {
			h.Errorf("16,000 garbage tokens took %d MiB more; want nothing kept of them", grown)
		}
		if a := h.get("/page", bearer(h.users["ann"].token)); a.saw == nil {
			h.Errorf("after the garbage the good token = %d", a.status)
		}
	})
}

// TestTooMuch sends more than anybody needs.
func TestTooMuch(t *testing.T) {
	each(t, func(h *host) {
		before := h.peak()
		huge := strings.Repeat("x", 2<<20)
		for what, text := range map[string]string{
			"a token of 2 MiB":    "GET /page HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n" + bearer(huge) + "\r\n\r\n",
			"a cookie of 2 MiB":   "GET /page HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nCookie: __Host-postern=" + huge + "\r\n\r\n",
			"a path of 2 MiB":     "GET /" + huge + " HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
			"a query of 2 MiB":    "GET /?" + huge + " HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
			"a method of 2 MiB":   huge + " / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
			"50,000 headers":      "GET /page HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n" + strings.Repeat("X-A: 1\r\n", 50_000) + "\r\n",
			"a line that goes on": "GET /page HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nX: " + huge,
			"a trailer that goes": "POST /open/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + huge,
			"20,000 cookies":      "GET /page HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nCookie: " + strings.Repeat("a=b; ", 20_000) + "\r\n\r\n",
		} {
			for _, address := range []string{h.guard, h.api} {
				if a := h.raw(address, strings.ReplaceAll(text, "HOST", address)); a.saw != nil && what != "a trailer that goes" || a.status >= 500 && a.status != 502 && a.status != 505 {
					h.Errorf("%s = %d; want a refusal", what, a.status)
				}
			}
		}
		for what, body := range map[string]string{
			"a body of 2 MiB": `{"user":{"first_name":"` + huge + `"}}`, "a deep body": `{"user":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + "}", "a huge number": `{"user":{"custom":{"a":1` + strings.Repeat("0", 100_000) + `}}}`,
			"a number too great": `{"user":{"custom":{"a":1e999999}}}`, "many members": `{"user":{` + strings.Repeat(`"a":1,`, 20_000) + `"b":1}}`, "not UTF-8": "{\"user\":{\"first_name\":\"\xff\"}}", "names twice": `{"user":{"state":"active"},"user":{"state":"inactive"}}`,
			"a gzip body": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xaa\xae\x05\x00\x00\x00\xff\xff\x03\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00", "another case": `{"User":{"State":"inactive"}}`, "half a character": `{"user":{"username":"\ud800"}}`,
		} {
			status, _, text := h.send("PUT", "http://"+h.api+"/v1/users/"+h.users["ann"].id, body, http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}, "Content-Encoding": {"gzip"}})
			if status < 400 || status >= 500 {
				h.Errorf("%s = %d %.200s; want a refusal", what, status, text)
			}
		}
		for what, form := range map[string]string{
			"deep brackets": "user" + strings.Repeat("[a]", 5000) + "=1", "a key twice": "user[state]=active&user[state]=inactive", "an open bracket": "user[state=inactive", "a semicolon": "user[state]=active;user[state]=inactive", "bad escapes": "user[state]=%zz",
			"text and object": "user=1&user[state]=inactive", "many": strings.Repeat("user[a]=1&", 10_000), "a NUL": "user[first_name]=%00",
		} {
			status, _, text := h.send("PUT", "http://"+h.api+"/v1/users/"+h.users["ann"].id, form, http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}}, "Content-Type", "application/x-www-form-urlencoded")
			if status < 400 || status >= 500 {
				h.Errorf("a form with %s = %d %.200s; want a refusal", what, status, text)
			}
		}
		if grown := h.peak() - before; grown > 150 {
			h.Errorf("too much took %d MiB more", grown)
		}
		if a := h.get("/page", bearer(h.users["ann"].token)); a.saw == nil {
			h.Errorf("after all that ann = %d", a.status)
		}
	})
}

// TestSlowClients holds many connections open that never finish a request, at every listener, and asks meanwhile.
func TestSlowClients(t *testing.T) {
	each(t, func(h *host) {
		var conns []net.Conn
		defer func() {
			for _, conn := range conns {
				_ = conn.Close()
			}
		}()
		listeners := []string{h.guard, h.api, h.admin, h.forward}
		for _, address := range listeners {
			for i := range 100 {
				if address == "" {
					continue
				}
				conn := h.dial(address)
				conns = append(conns, conn)
				_, _ = io.WriteString(conn, []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX", "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}[i%5])
			}
		}
		began := time.Now()
		for range 20 {
			if a := h.get("/page", bearer(h.users["ann"].token)); a.saw == nil {
				h.Errorf("ann, among the slow = %d", a.status)
			}
			if status, body := h.call("GET", "/v1/users/"+h.users["ann"].id, nil); status != 200 {
				h.Errorf("the API, among the slow = %d %v", status, body)
			}
		}
		if took := time.Since(began); took > 30*time.Second { // any of which would wait for ten, if it had to for one of the slow
			h.Errorf("40 requests among the slow took %v", took)
		}
		if h.forward == "" {
			return // how long Caddy waits is for its own settings
		}
		for i, conn := range conns {
			if i%5 == 0 || i%5 == 3 && i < 100 || i%5 == 4 {
				continue // nothing was begun, or a body for the app, which may take a minute
			}
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
				h.Errorf("a slow client at %s is still there after a minute: %v", conn.RemoteAddr(), err)
			} else if e, is := err.(net.Error); is && e.Timeout() {
				h.Errorf("a slow client at %s, %d, is still there after a minute", conn.RemoteAddr(), i%5)
			}
		}
	})
}

// TestNames takes names that stand for something else.
func TestNames(t *testing.T) {
	each(t, func(h *host) {
		victim := h.newUser("names"+stamp(), nil)
		_, body := h.call("GET", "/v1/users/"+victim.id, nil)
		taken := body["username"].(string)
		for _, name := range []string{victim.id, strings.ToUpper(victim.id), "usr_x", "USR_x", "me", "ME", "ｍｅ", "reauth", "authenticate_key", "authenticate_token", "verify_email", "reset_password_with_token", "--", ".", "..", "a/b", "/", "", " ", "\t", "a\x00b", "a\nb", "\u202eann", "ann\u200b", "\u200bann", "a\u0000",
			taken, strings.ToUpper(taken), " " + taken + " ", "ｎ" + taken[1:], strings.Replace(taken, "s", "\u017f", 1), taken + "\u00ad", taken + "\ufeff", taken + "@example.com", strings.Repeat("a", 5000)} {
			status, body := h.call("POST", "/v1/users", map[string]any{"user": map[string]any{"user_type": "human", "username": name, "email": stamp() + "@example.com", "password": password}})
			if status != 422 && status != 409 {
				h.Errorf("a user called %q = %d %v; want a refusal", name, status, body)
			}
		}
		mine := h.newRealm()
		tenant := h.newKey(mine, "manage")
		for _, name := range []string{mine, h.realm, strings.ToUpper(h.realm), "default", " default ", "rl_x", "", " ", "a\x00", "\u202ea", "default\u200b"} {
			if status, _ := h.call("POST", "/v1/realms", map[string]any{"realm": map[string]any{"name": name}}); status != 422 {
				h.Errorf("a realm called %q = %d; want 422", name, status)
			}
			if status, _ := h.callAs(tenant, "PUT", "/v1/realms/"+mine, map[string]any{"realm": map[string]any{"name": name}}, "Authrocket-Realm", mine); status != 422 {
				h.Errorf("to call a realm %q, by its own key = %d; want 422", name, status)
			}
		}
		if status, _ := h.call("GET", "/v1/users/"+h.users["ann"].id, nil); status != 200 {
			h.Errorf("the realm default is not found by its name any more: %d", status)
		}
	})
}

// TestWebhooksReachNothingInside has webhooks called at the witness, under every spelling of an address inside, and at what is no address on
// the web. That a name which leads inside is refused when it is dialed is for the tests of deliveries.
func TestWebhooksReachNothingInside(t *testing.T) {
	each(t, func(h *host) {
		_, port, _ := net.SplitHostPort(h.witness.address())
		for _, address := range []string{"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0.0.0.0", "0", "[::]", "127.0.0.1.", "user:pass@127.0.0.1", "example.com@127.0.0.1",
			"127.0.0.1%2f.example.com", "①②⑦.⓪.⓪.①", "127。0。0。1", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "[fe80::1%25lo]"} {
			for _, scheme := range []string{"http", "https"} {
				destination := scheme + "://" + address + ":" + port + "/ssrf"
				if status, body := h.call("POST", "/v1/app_hooks", map[string]any{"app_hook": map[string]any{"hook_type": "webhook", "event_type": "user.created", "destination": destination}}); status != 422 {
					h.Errorf("a hook to %s = %d %v; want 422", destination, status, body)
				}
			}
		}
		for _, destination := range []string{"file:///etc/passwd", "gopher://127.0.0.1/x", "javascript:alert(1)", "//127.0.0.1/x", "http://", "ftp://example.com", "unix:/run/x", "https://example.com/\r\nX: y", "https://example.com\x00", "https:///x"} {
			if status, body := h.call("POST", "/v1/app_hooks", map[string]any{"app_hook": map[string]any{"hook_type": "webhook", "event_type": "user.created", "destination": destination}}); status != 422 {
				h.Errorf("a hook to %q = %d %v; want 422", destination, status, body)
			}
		}
		if h.witness.heard("/ssrf") {
			h.Error("a webhook reached an address inside")
		}
		for _, subject := range []string{"a\r\nBcc: evil@example.com", "a\nb", "a\x00b"} {
			if status, body := h.call("POST", "/v1/app_hooks", map[string]any{"app_hook": map[string]any{"hook_type": "email", "event_type": "user.created", "email_subject": subject, "email_template": "x", "email_from": "a@example.com\r\nBcc: b@example.com", "email_to": "user"}}); status != 422 {
				h.Errorf("an e-mail with the subject %q = %d %v; want 422", subject, status, body)
			}
		}
	})
}
