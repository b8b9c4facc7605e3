package proxies

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	authz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // its type is in the snippet
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// TestEnvoy reads Envoy's snippet as Envoy would, and has it carried out by a stand-in, since no Envoy is to be had as a package.
func TestEnvoy(t *testing.T) {
	s, addresses := open(t)
	manager, filter := envoySettings(t, addresses.Replace(snippet(t, "yml", "## Envoy")))
	standIn := &envoy{filter: filter, pages: target(t, addresses.Replace("http://127.0.0.1:8080")), app: target(t, addresses.Replace("http://127.0.0.1:3000")), said: t.Errorf}
	if !manager.GetUseRemoteAddress().GetValue() || manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction().String() != "REJECT_REQUEST" {
		t.Errorf("the connection manager is %v; the stand-in goes by addresses of its own, and refuses underscores", manager)
	}
	server := httptest.NewServer(standIn)
	defer server.Close()
	s.url = server.URL
	s.judge("envoy")
}

// envoySettings reads the settings of a connection manager and of its ext_authz filter, as strictly as Envoy does.
func envoySettings(t *testing.T, text string) (*hcm.HttpConnectionManager, *authz.ExtAuthz) {
	t.Helper()
	var settings map[string]any
	if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	manager, filter := &hcm.HttpConnectionManager{}, &authz.ExtAuthz{}
	if err := protojson.Unmarshal(asJSON, manager); err != nil {
		t.Fatal(err)
	}
	if err := manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(filter); err != nil {
		t.Fatal(err)
	}
	if err := manager.ValidateAll(); err != nil {
		t.Error(err)
	}
	if err := filter.ValidateAll(); err != nil {
		t.Error(err)
	}
	var route authz.ExtAuthzPerRoute
	config := manager.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()[0].GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"]
	if err := config.UnmarshalTo(&route); err != nil || !route.GetDisabled() || route.ValidateAll() != nil {
		t.Errorf("the pages are asked about too: %v, %v", config, err)
	}
	return manager, filter
}

// envoy stands in for Envoy with an ext_authz filter over HTTP: its documentation, "External Authorization", and ext_authz_http_impl.cc.
type envoy struct {
	filter     *authz.ExtAuthz
	pages, app *url.URL
	said       func(format string, a ...any)
}

func (e *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name := range r.Header {
		if strings.Contains(name, "_") {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	r.Header.Set("X-Forwarded-For", strings.TrimPrefix(r.Header.Get("X-Forwarded-For")+","+client, ","))
	r.Header.Set("X-Forwarded-Proto", "http")
	if strings.HasPrefix(r.URL.Path, "/auth/") {
		e.pass(w, r, e.pages, nil)
		return
	}
	verdict, err := http.DefaultTransport.RoundTrip(e.asking(r))
	if err != nil || verdict.StatusCode >= 500 {
		w.WriteHeader(int(e.filter.GetStatusOnError().GetCode()))
		return
	}
	defer verdict.Body.Close()
	if verdict.StatusCode != http.StatusOK {
		for name, values := range verdict.Header { // all of them, where no allowed_client_headers are set
			w.Header()[name] = values
		}
		w.WriteHeader(verdict.StatusCode)
		_, _ = io.Copy(w, verdict.Body)
		return
	}
	allowed := e.filter.GetHttpService().GetAuthorizationResponse()
	for name, values := range verdict.Header {
		if matches(allowed.GetAllowedUpstreamHeaders(), name) {
			r.Header[name] = values
		}
	}
	e.pass(w, r, e.app, verdict.Header["Set-Cookie"])
}

// asking returns the request that asks about r: of its headers it has those that are allowed, and Authorization, with the address of this machine after the client's.
func (e *envoy) asking(r *http.Request) *http.Request {
	service := e.filter.GetHttpService()
	asking, err := http.NewRequest(r.Method, service.GetServerUri().GetUri()+service.GetPathPrefix()+r.RequestURI, nil)
	if err != nil {
		e.said("cannot ask about %s: %v", r.RequestURI, err)
		return r
	}
	asking.Host = r.Host
	for name, values := range r.Header {
		if name == "Authorization" || matches(e.filter.GetAllowedHeaders(), name) {
			asking.Header.Set(name, strings.Join(values, ","))
		}
	}
	asking.Header.Set("X-Forwarded-For", r.Header.Get("X-Forwarded-For")+",127.0.0.1")
	asking.Header.Set("X-Envoy-Internal", "true")
	return asking
}

// pass passes a request on, with cookies for the client's browser.
func (e *envoy) pass(w http.ResponseWriter, r *http.Request, to *url.URL, cookies []string) {
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto"} {
			p.Out.Header[name] = p.In.Header[name]
		}
	}, ModifyResponse: func(answer *http.Response) error {
		for _, c := range cookies {
			answer.Header.Add("Set-Cookie", c)
		}
		return nil
	}}
	proxy.ServeHTTP(w, r)
}

// matches reports whether a header, whose name Envoy has in lower case, is in a list. Regular expressions are for the whole name, as string.proto says.
func matches(list *matcher.ListStringMatcher, name string) bool {
	name = strings.ToLower(name)
	for _, p := range list.GetPatterns() {
		prefix, expression := p.GetPrefix(), p.GetSafeRegex().GetRegex()
		if p.GetExact() == name || prefix != "" && strings.HasPrefix(name, prefix) || expression != "" && regexp.MustCompile("^(?:"+expression+")$").MatchString(name) {
			return true
		}
	}
	return false
}

// target returns an address.
func target(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
