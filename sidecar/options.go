package sidecar

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"go.uber.org/zap"
)

// Options configures a Sidecar. Upstream and Data are required.
type Options struct {
	Upstream string // URL of the app: http://127.0.0.1:3000
	Listen   string // host:port that is guarded; port 0 takes a free one; default 127.0.0.1:8080
	// APIListen is where /v1 is served; default 127.0.0.1:8081, or a free port where Listen asks for one.
	APIListen string

	Data          string // folder for the embedded store, the master key and the first management key
	RedisURL      string // redis://, rediss:// or unix://; "" = the embedded store
	Durability    string // of revocations and the like in Redis: see redisstore.Durability; "" = default
	WaitReplicas  int    // see redisstore.Options
	MasterKeyFile string // 32 bytes in base64 or hex; required with RedisURL unless MakeMasterKey
	// FormerMasterKeyFile is the master key before, while it is being replaced: see RotateMaster.
	FormerMasterKeyFile string
	MakeMasterKey       bool // make a master key in Data where there is none, also with Redis

	// AllowUnfit runs on a database that should not be a system of record, and only warns.
	AllowUnfit bool

	PublicURL   string            // where the outside reaches the API, for issuers; see core.Options
	Realm       string            // whose users get in, by id or name; default "default"
	CopyHeaders map[string]string // see guard.Options
	PassToken   bool              // see guard.Options

	Drain time.Duration // how long a stop waits for requests under way; default 10s
	Log   *zap.Logger   // default none
}

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() error {
	var errs []error
	if u, err := url.Parse(o.Upstream); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		errs = append(errs, fmt.Errorf("upstream %q must be a URL like http://127.0.0.1:3000", o.Upstream))
	}
	if o.Data == "" {
		errs = append(errs, errors.New("a data folder is required"))
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	_, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("listen address %q must be host:port", o.Listen))
	}
	if o.APIListen == "" {
		o.APIListen = "127.0.0.1:8081"
		if port == "0" {
			o.APIListen = "127.0.0.1:0"
		}
	}
	if _, _, err := net.SplitHostPort(o.APIListen); err != nil {
		errs = append(errs, fmt.Errorf("API listen address %q must be host:port", o.APIListen))
	}
	if o.RedisURL != "" && o.MasterKeyFile == "" && !o.MakeMasterKey {
		errs = append(errs, errors.New("with Redis, a master key file is required: "+
			"make one with 'head -c 32 /dev/urandom | base64 > master.key; chmod 600 master.key' and name it in "+
			"POSTERN_MASTER_KEY_FILE; keep a copy, without it no data can be read"))
	}
	if o.Drain == 0 {
		o.Drain = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return errors.Join(errs...)
}
