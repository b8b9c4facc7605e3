package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// ask is a request, and what becomes of it for nobody ("") and for whom the world knows.
type ask struct {
	method, path, token string
	want                guard.Decision
}

// hold asks a guard.
func hold(t *testing.T, name string, g *guard.Guard, table []ask) {
	t.Helper()
	for _, tt := range table {
		r := request(tt.method, tt.path)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if v := g.Judge(r); v.Decision != tt.want {
			t.Errorf("%s: %s %s as %q: %s %s, want %s", name, tt.method, tt.path, tt.token, v.Decision, v.Refusal.Reason, tt.want)
		}
	}
}

// readerAndPayer is a world that knows two, of whom one may pay.
func readerAndPayer() *world {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	return w
}

// TestOtherSpellings asks for pages as apps take them that a rule is for, in front of a weaker rule or after it.
func TestOtherSpellings(t *testing.T) {
	pay, fly, swim := guard.Policy{Require: []string{"pay"}}, guard.Policy{Require: []string{"fly"}}, guard.Policy{Require: []string{"swim"}}
	rule := func(p guard.Policy, methods string, paths ...string) guard.Rule {
		return guard.Rule{Paths: paths, Methods: strings.Fields(methods), Policy: p}
	}
	for name, tt := range map[string]struct {
		rules []guard.Rule
		asks  []ask
	}{
		"endings that differ": {[]guard.Rule{rule(guard.Policy{}, "", "/about.html"), rule(pay, "", "/about.pdf")}, []ask{
			{"GET", "/about", "reader", guard.Deny}, {"GET", "/about", "payer", guard.Allow}, {"GET", "/about.html", "reader", guard.Allow}}},
		"what is below comes first": {[]guard.Rule{rule(guard.Policy{}, "", "/users/*"), rule(pay, "", "/users.html")}, []ask{
			{"GET", "/users", "reader", guard.Deny}, {"GET", "/users/", "reader", guard.Deny}, {"GET", "/users/7", "reader", guard.Allow}}},
		"the page of a folder": {[]guard.Rule{rule(pay, "", "/", "/reports/"), rule(guard.Policy{}, "", "/reports/*")}, []ask{
			{"GET", "/reports/index.html", "reader", guard.Deny}, {"GET", "/reports/INDEX.php", "reader", guard.Deny}, {"GET", "/reports/Default.aspx", "reader", guard.Deny}, {"GET", "/reports/default.htm/x", "reader", guard.Deny}, {"GET", "/reports/default", "reader", guard.Allow}, {"GET", "/reports/index/", "reader", guard.Deny}, {"GET", "/index.html", "reader", guard.Deny},
			{"GET", "/index.html", "payer", guard.Allow}, {"GET", "/reports/7.html", "reader", guard.Allow}, {"GET", "/reports/index.d/x", "reader", guard.Deny}}},
		"a folder by its page": {[]guard.Rule{rule(pay, "", "/index.html", "/reports/index.php", "/old/Default.aspx"), rule(guard.Policy{}, "", "/reports/*", "/old/*")}, []ask{
			{"GET", "/old/", "reader", guard.Deny}, {"GET", "/old/x.aspx", "reader", guard.Allow},
			{"GET", "/reports/", "reader", guard.Deny}, {"GET", "/reports", "reader", guard.Deny}, {"GET", "/", "reader", guard.Deny}, {"GET", "/", "payer", guard.Allow}, {"GET", "/reports/7", "reader", guard.Allow}}},
		"what is below a page, in another case": {[]guard.Rule{rule(guard.Policy{}, "", "/docs"), rule(pay, "", "/docs/*")}, []ask{
			{"GET", "/docs", "payer", guard.Allow}, {"GET", "/docs/", "reader", guard.Deny}, {"GET", "/DOCS/", "reader", guard.Deny}, {"GET", "/DOCS/", "payer", guard.Allow}}},
		"a page before what is below it, in another case": {[]guard.Rule{rule(guard.Policy{}, "", "/Admin/reports/*"), rule(pay, "", "/Admin/*")}, []ask{
			{"GET", "/Admin/reports", "reader", guard.Deny}, {"GET", "/ADMIN/reports", "reader", guard.Deny}, {"GET", "/admin/reports", "reader", guard.Deny}, {"GET", "/ADMIN/reports", "payer", guard.Allow},
			{"GET", "/Admin/reports/", "reader", guard.Allow}, {"GET", "/ADMIN/REPORTS/7", "reader", guard.Allow}}},
		"after a file": {[]guard.Rule{rule(pay, "", "/admin.php", "/export")}, []ask{
			{"GET", "/admin.php/x", "reader", guard.Deny}, {"GET", "/ADMIN.php/x.css/y", "reader", guard.Deny}, {"GET", "/export.cgi/x", "reader", guard.Deny}, {"GET", "/admin.php/x", "payer", guard.Allow}, {"GET", "/export/x", "reader", guard.Allow},
			{"GET", "/%EF%B7%BA.x/%EF%B7%BA.y/z", "reader", guard.Allow}}}, // of which one is eighteen where it is read loosely
		"after a file whose page is a folder's": {[]guard.Rule{rule(pay, "", "/admin/*")}, []ask{
			{"GET", "/admin.php/x", "reader", guard.Deny}, {"GET", "/Admin.segments/_tree.segment.rsc", "reader", guard.Deny}, {"GET", "/admin.php/x", "payer", guard.Allow}, {"GET", "/x.admin/y", "reader", guard.Allow}}},
		"an ending before a slash": {[]guard.Rule{rule(pay, "", "/users/export"), rule(guard.Policy{}, "", "/users/*/")}, []ask{
			{"GET", "/users/export.json/", "reader", guard.Deny}, {"GET", "/users/export/", "reader", guard.Deny}, {"GET", "/users/7.json/", "reader", guard.Allow}}},
		"after a file that stands in the place of any": {[]guard.Rule{{Paths: []string{"/users/*/avatar"}, Public: true}, rule(pay, "", "/users/export.php")}, []ask{
			{"GET", "/users/export.php/avatar", "", guard.Deny}, {"GET", "/users/export.php/avatar", "reader", guard.Deny}, {"GET", "/users/a.b/avatar", "", guard.Allow}}},
		"methods": {[]guard.Rule{rule(pay, "GET", "/report"), rule(fly, "POST", "/report"), rule(guard.Policy{}, "OPTIONS", "/open"), rule(pay, "", "/open")}, []ask{
			{"FOO", "/report", "reader", guard.Deny}, {"FOO", "/report", "payer", guard.Allow}, {"OPTIONS", "/report", "reader", guard.Deny}, {"post", "/REPORT", "payer", guard.Deny}, {"PUT", "/report", "reader", guard.Allow},
			{"OPTIONS", "/open", "reader", guard.Allow}, {"GET", "/open", "reader", guard.Deny}}},
		"a method that few know": {[]guard.Rule{rule(pay, "PROPFIND OPTIONS", "/dav/*"), rule(fly, "GET", "/dav/*")}, []ask{
			{"propfind", "/dav/x", "payer", guard.Deny}, {"PropFind", "/dav/x", "", guard.Deny}, {"options", "/dav/x", "reader", guard.Deny}, {"PROPFIND", "/dav/x", "payer", guard.Allow}, {"report", "/other", "reader", guard.Allow}}},
		"a method, and no other": {[]guard.Rule{rule(pay, "PROPFIND", "/dav/*")}, []ask{
			{"propfind", "/dav/x", "reader", guard.Deny}, {"propfind", "/dav/x", "payer", guard.Allow}, {"REPORT", "/dav/x", "reader", guard.Allow}}},
		"a method for all, and its other spelling": {[]guard.Rule{rule(guard.Policy{}, "", "/admin/*"), rule(pay, "DELETE")}, []ask{
			{"delete", "/ADMIN/x", "reader", guard.Deny}, {"DELETE", "/admin/x", "reader", guard.Allow}}},
		"what need not be encoded": {[]guard.Rule{rule(guard.Policy{}, "", "/@me/*"), rule(pay, "", "/*")}, []ask{
			{"GET", "/@me/x", "reader", guard.Allow}, {"GET", "/%40me/x", "reader", guard.Deny}, {"GET", "/%40me/x", "payer", guard.Allow}, {"GET", "/@me/a%40b", "reader", guard.Allow}}},
		"more than five": {[]guard.Rule{rule(pay, "", "/a.b"), rule(fly, "", "/a.c"), rule(swim, "", "/a.d"), rule(pay, "", "/a.e"), rule(pay, "", "/a.f")}, []ask{
			{"GET", "/a", "payer", guard.Deny}, {"GET", "/a.b", "payer", guard.Allow}, {"GET", "/b", "reader", guard.Allow}}},
	} {
		hold(t, name, readerAndPayer().guard(t, guard.Options{Settings: guard.Settings{Rules: tt.rules}}), tt.asks)
	}
}

// TestLongPathCostsLittle asks for a path of as many files, one in the other, as nobody takes: that costs no more than to read it.
func TestLongPathCostsLittle(t *testing.T) {
	g := newWorld().guard(t, guard.Options{Settings: guard.Settings{Rules: []guard.Rule{{Paths: []string{"/a.php", "/a/*/b.html"}, Policy: guard.Policy{MFA: true}}}}})
	r := request("GET", "/")
	r.URL.Path = strings.Repeat("/a.b", 1<<20)
	begun := time.Now()
	if v := g.Judge(r); v.Decision != guard.Deny || time.Since(begun) > 5*time.Second {
		t.Errorf("a path of four million bytes: %s %s after %s, want a refusal at once", v.Decision, v.Refusal.Reason, time.Since(begun))
	}
}

// TestOrdinaryPolicies holds that what many write lets in whom they mean, by the paths that apps are asked for.
func TestOrdinaryPolicies(t *testing.T) {
	pay := guard.Policy{Require: []string{"pay"}}
	for name, tt := range map[string]struct {
		settings guard.Settings
		asks     []ask
	}{
		"a site": {guard.Settings{Public: []string{"/", "/assets/*", "/login", "/favicon.ico"}, Rules: []guard.Rule{{Paths: []string{"/admin", "/admin/*", "/index.html"}, Policy: pay}}}, []ask{
			{"GET", "/", "", guard.Allow}, {"HEAD", "/", "", guard.Allow}, {"POST", "/login", "", guard.Allow}, {"GET", "/assets/", "", guard.Allow}, {"GET", "/assets/js/v1.2/app.min.js", "", guard.Allow},
			{"GET", "/assets/index.html", "", guard.Allow}, {"GET", "/favicon.ico", "", guard.Allow}, {"GET", "/orders/7.json", "reader", guard.Allow}, {"GET", "/x", "", guard.Deny}}},
		"an API": {guard.Settings{Policy: pay, Public: []string{"/api/health", "/api/docs/*"}, Rules: []guard.Rule{{Paths: []string{"/api/users/*/avatar"}, Public: true},
			{Paths: []string{"/api/users"}, Methods: []string{"GET"}}, {Paths: []string{"/api/users"}, Policy: pay}, {Paths: []string{"/api/*"}}}}, []ask{
			{"GET", "/api/health", "", guard.Allow}, {"GET", "/api/docs/", "", guard.Allow}, {"GET", "/api/docs/v1.0/index.html", "", guard.Allow}, {"GET", "/api/users/a.b@c.example/avatar", "", guard.Allow},
			{"GET", "/api/users/a%40c.example/avatar", "", guard.Allow}, {"GET", "/api/users", "reader", guard.Allow}, {"GET", "/api/users.json", "reader", guard.Allow}, {"POST", "/api/users", "reader", guard.Deny},
			{"DELETE", "/api/orders/7", "reader", guard.Allow}, {"GET", "/other", "reader", guard.Deny}}},
		"pages after a file": {guard.Settings{Public: []string{"/index.php/login"}, Rules: []guard.Rule{{Paths: []string{"/index.php/help/*"}}, {Paths: []string{"/index.php", "/index.php/*"}, Policy: pay}}}, []ask{
			{"GET", "/index.php/login", "", guard.Allow}, {"GET", "/index.php/help/a.html", "reader", guard.Allow}, {"GET", "/index.php/orders", "reader", guard.Deny}, {"GET", "/index.php/orders", "payer", guard.Allow}}},
		"users by address": {guard.Settings{Public: []string{"/users/*/avatar/", "/v/*/health"}, Rules: []guard.Rule{{Paths: []string{"/users/*/", "/users/*/*", "/v/1.2/*", "/users/*/index.html"}, Policy: pay}}}, []ask{
			{"GET", "/users/a.b@c.example/avatar/", "", guard.Allow}, {"GET", "/v/1.2/health", "", guard.Allow}, {"GET", "/users/a.b@c.example/", "reader", guard.Deny}, {"GET", "/v/1.2/x", "reader", guard.Deny}}},
		"WordPress": {guard.Settings{Optional: true, Rules: []guard.Rule{{Paths: []string{"/wp-admin/admin-ajax.php"}, Public: true}, {Paths: []string{"/wp-login.php"}}, {Paths: []string{"/wp-admin/*", "/xmlrpc.php"}, Policy: pay}}}, []ask{
			{"POST", "/wp-admin/admin-ajax.php", "", guard.Allow}, {"GET", "/wp-login.php", "reader", guard.Allow}, {"GET", "/2026/11/hello/", "", guard.Allow}, {"GET", "/index.php", "", guard.Allow},
			{"GET", "/wp-admin/", "reader", guard.Deny}, {"GET", "/xmlrpc.php/x", "reader", guard.Deny}, {"GET", "/wp-admin/index.php", "payer", guard.Allow}}},
	} {
		hold(t, name, readerAndPayer().guard(t, guard.Options{Settings: tt.settings}), tt.asks)
	}
}
