package sidecar

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/guard"
)

// configured writes a configuration file.
func configured(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "postern.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLoad holds that a flag goes before the environment, and that before the file.
func TestLoad(t *testing.T) {
	file := configured(t, `
upstream: unix:/run/app.sock
listen: 127.0.0.1:1
api_listen: "off"
drain: 20s
access_log: true
trusted_proxies: [10.0.0.0/8, private]
copy_headers:
  X-Postern-User-Id: id
`)
	o, err := Load(Source{File: file, Environ: []string{"POSTERN_LISTEN=127.0.0.1:2", "POSTERN_API_LISTEN=127.0.0.1:3", "POSTERN_TRUSTED_PROXIES=",
		"POSTERN_PORT=tcp://10.0.0.1:80", "POSTERN_SERVICE_HOST=10.0.0.1", "LISTEN=x"}, Given: map[string]string{"api_listen": "127.0.0.1:4"}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Upstream != "unix:/run/app.sock" || o.Listen != "127.0.0.1:2" || o.APIListen != "127.0.0.1:4" || o.Drain != 20*time.Second ||
		!o.AccessLog || !slices.Equal(o.TrustedProxies, []string{"10.0.0.0/8", "private"}) || o.Guard.CopyHeaders["X-Postern-User-Id"] != "id" || o.Data != DefaultData {
		t.Errorf("Load = %+v", o)
	}
}

// TestLoadReadsTheGuardFromTheEnvironment holds that what has a structure of its own may be there too, as YAML or JSON, in the place of what the file says.
func TestLoadReadsTheGuardFromTheEnvironment(t *testing.T) {
	file := configured(t, "upstream: http://127.0.0.1:3000\nmfa: true\ncookie: {name: session, insecure: true}\ncopy_headers: {X-User: id}\nfrom: [bearer]\nrules:\n- {path: [/a], public: true}\n")
	o, err := Load(Source{File: file, Environ: []string{
		`POSTERN_ISSUERS=[{"name": "shop", "issuer": "https://login.example.com/realms/shop", "audience": ["shop-api"], "max_age": "5m"}]`, "POSTERN_COPY_HEADERS={X-Mail: email}",
		"POSTERN_COOKIE={name: other}", "POSTERN_MFA=false", "POSTERN_RULES=\n- path: [/b]\n  require: [admin]\n", "POSTERN_FROM=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := guard.Settings{
		Issuers:     []guard.Issuer{{Name: "shop", Issuer: "https://login.example.com/realms/shop", Audience: []string{"shop-api"}, MaxAge: new(guard.Duration(5 * time.Minute))}},
		CopyHeaders: map[string]string{"X-Mail": "email"}, Cookie: guard.Cookie{Name: "other"}, From: []guard.Source{guard.SourceBearer},
		Rules: []guard.Rule{{Paths: []string{"/b"}, Policy: guard.Policy{Require: []string{"admin"}}}},
	}
	if !reflect.DeepEqual(o.Guard, want) {
		t.Errorf("Load = %+v, want %+v", o.Guard, want)
	}
	for text, why := range map[string]string{
		"POSTERN_ISSUERS=[": "POSTERN_ISSUERS in the environment", "POSTERN_ISSUERS=[{nam: a}]": "there is no setting nam here", "POSTERN_MFA=perhaps": "POSTERN_MFA in the environment",
		"POSTERN_ISSUERS=[{name: a}]": "audience is missing", "POSTERN_RULES={path: [/a]}": "POSTERN_RULES in the environment",
	} {
		if _, err := Load(Source{File: file, Environ: []string{text}}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("Load with %s: %v; want %q", text, err, why)
		}
	}
}

// TestLoadReadsTheGuard reads settings that have a structure of their own.
func TestLoadReadsTheGuard(t *testing.T) {
	o, err := Load(Source{File: configured(t, `
upstream: http://127.0.0.1:3000
from: [bearer, api_key]
cookie: {name: session, insecure: true}
public: [/healthz]
require: app:read, app:write
signed_in_within: 12h
stale_ok: 30s
rules:
  - path: [/admin/*]
    method: [GET, POST]
    require: [app:admin]
    mfa: true
`)})
	if err != nil {
		t.Fatal(err)
	}
	want := guard.Settings{
		From: []guard.Source{guard.SourceBearer, guard.SourceAPIKey}, Cookie: guard.Cookie{Name: "session", Insecure: true}, Public: []string{"/healthz"},
		Policy:  guard.Policy{Require: []string{"app:read", "app:write"}, SignedInWithin: new(guard.Duration(12 * time.Hour))},
		StaleOK: guard.Duration(30 * time.Second),
		Rules: []guard.Rule{{Paths: []string{"/admin/*"}, Methods: []string{"GET", "POST"},
			Policy: guard.Policy{Require: []string{"app:admin"}, MFA: true}}},
	}
	if !reflect.DeepEqual(o.Guard, want) {
		t.Errorf("Load = %+v, want %+v", o.Guard, want)
	}
}

// TestSwitches holds that what is true or false is written alike, in a file and in the environment, for every setting that is.
func TestSwitches(t *testing.T) {
	switches := []string{"pass_token", "access_log", "h2c", "mfa", "email_verified", "optional"}
	for f := range reflect.TypeFor[guard.Policy]().Fields() {
		if name := f.Tag.Get("yaml"); f.Type.Kind() == reflect.Bool && !slices.Contains(switches, name) {
			t.Errorf("%s is none of the switches that are tried here", name)
		}
	}
	for _, name := range switches {
		for text, want := range map[string]bool{"true": true, "1": true, "yes": true, "on": true, "True": true, "false": false, "0": false, "no": false, "off": false} {
			var fromFile, fromEnviron Options
			errs := fromFile.readYAML([]byte(name+": "+text), nil)
			err := fromEnviron.readEnviron([]string{envName(name) + "=" + text})
			if len(errs) > 0 || err != nil || fromFile.isOn(name) != want || fromEnviron.isOn(name) != want {
				t.Errorf("%s: %s = %t %v in a file, %t %v in the environment; want %t", name, text, fromFile.isOn(name), errs, fromEnviron.isOn(name), err, want)
			}
		}
		if err := new(Options).readEnviron([]string{envName(name) + "=maybe"}); err == nil || !strings.Contains(err.Error(), name+` is "maybe"; it must be true or false`) {
			t.Errorf("%s: maybe = %v; want it refused", name, err)
		}
	}
}

// isOn reports whether a setting that is true or false is true.
func (o *Options) isOn(name string) bool {
	if to := o.guardSwitch(name); to != nil {
		return *to
	}
	s, _ := settingNamed(name)
	return *s.to(o).(*bool)
}

// TestLoadComplains holds that all that is wrong is said at once, and where.
func TestLoadComplains(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{"nothing", "", nil, []string{"upstream, the app to guard, is not set"}},
		{"many", "upstrem: x\nlisten: 1\nlisten: 2\napi_listen: 127.0.0.1:65536\nadmin_listen: ':'\nforward_auth_listen: ':x'\ntls_cert: a\ndrain: soon\napi_mount: most\naccess_log: [true]\ntrusted_proxies: [me]\n", nil, []string{
			"line 1: there is no setting upstrem", "line 3: listen is there twice", "line 8: drain is \"soon\"", "line 10: access_log must be one value",
			"tls_cert and tls_key go together", "api_mount is \"most\"", "trusted_proxies: \"me\" is no address", "listen address \"1\" must be host:port", `API listen address "127.0.0.1:65536" must be`, `admin listen address ":" must be`, `forward auth listen address ":x" must be`}},
		{"ages that ask for nothing", "upstream: http://a\nsigned_in_within: 0s\nrules:\n- {path: [/a], signed_in_within: -1m}\n- {path: [/b], signed_in_within: 999999h}\n" +
			"issuers: [{name: a, issuer: https://a.example, audience: [a], max_age: 0s}]\n", nil, []string{
			"signed_in_within is 0s; it must be from 1s to 87840h, or left out", "rule 1: signed_in_within is -1m0s", "rule 2: signed_in_within is 999999h0m0s", "issuers: a: max_age is 0s"}},
		{"an age that is no time", "upstream: http://a\nsigned_in_within: soon\n", nil, []string{"line 2: signed_in_within: \"soon\" is no duration"}},
		{"ages that are no time, and more", "upstream: http://a\nrules:\n- path: [/a]\n  signed_in_within: 5\n  permision: x\n- paths: /b\n  signed_in_within: 5\nissuers:\n- {name: a, skew: 1, isuer: x}\n", nil, []string{
			"line 4: signed_in_within: \"5\" is no duration", "line 5: there is no setting permision here", "line 6: there is no setting paths here", "line 7: signed_in_within: \"5\" is no duration",
			"line 9: skew: \"1\" is no duration", "line 9: there is no setting isuer here"}},
		{"an age in the environment", "upstream: http://a\n", []string{"POSTERN_SIGNED_IN_WITHIN=0"}, []string{"signed_in_within is 0s"}},
		{"lists of nobody", "upstream: http://a\nrequire_any: []\nrules: [{path: [/a], vouched_by: []}]\n", nil, []string{"require_any names no permission", "rule 1: vouched_by names nobody"}},
		{"names without values", "upstream: http://a\nmfa:\nrules:\n- path: [/a]\n  mfa: ~\n  require:\n  - \n", nil, []string{
			"line 2: mfa has no value", "line 5: mfa has no value", "line 7: an entry has no value"}},
		{"names without values, and more", "upstream: http://a\nrules:\n- path: [/a]\n  mfa: ~\n  shoe: 44\n- path: [/b]\n  ~: 5\n  signed_in_within: soon\n  shoe: 45\n- path: [/c]\n  mfa: \"true\"\n", nil, []string{
			"line 4: mfa has no value", "line 7: an entry has no value", "line 5: there is no setting shoe here", "line 8: signed_in_within: \"soon\" is no duration", "line 9: there is no setting shoe here",
			"line 11: `true` must be true or false, without quotes"}},
		{"a name with hyphens", "upstream: http://a\nredis-url: x\n", nil, []string{"line 2: there is no setting redis-url; did you mean redis_url?"}},
		{"a slip of the finger", "upstream: http://a\nrule: []\nmfaa: true\nreqiure: [x]\norgs: x\n", []string{"POSTERN_PUBLC=/a"}, []string{"did you mean rules?",
			"did you mean require?", "there is no setting orgs", "POSTERN_PUBLC in the environment is no setting; did you mean public?"}},
		{"the store", "upstream: http://a\nredis_url: foo\ndurability: fast\nmaster_key_file: x\n", nil, []string{`redis: Durability is "fast"`, "redis: URL"}},
		{"mail", "upstream: http://a\nsmtp_from: me\n", nil, []string{"smtp: the mail server has no host", "smtp: the sender of e-mails"}},
		{"nothing at all", "upstream: http://a\ndrain: 0s\nslow_client: 0s\n", nil, []string{`line 2: drain is "0s"`, `line 3: slow_client is "0s"`}},
		{"a rate of nothing", "upstream: http://a\napi_rate: -1\n", nil, []string{"api_rate is -1; it must be from 1"}},
		{"no list", "upstream: http://a\npassword_list: /nonexistent\n", nil, []string{"password_list: open /nonexistent"}},
		{"durability of what", "upstream: http://a\ndurability: replicas\n", nil, []string{"durability and wait_replicas are for Redis"}},
		{"addresses", "upstream: http://a\npublic_url: ftp://x\nmail_links: app.example.com\n", nil, []string{"the public URL must look like", "the base of links in e-mails must"}},
		{"an address with what is added to it", "upstream: http://a\npublic_url: https://auth.example.com/v1/\n", nil, []string{"the public URL must not end in /v1"}},
		{"no settings", "- a\n", nil, []string{"line 1: it must be settings"}},
		{"two documents", "upstream: http://a\n---\nupstream: http://b\n", nil, []string{"more than one document"}},
		{"no YAML", "a: [\n", nil, []string{"yaml: line"}},
		{"a tab", "upstream: http://a\ncookie:\n\tname: x\n", nil, []string{"yaml: line", "indented by spaces, and never by tabs"}},
		{"an unknown header field", "upstream: http://a\ncopy_headers: 1\n", nil, []string{"line 2"}},
		{"the guard", "upstream: http://a\nfrom: [query]\nrules: [{shoe: 44}]\nmfa: 7\n", nil, []string{"line 3: there is no setting shoe here", "line 4: mfa is \"7\"; it must be true or false", `there is no source "query"`}},
		{"kinds", "upstream: http://a\nrules:\n  - path: /admin/*\n  - path: [/b]\n    role: x\ncookie: {name: [x]}\ncopy_headers: [a]\nfrom: bearer\n", nil, []string{
			"line 3: `/admin/*` must be a list, as in [one, two]", "line 5: there is no setting role here", "line 6: this must be one value",
			"line 7: this must be names with a value each", "line 8: `bearer` must be a list"}},
		{"what names nothing", "upstream: http://a\nrequire: ''\n", []string{"POSTERN_PUBLIC=,", "POSTERN_ORIGINS= "}, []string{
			`line 2: require is "", which names nothing`, `public is ",", which names nothing`, `origins is " ", which names nothing`}},
		{"rules that nobody would read", "upstream: http://a\n", []string{"POSTERN_RULES=- {path: [/a], mfa: true}\n---\n- {path: [/b], mfa: true}"}, []string{
			"POSTERN_RULES in the environment: there is more than one document"}},
		{"blanks in the environment", "upstream: http://a\nmfa: true\n", []string{"POSTERN_MFA= ", "POSTERN_ORG=# none"}, []string{
			"POSTERN_MFA in the environment: it has no value", "POSTERN_ORG in the environment: it has no value"}},
		{"several of a kind", "upstream: ftp://a\nupstream_ca: /no/ca\ntrusted_proxies: [me, '::ffff:1.2.3.4/100']\nwebhook_allow: [here, 10.0.0.1, there]\n", nil, []string{"upstream \"ftp://a\" must be a URL", "upstream_ca: open /no/ca",
			`trusted_proxies: "me"`, `trusted_proxies: "::ffff:1.2.3.4/100"`, `webhook_allow: "here"`, `webhook_allow: "there"`}},
		{"a file without an end", "upstream: http://a\nupstream_ca: /dev/zero\n", nil, []string{"upstream_ca: read /dev/zero: it has more than 4 MiB"}},
		{"the environment", "upstream: http://a\n", []string{"POSTERN_REDIS=x", "POSTERN_H2C=maybe"}, []string{"POSTERN_REDIS in the environment is no setting; did you mean redis_url?", "h2c is \"maybe\""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Source{File: configured(t, tt.file), Environ: tt.environ})
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Load = %v; want it to say %q", err, want)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "unmarshal") || strings.Contains(err.Error(), "guard.")) {
				t.Errorf("Load = %v; want it to speak of the file, not of the program", err)
			}
		})
	}
}

// TestAliases has a setting stand for another, or for more than there is room for.
func TestAliases(t *testing.T) {
	text := "upstream: http://a\nrequire: &r [app:read]\nrules:\n- &first {path: [/a], require: *r, mfa: true}\n- {<<: *first, path: [/b]}\n"
	o, err := Load(Source{File: configured(t, text)})
	if err != nil || len(o.Guard.Rules) != 2 || !slices.Equal(o.Guard.Rules[0].Require, o.Guard.Require) || !o.Guard.Rules[1].MFA || o.Guard.Rules[1].Paths[0] != "/b" {
		t.Errorf("Load(%q) = %+v, %v; want rules that ask for the same", text, o.Guard, err)
	}
	laughs := "a0: &a0 [x]\n"
	for i := range 9 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
	}
	for text, want := range map[string]string{"rules: &a\n- {path: *a}\n": "line 2: the alias a stands for what it is in", laughs: "its aliases stand for too much"} {
		if _, err := Load(Source{File: configured(t, text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%.30q) = %v, want %q", text, err, want)
		}
	}
}

// TestLoadOfAnUnreadFile complains of the file alone: what else seems to be missing may be in it.
func TestLoadOfAnUnreadFile(t *testing.T) {
	for _, file := range []string{filepath.Join(t.TempDir(), "nowhere"), configured(t, "upstream: [\n"), configured(t, "public: [/a]\n---\nupstream: http://a\n"), "/dev/zero"} {
		if _, err := Load(Source{File: file}); err == nil || strings.Contains(err.Error(), "upstream") {
			t.Errorf("Load = %v; want it to speak of the file alone", err)
		}
	}
}

// TestNoTextBreaksASetting gives each setting what its reader may not reckon with. A server that reads its settings again must live to say what is wrong.
func TestNoTextBreaksASetting(t *testing.T) {
	texts := []string{"a%zz", ":", "//", "https://[::1", "http://a b", "/%", "a\x00b", "[", "[[]]", "{}", "{a: b}", "[null]", "[{}]", "[a%zz, //]", "-1", "1e999", "99999999999999999999", "NaN", "-1h", "*", "\xff"}
	shapes := map[string]string{"issuers": "[{name: a, audience: [a], issuer: TEXT, jwks_url: TEXT, allow: [TEXT], claims: {id: TEXT}}]",
		"rules": "[{path: [TEXT], method: [TEXT], org: TEXT, signed_in_within: TEXT}]", "cookie": "{name: TEXT}", "copy_headers": "{TEXT: TEXT}"}
	for _, text := range texts {
		for _, s := range Settings {
			if _, err := Load(Source{Given: map[string]string{"upstream": "http://a", s.Name: text}}); err != nil && err.Error() == "" {
				t.Errorf("%s: %q is refused without a word", s.Name, text)
			}
		}
		for name, shape := range shapes {
			given := strings.ReplaceAll(shape, "TEXT", strconv.Quote(text))
			if _, err := Load(Source{Given: map[string]string{"upstream": "http://a"}, Environ: []string{envName(name) + "=" + given}}); err != nil && err.Error() == "" {
				t.Errorf("%s: %s is refused without a word", name, given)
			}
		}
	}
}

// FuzzReadYAML holds that no text breaks the reading, and that what is refused is said with a line or as a whole.
func FuzzReadYAML(f *testing.F) {
	f.Add("upstream: http://a\ntrusted_proxies: [a, b]\ncopy_headers: {A: id}\n")
	f.Add("a: &x [*x]\n")
	f.Add("? [a]\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		var o, again Options
		errs := o.readYAML([]byte(text), nil)
		if len(errs) != len(again.readYAML([]byte(text), nil)) || setTexts(&o) != setTexts(&again) {
			t.Errorf("readYAML(%q) does not do the same twice", text)
		}
	})
}

// setTexts returns all that is set.
func setTexts(o *Options) string {
	text := ""
	for _, s := range Settings {
		text += s.Name + "=" + s.text(o) + "\n"
	}
	return text
}

// TestCheckFiles holds that files which cannot be used are all named before anything is started.
func TestCheckFiles(t *testing.T) {
	key := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Load(Source{File: configured(t, "upstream: http://a\ntls_cert: /no/cert\ntls_key: /no/key\nmaster_key_file: "+key+
		"\nformer_master_key_file: /no/former\nissuers: [{name: elsewhere, issuer: https://a, audience: [a], ca_file: /no/ca}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	err = o.CheckFiles()
	for _, want := range []string{"cannot use the certificate /no/cert", "master.key: it must be 32 random bytes", "/no/former", "issuers: elsewhere: cannot read the certificates"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckFiles = %v; want it to say %q", err, want)
		}
	}
	if err := new(Options).CheckFiles(); err != nil {
		t.Errorf("CheckFiles where none is named = %v", err)
	}
}

// TestLargeFiles names, wherever a file is named, one that is none of what is meant. One without an end would take all memory.
func TestLargeFiles(t *testing.T) {
	large := filepath.Join(t.TempDir(), "disk.img")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, 5<<20)); err != nil {
		t.Fatal(err)
	}
	for _, settings := range []string{
		"tls_cert: LARGE\ntls_key: LARGE\n", "upstream_ca: LARGE\n", "master_key_file: LARGE\n", "former_master_key_file: LARGE\n",
		"smtp_host: a\nsmtp_from: a@example.com\nsmtp_ca: LARGE\n", "smtp_host: a\nsmtp_from: a@example.com\nsmtp_user: a\nsmtp_password_file: LARGE\n",
		"issuers: [{name: elsewhere, issuer: https://a, audience: [a], ca_file: LARGE}]\n",
	} {
		o, err := Load(Source{File: configured(t, "upstream: http://a\n"+strings.ReplaceAll(settings, "LARGE", large))})
		if err = errors.Join(err, o.CheckFiles()); err == nil || !strings.Contains(err.Error(), "more than 4 MiB") {
			t.Errorf("%q is taken with %v; want a complaint about the size of the file", settings, err)
		}
	}
}
