package caddymodule

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/redistest"
)

// overRedis are global options that keep the data in the Redis of the environment, which need not be durable.
const overRedis = `postern {
		redis {env.POSTERN_REDIS_URL} {
			durability none
		}
		master_key {env.TEST_MASTER_KEY}
	}`

// useRedis starts a Redis for a world, whose data folder has been filled into it by a first run.
func (w *world) useRedis() *redistest.Server {
	w.Helper()
	server := redistest.Start(w.T)
	w.Setenv("POSTERN_REDIS_URL", server.URL())
	w.Setenv("TEST_MASTER_KEY", strings.Repeat("5a", 32))
	return server
}

// signedIn makes a user in the store that Caddy has open, and returns a token.
func (w *world) signedIn() string {
	w.Helper()
	w.eventually("the store is set up", func() bool { return len(w.logged("the first management key lies")) > 0 })
	var c *core.Core
	engines.Range(func(_, e any) bool { c = e.(*engine).parts.Load().Core; return false })
	h := &house{Core: c, w: w}
	realm, err := c.Realms.Find(w.Context(), core.DefaultRealm)
	h.must(err)
	return h.signIn(realm, "ann").Token
}

// inUse returns how many stores, engines and guards there are.
func inUse() [3]int {
	var n [3]int
	for i, pool := range []*caddy.UsagePool{stores, engines, guards} {
		pool.Range(func(any, any) bool { n[i]++; return true })
	}
	return n
}

// TestReloadKeeps reloads, and finds the store, the feed and the verdicts as they were: with Redis frozen right after, who
// was seen before is still let in.
func TestReloadKeeps(t *testing.T) {
	w := newWorld(t)
	server := w.useRedis()
	w.load(w.config(overRedis, guarded))
	token := w.signedIn()
	w.eventually("the feed confirms the verdict", func() bool {
		if w.get("/", token).status != http.StatusOK { // Redis was frozen a moment ago
			return false
		}
		server.Pause(t)
		defer server.Resume(t)
		return w.get("/", token).status == http.StatusOK
	})
	if got := inUse(); got != [3]int{1, 1, 1} {
		t.Errorf("stores, engines and guards = %v, want 1 of each", got)
	}
	w.load(w.config(overRedis, guarded+"\n\theader X-Version 2"))
	if got := inUse(); got != [3]int{1, 1, 1} {
		t.Errorf("after a reload: stores, engines and guards = %v, want 1 of each", got)
	}
	server.Pause(t)
	defer server.Resume(t)
	if got := w.get("/", token); got.status != http.StatusOK || got.header.Get("X-Version") != "2" {
		t.Errorf("after a reload, with Redis frozen = %+v; want 200 by the new configuration", got)
	}
	if n := len(w.logged("store is open")); n != 1 {
		t.Errorf("the store was opened %d times, want once", n)
	}
}

// ourGoroutines counts the goroutines that run our code. Caddy leaves idle connections to upstreams behind for a while.
func ourGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "github.com/postern-auth/postern/") && !strings.Contains(stack, "testing.tRunner") &&
			!strings.Contains(stack, "core.workers.run") { // what computes hashes waits a while for more, and then ends
			n++
		}
	}
	return n
}

// TestReloadsLeakNothing reloads 20 times, by turns with other settings, and stops.
func TestReloadsLeakNothing(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	other := "postern {\n\t\tmax_staleness 6s\n\t}"
	configs := []string{w.config("", guarded), w.config(other, guarded), w.config("", "postern_auth {\n\t\tpass_token\n\t}\n\treverse_proxy APP")}
	w.load(configs[0])
	w.get("/", p.tokens.Valid).seen(t)
	before, same := 0, 0
	w.eventually("all that works in the background has begun", func() bool {
		if now := ourGoroutines(); now != before {
			before, same = now, 0
		}
		same++
		return same > 20
	})
	for i := range 20 {
		w.load(configs[(i+1)%len(configs)])
		w.get("/", p.tokens.Valid).seen(t)
	}
	w.load(configs[0])
	w.get("/", p.tokens.Valid).seen(t)
	w.eventually("the goroutines of former configurations end", func() bool { return ourGoroutines() <= before+1 }) // one may be reading the store
	if got := inUse(); got != [3]int{1, 1, 1} {
		t.Errorf("stores, engines and guards = %v, want 1 of each", got)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := inUse(); got != [3]int{} {
		t.Errorf("after the stop: stores, engines and guards = %v, want none", got)
	}
	w.eventually("all goroutines end", func() bool { return ourGoroutines() == 0 })
	openHouse(w).close() // the file is free again
}

// TestBadReload keeps the old configuration at work, whether the new one fails to be provisioned or to start.
func TestBadReload(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", guarded))
	w.get("/", p.tokens.Valid).seen(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("6b", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ config, want string }{
		"a folder that cannot be":    {w.config("postern {\n\t\tdata "+file+"/data\n\t}", guarded), "cannot make the data folder"},
		"a Redis that is not there":  {w.config("postern {\n\t\tredis redis://127.0.0.1:1\n\t\tmaster_key {file."+file+"}\n\t}", guarded), "does not answer"},
		"the master key of somebody": {w.config("postern {\n\t\tdata "+w.folder+"\n\t\tmaster_key {file."+file+"}\n\t}", guarded), "under another master key"},
		"guard":                      {w.config("", "postern_auth {\n\t\tassertion WRONG\n\t}"), "no duration"},     // see try
		"issuer":                     {w.config("", "postern_auth {\n\t\tassertion WRONG-ISSUER\n\t}"), "audience"}, // likewise
		"app":                        {w.config("postern {\n\t\tmax_staleness 2h\n\t}", guarded), "max staleness"},
		"mail":                       {w.config("postern {\n\t\tsmtp_host mail.example.com\n\t}", guarded), "sender of e-mails"},
		"port":                       {w.config("", guarded) + "http://" + taken.Addr().String() + " {\n\tpostern_auth\n}\n", "address already in use"},
		"another store, and the port": {w.config("postern {\n\t\tdata "+t.TempDir()+"\n\t}", guarded) + "http://" + taken.Addr().String() + " {\n\tpostern_auth\n}\n",
			"address already in use"},
	} {
		if err := w.try(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: load = %v, want %q", name, err, test.want)
		}
		w.get("/", p.tokens.Valid).seen(t)
		if got := inUse(); got != [3]int{1, 1, 1} {
			t.Errorf("%s: stores, engines and guards = %v, want 1 of each", name, got)
		}
	}
}

// TestValidate checks configurations without opening or making anything.
func TestValidate(t *testing.T) {
	w := newWorld(t)
	t.Setenv("TEST_MASTER_KEY", strings.Repeat("5a", 32))
	const nobody = "redis://127.0.0.1:1"
	for name, global := range map[string]string{"redis is away": overRedis, "embedded": "postern {\n\t\tdata " + w.folder + "\n\t}"} {
		t.Setenv("POSTERN_REDIS_URL", map[bool]string{true: nobody}[global == overRedis])
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(w.config(global, guarded)), nil)
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err != nil {
			t.Errorf("%s: validate = %v", name, err)
		}
		if _, err := os.Stat(w.folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: validate made %s, %v", name, w.folder, err)
		}
		if got := inUse(); got != [3]int{} {
			t.Errorf("%s: stores, engines and guards = %v after validate, want none", name, got)
		}
	}
}

// TestRedisAway starts without Redis: nobody is told to sign in again, and all is well as soon as it is back.
func TestRedisAway(t *testing.T) {
	w := newWorld(t)
	server := w.useRedis()
	server.Stop(t)
	w.load(w.config(overRedis, guarded))
	for _, path := range []string{"/", "/v1/users/me"} {
		got := w.get(path, "some.session.token")
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%s while Redis is away = %+v; want 503 with Retry-After", path, got)
		}
	}
	if n := len(w.logged("the store cannot be opened")); n != 1 {
		t.Errorf("%d log lines say that the store cannot be opened by the time that somebody was refused; want 1", n)
	}
	server.Restart(t)
	w.eventually("Redis is used", func() bool { return w.get("/", "some.session.token").status == http.StatusUnauthorized })
	w.get("/", w.signedIn()).seen(t)
}

// TestDataInUse starts while another process has the data.
func TestDataInUse(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	other := openHouse(w)
	w.load(w.config("", guarded))
	if got := w.get("/", p.tokens.Valid); got.status != http.StatusServiceUnavailable {
		t.Errorf("while the data is in use = %+v; want 503", got)
	}
	if len(w.logged("in use by another Postern process")) == 0 {
		t.Error("somebody was refused before the log says why")
	}
	other.close()
	w.eventually("the data is used", func() bool { return w.get("/", p.tokens.Valid).status == http.StatusOK })
}

// TestSettings holds what is wrong with a configuration as a whole. No complaint shows a secret.
func TestSettings(t *testing.T) {
	t.Setenv("POSTERN_REDIS_URL", "")
	t.Setenv("POSTERN_MASTER_KEY_FILE", "")
	t.Setenv("TEST_SHORT", "hunter2")
	t.Setenv("TEST_URL", "redis://:hunter2@localhost:x")
	t.Setenv("TEST_KEY", strings.Repeat("5a", 32))
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	redis := func(c Redis) *App { return &App{Redis: &c, MasterKey: "{env.TEST_KEY}"} }
	for name, test := range map[string]struct {
		app  *App
		want []string
	}{
		"redis without master key": {&App{Redis: &Redis{URL: "redis://localhost"}}, []string{"a master key is required"}},
		"master key in the open":   {&App{MasterKey: "hunter2"}, []string{"holds a secret"}},
		"master key from nowhere":  {&App{MasterKey: "{env.TEST_NOT_SET}"}, []string{"{env.TEST_NOT_SET} is empty"}},
		"master key file is empty": {&App{MasterKey: "{file." + empty + "}"}, []string{"is empty, or cannot be read"}},
		"former key in the open":   {&App{FormerMasterKey: "hunter2"}, []string{"former_master_key holds a secret"}},
		"short former key":         {&App{FormerMasterKey: "{env.TEST_SHORT}"}, []string{"former_master_key: it must be 32 random bytes"}},
		"short master key":         {&App{MasterKey: "{env.TEST_SHORT}"}, []string{"32 random bytes"}},
		"nothing of redis":         {redis(Redis{}), []string{"URL or Addrs is needed"}},
		"bad url":                  {redis(Redis{URL: "{env.TEST_URL}"}), []string{"URL must be redis://"}},
		"password in the open":     {redis(Redis{Addresses: []string{"a:1"}, Password: "hunter2"}), []string{"redis password holds a secret"}},
		"password in the url":      {redis(Redis{URL: "redis://u:hunter2@a"}), []string{"redis url holds a secret"}},
		"bad mode":                 {redis(Redis{Addresses: []string{"a:1"}, Mode: "ring"}), []string{`Mode is "ring"`}},
		"no such ca":               {redis(Redis{Addresses: []string{"a:1"}, TLS: &TLS{CA: "/nonexistent"}}), []string{"redis tls ca"}},
		"empty ca":                 {redis(Redis{Addresses: []string{"a:1"}, TLS: &TLS{CA: empty}}), []string{"there is no certificate"}},
		"cert without key":         {redis(Redis{Addresses: []string{"a:1"}, TLS: &TLS{Cert: empty}}), []string{"redis tls cert and key"}},
		"tls with a plain url":     {redis(Redis{URL: "redis://a", TLS: &TLS{}}), []string{"rediss://"}},
		"mail without sender":      {&App{Outgoing: Outgoing{SMTPHost: "mail"}}, []string{"sender of e-mails"}},
		"mail password in the open": {&App{Outgoing: Outgoing{SMTPHost: "mail", SMTPFrom: "a@example.com", SMTPUser: "u", SMTPPassword: "hunter2"}},
			[]string{"smtp_password holds a secret"}},
		"mail password in the clear": {&App{Outgoing: Outgoing{SMTPHost: "mail", SMTPFrom: "a@example.com", SMTPUser: "u", SMTPPassword: "{env.TEST_SHORT}", SMTPTLS: "none"}},
			[]string{"without TLS"}},
		"no such mail ca": {&App{Outgoing: Outgoing{SMTPHost: "mail", SMTPFrom: "a@example.com", SMTPCA: "/nonexistent"}}, []string{"smtp_ca: open"}},
		"bad mail links":  {&App{Outgoing: Outgoing{MailLinks: "app.example.com"}}, []string{"links in e-mails"}},
		"bad network":     {&App{Outgoing: Outgoing{WebhookAllow: []string{"inside"}}}, []string{`webhook_allow: "inside"`}},
		"bad rate":        {&App{APIRate: 1_000_001}, []string{"api_rate is 1000001"}},
		"no list":         {&App{PasswordList: "/nonexistent"}, []string{"password_list: open /nonexistent"}},
		"two at once":     {&App{PublicURL: "auth.example.com", MaxStaleness: 1}, []string{"public URL", "max staleness"}},
	} {
		_, err := test.app.settings()
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
}

// TestSettingsKey holds which settings share an engine, and which a store.
func TestSettingsKey(t *testing.T) {
	t.Setenv("POSTERN_REDIS_URL", "")
	t.Setenv("POSTERN_MASTER_KEY_FILE", "")
	t.Setenv("TEST_KEY", strings.Repeat("5a", 32))
	t.Setenv("TEST_OTHER", strings.Repeat("a5", 32))
	t.Setenv("TEST_URL", "redis://localhost")
	resolve := func(a App) *settings {
		s, err := a.settings()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := App{Redis: &Redis{URL: "redis://localhost"}, MasterKey: "{env.TEST_KEY}"}
	for name, test := range map[string]struct {
		app           App
		engine, store bool
	}{
		"the same":            {base, true, true},
		"the url by its name": {App{Redis: &Redis{URL: "{env.TEST_URL}"}, MasterKey: "{env.TEST_KEY}"}, true, true},
		"the default port":    {App{Redis: &Redis{URL: "redis://LOCALHOST:6379/0"}, MasterKey: "{env.TEST_KEY}"}, true, true},
		"a slash at the end":  {App{Redis: &Redis{URL: "redis://localhost/"}, MasterKey: "{env.TEST_KEY}"}, true, true},
		"without a url":       {App{Redis: &Redis{Addresses: []string{"localhost:6379"}, Mode: "single", PoolSize: 0, CallTimeout: caddy.Duration(time.Second)}, MasterKey: "{env.TEST_KEY}"}, true, true},
		"another database":    {App{Redis: &Redis{URL: "redis://localhost/1"}, MasterKey: "{env.TEST_KEY}"}, false, false},
		"another user":        {App{Redis: &Redis{URL: "redis://ann@localhost"}, MasterKey: "{env.TEST_KEY}"}, false, false},
		"another staleness":   {App{Redis: base.Redis, MasterKey: base.MasterKey, MaxStaleness: caddy.Duration(time.Minute)}, false, true},
		"another pool":        {App{Redis: &Redis{URL: "redis://localhost", PoolSize: 5}, MasterKey: base.MasterKey}, false, false},
		"another master key":  {App{Redis: base.Redis, MasterKey: "{env.TEST_OTHER}"}, false, true},
		"a former master key": {App{Redis: base.Redis, MasterKey: base.MasterKey, FormerMasterKey: "{env.TEST_OTHER}"}, false, true},
		"TLS":                 {App{Redis: &Redis{Addresses: []string{"localhost:6379"}, TLS: &TLS{}}, MasterKey: base.MasterKey}, false, false},
		"a mail server":       {App{Redis: base.Redis, MasterKey: base.MasterKey, Outgoing: Outgoing{SMTPHost: "mail", SMTPFrom: "a@example.com"}}, false, true},
		"a network":           {App{Redis: base.Redis, MasterKey: base.MasterKey, Outgoing: Outgoing{WebhookAllow: []string{"10.0.0.0/8"}}}, false, true},
		"embedded":            {App{}, false, false},
	} {
		was, is := resolve(base), resolve(test.app)
		if engine, store := was.key() == is.key(), was.storeKey() == is.storeKey(); engine != test.engine || store != test.store {
			t.Errorf("%s: shares engine %t and store %t, want %t and %t", name, engine, store, test.engine, test.store)
		}
	}
}

// TestOneFolderOfManyNames holds that a store in a file is one, whatever the folder is called. Opened twice it would wait for itself.
func TestOneFolderOfManyNames(t *testing.T) {
	t.Setenv("POSTERN_REDIS_URL", "")
	t.Setenv("POSTERN_MASTER_KEY_FILE", "")
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(root, "there"), 0o700), os.Symlink("there", filepath.Join(root, "link"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	keys := map[string]bool{}
	for range 2 { // before there is such a folder, and after
		for _, name := range []string{"there/data", "./there/data/", root + "/there/data", root + "//there/../there/data", "link/data"} {
			s, err := (&App{Data: name}).settings()
			if err != nil {
				t.Fatal(err)
			}
			keys[s.key()+s.storeKey()] = true
		}
		if err := os.MkdirAll("there/data", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 1 {
		t.Errorf("one folder has %d keys, want one", len(keys))
	}
}

// TestGuardKey holds that guards are one as long as their settings and the files in them are.
func TestGuardKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	settings := func() guard.Settings {
		return guard.Settings{Realm: "staff", Issuers: []guard.Issuer{{Name: "idp", CAFile: file}}}
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	former := guardKey("engine", settings())
	if guardKey("engine", settings()) != former {
		t.Error("the same settings have two keys")
	}
	write("two")
	if guardKey("engine", settings()) == former {
		t.Error("a file that holds something else has the same key")
	}
}

// TestModules holds the names that configurations use.
func TestModules(t *testing.T) {
	for _, id := range []string{"postern", "http.handlers.postern_auth", "http.handlers.postern_api", "http.handlers.postern_pages", "http.matchers.postern",
		"http.authentication.providers.postern", "admin.api.postern"} {
		if _, err := caddy.GetModule(id); err != nil {
			t.Errorf("GetModule(%q) = %v", id, err)
		}
	}
}

// TestVoices logs through the newest logger that is left.
func TestVoices(t *testing.T) {
	var v voices
	log := v.logger().Named("guard").With(zap.String("realm", "default"))
	log.Info("unheard")
	old, oldLines := observer.New(zap.InfoLevel)
	fresh, freshLines := observer.New(zap.InfoLevel)
	oldLog, freshLog := zap.New(old).Named("postern"), zap.New(fresh).Named("postern")
	v.add(oldLog)
	v.add(freshLog)
	log.Debug("too low")
	log.Info("one", zap.Int("n", 1))
	v.remove(freshLog)
	log.Info("two")
	if got := freshLines.All(); len(got) != 1 || got[0].Message != "one" || got[0].LoggerName != "postern.guard" || len(got[0].Context) != 2 {
		t.Errorf("the newest logger took %+v", got)
	}
	if got := oldLines.All(); len(got) != 1 || got[0].Message != "two" {
		t.Errorf("the older logger took %+v", got)
	}
}
