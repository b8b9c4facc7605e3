package sidecar

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// ask sends a request with a token, and returns the answer with its body read.
func (v *served) ask(client *http.Client, method, url, token string, body io.Reader) (*http.Response, string) {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, url, body)
	v.must(err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	v.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	v.must(err)
	return resp, string(text)
}

// begin sends a request from a goroutine of its own, and returns where the status and the body of its answer will come, or what went wrong.
func (v *served) begin(url string) <-chan string {
	client, came := plain(v.T, nil), make(chan string, 1)
	go func() {
		resp, err := client.Get(url)
		if err != nil {
			came <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			text = []byte(err.Error())
		}
		came <- fmt.Sprint(resp.StatusCode, " ", string(text))
	}()
	return came
}

// plain is a client that keeps nothing after its test, and waits for 40 seconds.
func plain(t *testing.T, change func(*http.Transport)) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	if change != nil {
		change(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 40 * time.Second}
}

// TestUpstreams reaches the app in each way that there is, with trailers and in HTTP/2 where that is spoken.
func TestUpstreams(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s to %s", r.Proto, r.Header.Get("X-Postern-Username"))
		w.Header().Set("X-Sum", "42")
	})
	socket := filepath.Join(t.TempDir(), "app.sock")
	overSocket, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(app)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	h2c := httptest.NewUnstartedServer(app)
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	server := &http.Server{Handler: app}
	go func() { _ = server.Serve(overSocket) }()
	t.Cleanup(func() { secure.Close(); h2c.Close(); _ = server.Close() })

	tests := []struct{ name, upstream, ca, proto string }{
		{"a socket", "unix:" + socket, "", "HTTP/1.1"},
		{"a socket, as a URL", "unix://" + socket, "", "HTTP/1.1"},
		{"TLS", secure.URL, ca, "HTTP/2.0"},
		{"HTTP/2 without TLS", strings.Replace(h2c.URL, "http", "h2c", 1), "", "HTTP/2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream, o.UpstreamCA = tt.upstream, tt.ca })
			in := v.signIn(v.parts.Core, v.realm.ID, "ann")
			resp, body := v.ask(plain(t, nil), "GET", v.GuardURL(), in.Token, nil)
			if want := tt.proto + " to ann"; body != want || resp.Trailer.Get("X-Sum") != "42" {
				t.Errorf("answer = %q with trailer %v; want %q with X-Sum 42", body, resp.Trailer, want)
			}
		})
	}
}

// TestUpstreamIsChecked holds that what cannot be an app is refused at the start.
func TestUpstreamIsChecked(t *testing.T) {
	for _, upstream := range []string{"http://a:99999", "h2c://a:0", "", "127.0.0.1:3000", "ftp://a", "http://", "http://user:secret@a", "http://a?b=c", "unix:", "://", "http://a#b"} {
		if _, err := parseUpstream(upstream, ""); err == nil || !strings.Contains(err.Error(), "must be a URL like") {
			t.Errorf("parseUpstream(%q) = %v; want a refusal", upstream, err)
		}
	}
}

// makeCertificate writes a certificate with a serial number, and its key.
func makeCertificate(t *testing.T, folder string, serial int64) (certFile, keyFile string) {
	t.Helper()
	return makeCertificateUntil(t, folder, serial, time.Now().Add(time.Hour))
}

// makeCertificateUntil does makeCertificate's work for one that expires at a time.
func makeCertificateUntil(t *testing.T, folder string, serial int64, expires time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: expires}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestTLS serves HTTP/2 over TLS, takes a new certificate when the files change, and keeps the old one while they are broken.
func TestTLS(t *testing.T) {
	folder := t.TempDir()
	v := serve(t, hosttest.App(), func(o *Options) { o.TLSCert, o.TLSKey = makeCertificate(t, folder, 1) })
	serial := func() int64 {
		client := plain(t, func(tr *http.Transport) {
			tr.TLSClientConfig, tr.ForceAttemptHTTP2, tr.DisableKeepAlives = &tls.Config{InsecureSkipVerify: true}, true, true
		})
		resp, _ := v.ask(client, "GET", v.GuardURL(), "", nil)
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("answer = %s %d; want HTTP/2 and 401", resp.Proto, resp.StatusCode)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	for i, step := range []struct {
		change func()
		want   int64
	}{
		{func() {}, 1},
		{func() { makeCertificate(t, folder, 2222) }, 2222},
		{func() { v.must(os.WriteFile(v.o.TLSKey, []byte("half"), 0o600)) }, 2222},
		{func() { makeCertificate(t, folder, 333333) }, 333333},
	} {
		step.change()
		v.certificate.refresh()
		if got := serial(); got != step.want {
			t.Errorf("step %d: serial number = %d; want %d", i, got, step.want)
		}
	}
	makeCertificate(t, folder, 44444444)
	redistest.Eventually(t, "the files are looked at unasked", func() bool { return serial() == 44444444 })
}

// TestUnixListener serves on a socket, takes the place of one that was left behind, and leaves one in use alone.
func TestUnixListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	v := serve(t, hosttest.App(), func(o *Options) {
		o.Listen, o.APIListen, o.TrustedProxies = "unix:"+path, "127.0.0.1:0", []string{"unix"}
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket = %v, %v; want it for its owner and group alone", info.Mode(), err)
	}
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	client := plain(t, func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	})
	if resp, body := v.ask(client, "GET", "http://app/", in.Token, nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, "ann@example.com") {
		t.Errorf("answer = %d %s; want ann's", resp.StatusCode, body)
	}
	if _, err := listen("unix:"+path, "--listen"); err == nil || !strings.Contains(err.Error(), "taken by another program") {
		t.Errorf("a second listener = %v; want a refusal", err)
	}
}

// TestReloadWhileItHashes takes settings that leave the default of hash_slots, which is by the processors, while a sign-in has Go run one more.
func TestReloadWhileItHashes(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Hashing.HashSlots = 0 })
	hashing.change(true)
	defer hashing.change(false)
	o := v.o
	o.Hashing.HashSlots = 0
	v.must(v.Reload(t.Context(), o))
}

// TestReload goes on with other settings while requests come without pause, and none of them fails; what is not good, and what
// takes a restart, changes nothing.
func TestReload(t *testing.T) {
	named := func(name string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(s.Close)
		return s
	}
	first, second := named("first"), named("second")
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream = first.URL })
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	ctx, cancel := context.WithCancel(t.Context())
	var sent, failed atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		client := plain(t, nil)
		for ctx.Err() == nil {
			r, _ := http.NewRequest("GET", v.GuardURL(), nil)
			r.Header.Set("Authorization", "Bearer "+in.Token)
			resp, err := client.Do(r)
			if sent.Add(1); err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
				continue
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}()
	reload := func(change func(*Options)) error {
		o := v.o
		change(&o)
		return v.Reload(t.Context(), o)
	}
	for i := range 50 {
		v.must(reload(func(o *Options) { o.Upstream = []string{second.URL, first.URL}[i%2] }))
	}
	v.must(reload(func(o *Options) { o.Upstream = second.URL }))
	for what, change := range map[string]func(*Options){
		"no upstream":      func(o *Options) { o.Upstream = "" },
		"another address":  func(o *Options) { o.Listen = "127.0.0.1:1" },
		"an unknown realm": func(o *Options) { o.Guard.Realm = "nowhere" },
		"a bad header":     func(o *Options) { o.Guard.CopyHeaders = map[string]string{"Host": "id"} },
	} {
		if err := reload(change); err == nil {
			t.Errorf("Reload with %s = nil; want an error", what)
		}
	}
	if _, body := v.ask(plain(t, nil), "GET", v.GuardURL(), in.Token, nil); body != "second" {
		t.Errorf("after refused reloads the app is %q; want second", body)
	}
	cancel()
	hosttest.Within(t, "the last request is answered", done)
	if sent.Load() == 0 || failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), sent.Load())
	}
}

// TestSlowBody ends a request whose body stops coming, and leaves one alone that takes its time.
func TestSlowBody(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler) // as an app that cannot use half a body
		}
	})
	v := serve(t, app, func(o *Options) { o.SlowClient = time.Second })
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	send := func(bytes int) string {
		conn := v.dial()
		defer conn.Close()
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\nContent-Length: 3\r\n\r\n", in.Token)
		for range bytes {
			_, err := conn.Write([]byte("x"))
			v.must(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		v.must(err)
		defer resp.Body.Close()
		return resp.Status
	}
	if got := send(2); got != "408 Request Timeout" {
		t.Errorf("a body that stops = %s; want 408", got)
	}
	if got := send(3); got != "200 OK" {
		t.Errorf("a whole body = %s; want 200", got)
	}
}

// TestBodyLeftUnread has the app answer before it has read a body. What the app left of it must end the connection, and never
// be taken for the next request: behind a proxy, that would be somebody else's.
func TestBodyLeftUnread(t *testing.T) {
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	var hidden atomic.Bool
	go func() {
		for {
			conn, err := upstream.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				hidden.Store(hidden.Load() || r.URL.Path == "/hidden")
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Upstream, o.Guard.Public = "http://"+upstream.Addr().String(), []string{"/*"}
	})
	const inside = "GET /hidden HTTP/1.1\r\nHost: app\r\n\r\n"
	for name, framing := range map[string]func(body string) string{
		"length": func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) },
		"chunks": func(body string) string {
			return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		},
		"broken chunks": func(body string) string { return "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n!\r\n" + body },
	} {
		for _, size := range []int{1 << 10, 300 << 10, 4 << 20} {
			conn, err := net.Dial("tcp", v.app.Addr().String())
			v.must(err)
			v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
			go func() {
				_, _ = io.WriteString(conn, "POST /dropped HTTP/1.1\r\nHost: app\r\n"+framing(strings.Repeat(inside, size/len(inside)+1))+
					"GET /last HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
			}()
			text, _ := io.ReadAll(conn) // a reset is an end, too
			if n := strings.Count(string(text), "HTTP/1.1 "); n > 2 || !strings.HasPrefix(string(text), "HTTP/1.1 ") {
				t.Errorf("%d bytes in %s: %d answers; want one, and another to what follows the body if anything does", size, name, n)
			}
			_ = conn.Close()
		}
	}
	if hidden.Load() {
		t.Error("the app was asked for what stood in a body")
	}
}

// TestRefusedBody is refused at sight, and sends nothing of the body that it announced. It may neither wait for an answer until it
// does nor hold the connection for good.
func TestRefusedBody(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.SlowClient = time.Second })
	for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
		conn, err := net.Dial("tcp", v.app.Addr().String())
		v.must(err)
		v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100000\r\n"+expect+"\r\n")
		v.must(err)
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 401 ") {
			t.Errorf("a refused body, %q = %.40q, %v; want 401 and the end of the connection", expect, text, err)
		}
		_ = conn.Close()
	}
}

// TestUnsureFraming sends what a proxy in front may have cut in another way, and a request after it. Nobody may take that for one.
func TestUnsureFraming(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Guard.Public = []string{"/*"} })
	const chunks, next = "4\r\nbody\r\n0\r\n\r\n", "GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
	for _, tt := range []struct {
		name, text string
		answers    int
	}{
		{"a length", "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody", 2},
		{"a length, then chunks", "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 1},
		{"chunks, then a length", "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunks, 1},
		{"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", 1},
	} {
		for _, address := range []string{v.app.Addr().String(), v.api.Addr().String()} {
			conn, err := net.Dial("tcp", address)
			v.must(err)
			v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
			_, err = io.WriteString(conn, tt.text+next)
			v.must(err)
			text, _ := io.ReadAll(conn) // a reset is an end, too
			if n := strings.Count(string(text), "HTTP/1.1 404 ") + strings.Count(string(text), "HTTP/1.0 404 "); n != tt.answers {
				t.Errorf("%s, then a request = %d answers, %q; want %d", tt.name, n, text, tt.answers)
			}
			_ = conn.Close()
		}
	}
}

// TestAPIMount serves the part of the API under the guarded address that is asked for, and leaves the rest to the app.
func TestAPIMount(t *testing.T) {
	tests := []struct {
		mount, method, path string
		app                 bool
	}{
		{"", "GET", "/v1/users/me", true},
		{"account", "GET", "/v1/users/me", false},
		{"account", "POST", "/v1/users/reauth", false},
		{"account", "POST", "/v1/users", false},
		{"account", "GET", "/v1/users", true},
		{"account", "GET", "/v1/management_keys", true},
		{"account", "GET", "/v1/users/me/", true},
		{"account", "GET", "/v1/realms/rl_x/.well-known/jwks.json", false},
		{"all", "GET", "/v1/management_keys", false},
		{"all", "GET", "/v1x", true},
		{"all", "GET", "/", true},
	}
	for _, tt := range tests {
		served := mounted(tt.mount, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "api") }),
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "app") }))
		w := httptest.NewRecorder()
		served.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if want := map[bool]string{true: "app", false: "api"}[tt.app]; w.Body.String() != want {
			t.Errorf("api_mount %q: %s %s went to the %s; want the %s", tt.mount, tt.method, tt.path, w.Body, want)
		}
	}
}

// TestAdmin says how the process is, on a listener of its own.
func TestAdmin(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.AdminListen = "127.0.0.1:0" })
	base := urlOf("http", v.admin)
	for path, want := range map[string]string{"/healthz": "alive\n", "/readyz": "ready\n", "/other": "404 page not found\n"} {
		if _, body := v.ask(plain(t, nil), "GET", base+path, "", nil); body != want {
			t.Errorf("GET %s = %q; want %q", path, body, want)
		}
	}
	if resp, _ := v.ask(plain(t, nil), "GET", v.GuardURL()+"/healthz", "", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("GET /healthz at the guarded address = %d; want 401", resp.StatusCode)
	}
	var body string
	redistest.Eventually(t, "the store has been checked", func() bool {
		_, body = v.ask(plain(t, nil), "GET", base+"/metrics", "", nil)
		return strings.Contains(body, "postern_store_up 1\n")
	})
	for _, want := range []string{
		"postern_guard_requests_total{realm=\"default\",verdict=\"deny\",reason=\"no_credential\"} 1\n",
		"postern_guard_requests_total{realm=\"default\",verdict=\"allow\",reason=\"\"} 0\n",
		"postern_jobs 0\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("GET /metrics lacks %q:\n%s", want, body)
		}
	}
}
