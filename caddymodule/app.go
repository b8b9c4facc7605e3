package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Auth))
	caddy.RegisterModule(new(API))
	caddy.RegisterModule(new(Pages))
	caddy.RegisterModule(new(MatchUser))
	caddy.RegisterModule(new(Provider))
	caddy.RegisterModule(new(Admin))
	registerDirectives()
	registerCommands()
}

// App is what all guards and API mounts of a Caddy share: the store, the keys and the news of what was revoked. A
// configuration that does not mention it gets one with all defaults as soon as it uses `postern_auth`, `postern_api` or `postern_pages`.
//
// The data lies in Redis where `redis` or the environment variable `POSTERN_REDIS_URL` names one, else in one file in the
// folder `data`. The store is opened in the background when Caddy starts. While it cannot be, guarded requests and API
// calls get 503 with Retry-After, the log says why, and it is tried again every few seconds.
//
// The first start over an empty store makes the realm `default` and a management key for the API. The key is written
// to the file `management.key` in the folder `data`, which only its owner may read; the log names the file.
//
// Secrets are given as `{env.NAME}` or `{file./path}` only, because Caddy shows its configuration to whoever asks its admin API.
type App struct {
	// Redis is the Redis or Valkey that holds the data. The default is the one that the environment variable
	// `POSTERN_REDIS_URL` names, and without that an embedded store: the file `postern.db` in the folder `data`.
	Redis *Redis `json:"redis,omitempty"`

	// MasterKey seals the signing keys and secrets in the store: 32 random bytes in base64 or hex, given as
	// `{file./path}` or `{env.NAME}`. Every Caddy over the same Redis needs the same one. The default is the content of the
	// file that the environment variable `POSTERN_MASTER_KEY_FILE` names, which is read when the configuration is loaded. The
	// embedded store makes its own in the file `master.key` in the folder `data`; with Redis one must be given.
	MasterKey string `json:"master_key,omitempty"`

	// FormerMasterKey is the master key before, given likewise: what it sealed opens still, and nothing more is sealed under it.
	// It is needed while a master key is being replaced, and not after.
	FormerMasterKey string `json:"former_master_key,omitempty"`

	// PublicURL is where the outside reaches the API, without `/v1`: `https://auth.example.com`. It becomes part of the
	// issuer of realms made from now on. Without it, issuers have the form `urn:postern:<realm>`.
	PublicURL string `json:"public_url,omitempty"`

	// APIRate is how many calls a second each management key may make in this Caddy, and ten times that at once; beyond it they get 429. The default is no bound.
	APIRate int `json:"api_rate,omitempty"`

	// MaxStaleness is for how long a remembered verdict is relied on while the store is silent, 1s to 1m. The default is 5s.
	MaxStaleness caddy.Duration `json:"max_staleness,omitempty"`

	// HashMemory is how many KiB of memory a password hash takes, 8192 to 1048576. The default is 19456.
	HashMemory int `json:"hash_memory,omitempty"`

	// HashPasses is how many passes over it a hash takes, 1 to 10. The default is 2.
	HashPasses int `json:"hash_passes,omitempty"`

	// HashSlots is how many passwords are hashed at once. The default is one less than the cores, as far as they take no
	// more than a quarter of the memory.
	HashSlots int `json:"hash_slots,omitempty"`

	// PasswordList is a file of passwords that nobody may choose: one a line, or the SHA-1 of one in hex, as leaked ones are published.
	// It is read when the configuration is loaded. The default is none, beside those that are refused anyway.
	PasswordList string `json:"password_list,omitempty"`

	// Data is the folder for the embedded store, its master key, and the first management key. The default is `postern`
	// in Caddy's own data folder.
	Data string `json:"data,omitempty"`

	Outgoing

	engine *engine // nil until provisioned
	log    *zap.Logger
	events *caddyevents.App
	ctx    caddy.Context // to emit events in
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "postern", New: func() caddy.Module { return new(App) }}
}

// Provision resolves the placeholders, and fails for settings that make no sense. It opens nothing, unless a reload is to put it in the
// place of what is at work.
func (a *App) Provision(ctx caddy.Context) error {
	a.log = ctx.Logger()
	s, err := a.settings()
	if err != nil {
		return err
	}
	key := s.key()
	e, _, err := engines.LoadOrNew(key, func() (caddy.Destructor, error) { return newEngine(key, s), nil })
	if err != nil {
		return err
	}
	a.engine = e.(*engine)
	a.engine.voices.add(a.log)
	if err := a.listen(ctx); err != nil {
		return err
	}
	if err := register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	return a.engine.moveIn(ctx)
}

// Start begins to open the store, and does not wait for it. It warns of what is hardly meant.
func (a *App) Start() error {
	a.engine.start()
	a.warnOfPlainHTTP()
	return nil
}

// Stop ends the events of this configuration. Whether somebody else still uses the store is known at Cleanup.
func (a *App) Stop() error {
	a.engine.herald.remove(a)
	return nil
}

// Cleanup gives back what Provision took. It forgets nothing: requests under way still use it.
func (a *App) Cleanup() error {
	if a.engine == nil {
		return nil
	}
	a.engine.voices.remove(a.log)
	a.engine.herald.remove(a)
	_, err := engines.Delete(a.engine.key)
	return err
}

// Interface guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
