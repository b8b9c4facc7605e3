// Package proxies runs the snippets of docs/forward-auth.md with the proxies that they are for: each asks a running Postern
// about requests, in front of an app that says what it was told. It also has grpc-go call through Postern's own two hosts.
package proxies

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// site is an app behind a proxy that asks Postern.
type site struct {
	*testing.T
	url     string // of the proxy
	postern *proctest.Program
	api     string
	key     string
	token   string // of a session of ann
}

const password = "four words make it long"

// TestNginx runs nginx's snippet.
func TestNginx(t *testing.T) {
	s, addresses := open(t)
	s.runsNginx(addresses)
	s.upgrades(http.StatusBadRequest)
	s.judge("nginx")
}

// runsNginx starts nginx with its snippet.
func (s *site) runsNginx(addresses *strings.Replacer) {
	s.Helper()
	listen, folder := proctest.Free(s.T), s.TempDir()
	config := strings.ReplaceAll(snippet(s.T, "nginx", "## nginx"), "listen 80;", "listen "+listen+";")
	s.runs("nginx.conf", folder, "pid "+folder+"/pid; error_log stderr; events {} http { access_log off; client_body_temp_path "+folder+
		"; proxy_temp_path "+folder+"; fastcgi_temp_path "+folder+"; uwsgi_temp_path "+folder+"; scgi_temp_path "+folder+";\n"+addresses.Replace(config)+"\n}",
		listen, "nginx", "-e", "stderr", "-g", "daemon off;", "-c", folder+"/nginx.conf")
}

// runsCaddy starts Caddy with its snippet.
func (s *site) runsCaddy(addresses *strings.Replacer) {
	s.Helper()
	listen, folder := proctest.Free(s.T), s.TempDir()
	config := strings.ReplaceAll(snippet(s.T, "caddyfile", "## Caddy"), "http://app.example.com {", "http://"+listen+" {")
	s.runs("Caddyfile", folder, "{\n\tadmin off\n}\n"+addresses.Replace(config), listen, program(s.T, "CADDY"), "run", "--adapter", "caddyfile", "--config", folder+"/Caddyfile")
}

// TestRenews: an answer that gives a browser a new cookie is not one that a cache may keep, though the app says so; others stay what they are.
func TestRenews(t *testing.T) {
	for proxy, runs := range map[string]func(*site, *strings.Replacer){"nginx": (*site).runsNginx, "Caddy": (*site).runsCaddy} {
		t.Run(proxy, func(t *testing.T) { renews(t, runs) })
	}
}

func renews(t *testing.T, runs func(*site, *strings.Replacer)) {
	postern := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Header.Get("X-Original-Uri")+r.Header.Get("X-Forwarded-Uri") == "/renewed" {
			w.Header().Set("Set-Cookie", "__Host-postern=new; Path=/; Secure")
		}
	}))
	t.Cleanup(postern.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Set-Cookie", "theme=dark")
	}))
	t.Cleanup(app.Close)
	s := &site{T: t}
	runs(s, strings.NewReplacer("127.0.0.1:9091", strings.TrimPrefix(postern.URL, "http://"), "127.0.0.1:3000", strings.TrimPrefix(app.URL, "http://")))
	const renewed, own, public = "__Host-postern=new; Path=/; Secure", "theme=dark", "public, max-age=600"
	for path, want := range map[string][2][]string{"/renewed": {{renewed, own}, {"private", public}}, "/other": {{own}, {public}}} {
		status, header, _ := s.get(path, nil)
		cookies, caching := slices.Sorted(slices.Values(header["Set-Cookie"])), slices.Sorted(slices.Values(header["Cache-Control"]))
		if status != http.StatusOK || !slices.Equal(cookies, want[0]) || !slices.Equal(caching, want[1]) {
			t.Errorf("%s = %d with Set-Cookie %q and Cache-Control %q; want %q", path, status, cookies, caching, want)
		}
	}
}

// TestCaddy runs Caddy's snippet.
func TestCaddy(t *testing.T) {
	s, addresses := open(t)
	s.runsCaddy(addresses)
	s.upgrades(http.StatusBadRequest)
	s.judge("caddy")
}

// TestTraefik runs Traefik's snippet.
func TestTraefik(t *testing.T) {
	s, addresses := open(t)
	listen := proctest.Free(t)
	config := strings.ReplaceAll(snippet(t, "yml", "## Traefik"), "app.example.com", "127.0.0.1")
	folder := t.TempDir()
	s.runs("site.yml", folder, addresses.Replace(config), listen, program(t, "TRAEFIK"), "--entrypoints.web.address="+listen, "--providers.file.filename="+folder+"/site.yml",
		"--global.checknewversion=false", "--global.sendanonymoususage=false")
	s.upgrades(http.StatusNotFound) // no route is for them
	s.judge("traefik")
}

// judge sends what must pass, what must not, and what tries to pass for somebody.
func (s *site) judge(proxy string) {
	forged := http.Header{"X-Postern-User-Id": {"evil"}, "X-Postern-Email": {"evil@example.com"}, "X-Postern-Assertion": {"evil"}, "X-Original-Uri": {"/assets/x"}, "X-Original-Method": {"OPTIONS"},
		"X-Forwarded-Uri": {"/assets/x"}, "X-Forwarded-Method": {"OPTIONS"}, "X-Forwarded-For": {"6.6.6.6"}}
	bearer := http.Header{"Authorization": {"Bearer " + s.token}}
	misspelt := http.StatusOK // nginx and Caddy leave such headers out by themselves
	if proxy == "traefik" || proxy == "envoy" {
		misspelt = http.StatusBadRequest
	}
	for _, tt := range []struct {
		name, path string
		header     http.Header
		status     int
		says       string
	}{
		{"nobody", "/", nil, http.StatusUnauthorized, ""},
		{"nobody, with forged headers", "/", forged, http.StatusUnauthorized, ""},
		{"ann", "/page?q=1", bearer, http.StatusOK, "id=usr_ name=ann mail=ann@example.com authorization="},
		{"ann, with forged headers", "/", merged(forged, bearer), http.StatusOK, "id=usr_ name=ann mail=ann@example.com"},
		{"ann, with a header that the app may take for another", "/", merged(http.Header{"X_Postern_User_Id": {"evil"}}, bearer), misspelt, ""},
		{"anybody, with such a header, on a public path", "/assets/x", http.Header{"x_postern_email": {"evil"}}, misspelt, ""},
		{"anybody, with such a header, spelled with dots", "/assets/x", http.Header{"X.Postern.User.Id": {"evil"}}, misspelt, ""},
		{"anybody, with a header of another program's, spelled with dots", "/assets/x", http.Header{"Remote.User": {"evil"}}, misspelt, ""},
		{"anybody, who means something else than to read", "/read/x", http.Header{"X-Http-Method-Override": {"DELETE"}}, http.StatusBadRequest, ""},
		{"anybody, who means it in a spelling of PHP's", "/read/x", http.Header{"X.HTTP.Method.Override": {"evil"}}, misspelt, ""},
		{"anybody, who asks in a header for another path", "/assets/x", http.Header{"X-Original-Url": {"/admin/x"}}, http.StatusBadRequest, ""},
		{"anybody, who does so by another name", "/assets/x", http.Header{"X-Rewrite-Url": {"/admin/x"}}, http.StatusBadRequest, ""},
		{"ann, who has the proxy drop headers", "/", merged(http.Header{"Connection": {"X-Postern-User-Id"}, "X-Postern-User-Id": {"evil"}}, bearer), http.StatusOK, ""},
		{"ann, who may not", "/admin/x", bearer, http.StatusForbidden, ""},
		{"anybody, on a public path", "/assets/x", forged, http.StatusOK, "id= name= mail="},
		{"anybody, who reads what only reading is public of", "/read/x", forged, http.StatusOK, "id= name= mail="},
		{"a token that proves nothing", "/", http.Header{"Authorization": {"Bearer x.y.z"}}, http.StatusUnauthorized, ""},
		{"a path that can be read in two ways", "/assets/..%2fsecret", nil, http.StatusBadRequest, ""},
		{"ann, with as many cookies as any of them takes", "/", merged(http.Header{"Cookie": {"theme=" + strings.Repeat("d", 7000)}}, bearer), http.StatusOK, "name=ann"},
		{"the pages", "/auth/sign-in", nil, http.StatusOK, "Sign in"},
		{"a browser", "/page", http.Header{"Accept": {"text/html"}}, http.StatusSeeOther, ""},
	} {
		status, header, body := s.get(tt.path, tt.header)
		if strings.Contains(body, "6.6.6.6") && proxy != "envoy" { // which says after it who it was really
			s.Errorf("%s: %s: the app was told %q; want nothing of where the client says that it is", tt.name, tt.path, body)
		}
		if status != tt.status || !strings.Contains(body, tt.says) || strings.Contains(body, "evil") {
			s.Errorf("%s: %s = %d %q; want %d and %q", tt.name, tt.path, status, body, tt.status, tt.says)
		}
		if tt.status == http.StatusSeeOther && !strings.HasPrefix(header.Get("Location"), "/auth/sign-in?") && !strings.HasPrefix(header.Get("Location"), s.url+"/auth/sign-in?") {
			s.Errorf("%s is sent to %q; want the sign-in page", tt.name, header.Get("Location"))
		}
	}
	if status, _, body := s.send("POST", "/read/x", forged); status != http.StatusUnauthorized {
		s.Errorf("anybody, who writes what only reading is public of = %d %q; want 401", status, body)
	}
	s.signIn()
	s.dies(proxy, bearer)
}

// upgrades tries to take connections to the app out of sight, by wishes for other protocols than a WebSocket, on a public path too. They must be
// answered so, or not get to the app. A WebSocket does.
func (s *site) upgrades(refused int) {
	for _, tt := range []struct {
		connection string
		upgrade    []string
	}{
		{"Upgrade, HTTP2-Settings", []string{"h2c"}}, {"Upgrade", []string{"h2c"}}, {"Upgrade", []string{"TLS/1.0"}}, {"Upgrade", []string{"h2c", "websocket"}}, {"Upgrade", []string{"websocket, h2c"}},
	} {
		wish := http.Header{"Connection": {tt.connection}, "Upgrade": tt.upgrade, "HTTP2-Settings": {"AAMAAABkAAQAAP__"}}
		if status, _, body := s.get("/assets/x", wish); status != refused && (status != http.StatusOK || !strings.Contains(body, "upgrade=\n")) {
			s.Errorf("with %v: %d %q; want %d, or an app that is not told", wish, status, body, refused)
		}
	}
	handshake := http.Header{"Authorization": {"Bearer " + s.token}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Version": {"13"}}
	if status, _, body := s.get("/page", handshake); status != http.StatusOK || !strings.Contains(body, "upgrade=websocket\n") {
		s.Errorf("a WebSocket: %d %q; want the app to be asked for one", status, body)
	}
}

// dies ends Postern while somebody is signed in.
func (s *site) dies(proxy string, bearer http.Header) {
	if err := s.postern.Process.Signal(syscall.SIGSTOP); err != nil {
		s.Fatal(err)
	}
	s.postern.Kill()
	if status, _, body := s.get("/", bearer); status < 500 {
		s.Errorf("%s, with Postern away = %d %q; want a server error, and neither 401 nor the app", proxy, status, body)
	}
}

// signIn fills the pages' form in, and comes to the app with the cookie, which the app is not shown.
func (s *site) signIn() {
	form := url.Values{"username": {"ann"}, "password": {password}, "return_to": {"/page"}}
	r, _ := http.NewRequest("POST", s.url+"/auth/sign-in", strings.NewReader(form.Encode()))
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/page" || len(resp.Cookies()) != 2 {
		s.Fatalf("sign in = %d to %q with cookies %v", resp.StatusCode, resp.Header.Get("Location"), resp.Cookies())
	}
	cookie := resp.Cookies()[0]
	status, _, body := s.get("/page", http.Header{"Cookie": {"theme=dark; " + cookie.Name + "=" + cookie.Value}})
	if status != http.StatusOK || !strings.Contains(body, "name=ann") || !strings.Contains(body, "cookie=theme=dark\n") {
		s.Errorf("with the cookie = %d %q; want ann, and no session cookie for the app", status, body)
	}
	handshake := http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}, "Origin": {"https://other.example"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Version": {"13"}}
	if status, _, body := s.get("/page", handshake); status != http.StatusForbidden {
		s.Errorf("a WebSocket that another site opens with the cookie = %d %q; want 403", status, body)
	}
}

// get is send with GET.
func (s *site) get(path string, header http.Header) (int, http.Header, string) {
	s.Helper()
	return s.send("GET", path, header)
}

// send sends a request, whose path goes out as it is.
func (s *site) send(method, path string, header http.Header) (int, http.Header, string) {
	s.Helper()
	at := strings.TrimPrefix(s.url, "http://")
	conn, err := net.DialTimeout("tcp", at, time.Minute)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n", method, path, at)
	if header["Connection"] == nil {
		fmt.Fprint(conn, "Connection: close\r\n")
	}
	_ = header.Write(conn)
	fmt.Fprint(conn, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(body)
}

// open starts Postern, and an app; addresses puts theirs in the place of those that the page shows.
func open(t *testing.T) (*site, *strings.Replacer) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		id := h.Get("X-Postern-User-Id")
		if strings.HasPrefix(id, "usr_") {
			id = "usr_"
		}
		for name, values := range h {
			if folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)); strings.HasPrefix(folded, "x-postern-") && name != http.CanonicalHeaderKey(folded) {
				fmt.Fprintf(w, "%s=%s\n", name, values)
			}
		}
		fmt.Fprintf(w, "id=%s name=%s mail=%s authorization=%s\nassertion=%s\ncookie=%s\nupgrade=%s\nmethod=%s\nfrom=%s\n", id, h.Get("X-Postern-Username"), h.Get("X-Postern-Email"), h.Get("Authorization"),
			h.Get("X-Postern-Assertion"), h.Get("Cookie"), h.Get("Upgrade"), h["X.http.method.override"], h["X-Forwarded-For"])
	}))
	t.Cleanup(app.Close)
	s := &site{T: t}
	folder, pages, asked, api := t.TempDir(), proctest.Free(t), proctest.Free(t), proctest.Free(t)
	s.api = "http://" + api + "/v1"
	config := filepath.Join(folder, "postern.yaml")
	text := fmt.Sprintf("listen: %s\nforward_auth_listen: %s\napi_listen: %s\ntrusted_proxies: [127.0.0.1]\ndata: %s/data\npublic: [/assets/*]\n"+
		"rules:\n- {path: [/read/*], method: [GET], public: true}\n- {path: [/admin/*], require: [admin]}\n", pages, asked, api, folder)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.postern = start(t, api, program(t, "POSTERN"), "serve", "--config", config)
	s.makeAnn(folder + "/data/management.key")
	return s, strings.NewReplacer("127.0.0.1:8080", pages, "127.0.0.1:9091", asked, "127.0.0.1:3000", strings.TrimPrefix(app.URL, "http://"))
}

// makeAnn makes ann, and signs her in.
func (s *site) makeAnn(keyFile string) {
	s.Helper()
	key, err := os.ReadFile(keyFile)
	if err != nil {
		s.Fatal(err)
	}
	s.key = string(key)
	s.call("POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}})
	s.token = s.call("POST", "/users/ann/authenticate", map[string]any{"password": password})["token"].(string)
}

// call calls the API as a back end does.
func (s *site) call(method, path string, body any) map[string]any {
	s.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r, _ := http.NewRequest(method, s.api+path, bytes.NewReader(text))
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Authrocket-Api-Key": {s.key}, "X-Authrocket-Realm": {"default"}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil && resp.StatusCode != http.StatusNoContent || resp.StatusCode >= 300 {
		s.Fatalf("%s %s = %d %v, %v", method, path, resp.StatusCode, answer, err)
	}
	return answer
}

// runs writes a proxy's configuration and starts it.
func (s *site) runs(file, folder, config, listen, name string, args ...string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(folder, file), []byte(config), 0o600); err != nil {
		s.Fatal(err)
	}
	s.url = "http://" + listen
	p := start(s.T, listen, name, args...)
	if err := p.Await(func() bool { return answers(listen) != http.StatusNotFound }); err != nil { // which Traefik says until it has read its file
		s.Fatal(err)
	}
}

// start runs a program until the test ends, and returns once it answers: the kernel takes connections for it sooner.
func start(t *testing.T, listen, name string, args ...string) *proctest.Program {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	p, err := proctest.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.Await(func() bool { return answers(listen) != 0 }); err != nil {
		t.Fatal(err)
	}
	return p
}

// answers returns the status that an address answers with, 0 where it does not.
func answers(address string) int {
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + address + "/")
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// snippet returns the code of a language in a section of the page.
func snippet(t *testing.T, language, section string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/forward-auth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, there := strings.Cut(string(page), "\n"+section+"\n")
	_, rest, found := strings.Cut(rest, "```"+language+"\n")
	code, _, ended := strings.Cut(rest, "```")
	if !there || !found || !ended {
		t.Fatalf("docs/forward-auth.md has no code in %s under %s", language, section)
	}
	return code
}

// program returns a program that the environment names.
func program(t *testing.T, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Fatalf("%s must name a program: see scripts/proxies", name)
	}
	return path
}

// merged returns both.
func merged(a, b http.Header) http.Header {
	all := a.Clone()
	for name, values := range b {
		all[name] = values
	}
	return all
}
