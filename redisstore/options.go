package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// Mode says what the addresses in Options lead to.
type Mode string

// The modes.
const (
	ModeSingle   Mode = "single"   // one server
	ModeSentinel Mode = "sentinel" // Sentinels that know the master called MasterName
	ModeCluster  Mode = "cluster"  // some nodes of a Cluster
)

// Durability says what an acknowledged write has outlived.
type Durability string

// The classes of durability. The last two cost a round trip to a replica or to the disk, and the server must not
// be short of either: a write that is not confirmed within WaitTimeout fails with core.ErrOutcomeUnknown.
const (
	DurabilityDefault  Durability = "default"  // what the server's appendonly and appendfsync give
	DurabilityNone     Durability = "none"     // nothing: a server without persistence is accepted, for trying things out
	DurabilityReplicas Durability = "replicas" // it is in the memory of WaitReplicas replicas (WAIT)
	DurabilityDisk     Durability = "disk"     // it is on the server's disk and on that of WaitReplicas replicas (WAITAOF, Redis 7.2)
)

// Options configures a Store. One of URL and Addrs is required.
type Options struct {
	// URL is redis://user:password@host:port/db, or unix:///path?db=n; redis+sentinel://user:password@host:port,host:port/master/db, with
	// ?sentinel_username and sentinel_password where the Sentinels ask for them; or redis+cluster://user:password@host:port,host:port. With
	// rediss the connections use TLS. It stands for Addrs, Mode, MasterName, Username, Password, SentinelUsername, SentinelPassword, DB and
	// TLS, which must then be unset, but for TLS, which may refine rediss.
	URL   string
	Addrs []string // host:port each; one in ModeSingle
	Mode  Mode     // default ModeSingle

	MasterName       string // ModeSentinel only, and required there
	Username         string // default: the server's default user
	Password         string
	SentinelUsername string
	SentinelPassword string
	DB               int         // 0 in ModeCluster
	TLS              *tls.Config // nil = no TLS, unless URL is rediss://

	KeyPrefix string // of all keys; 1 to 64 bytes of printable ASCII without space and braces, default "postern:"

	PoolSize     int           // connections per server, 1 to 10,000; default 10 per processor, at least 20
	DialTimeout  time.Duration // 1ms to 1m, default 500ms
	ReadTimeout  time.Duration // of one attempt, 1ms to 1m, default 500ms
	WriteTimeout time.Duration // of one attempt, 1ms to 1m, default 500ms
	CallTimeout  time.Duration // of a call with all its attempts, but for Tail's waiting; 1ms to 1m, default 1s

	Durability   Durability    // default DurabilityDefault
	WaitReplicas int           // 1 to 100 with DurabilityReplicas, 0 to 100 with DurabilityDisk; default 1 and 0
	WaitTimeout  time.Duration // less than ReadTimeout; default half of it
	WaitAll      bool          // wait after every transaction, not only after those that core marks Durable

	Now func() time.Time // the clock that Check compares the server's with; default time.Now
}

// Validate returns all that Open would find wrong with o, joined. It connects to nothing. No complaint repeats a secret.
func (o Options) Validate() error { return o.validate() }

// Meaning returns a text that is the same for options that Validate accepts and that mean the same, however they are spelled, but for Now and
// for what of TLS is not its ServerName. It holds secrets.
func (o Options) Meaning() string {
	_ = o.validate() // which spells them all alike
	if o.unix() {
		o.URL = "unix"
	} else {
		o.URL = ""
		o.Addrs = strings.Split(strings.ToLower(strings.Join(o.Addrs, ",")), ",")
		slices.Sort(o.Addrs)
	}
	secured := ""
	if o.TLS != nil {
		secured = " tls " + o.TLS.ServerName
	}
	o.TLS, o.Now = nil, nil
	return fmt.Sprintf("%#v", o) + secured
}

// validate fills in the defaults and returns what Validate does.
func (o *Options) validate() error {
	errs := []error{o.readURL()}
	complain := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	o.fill()
	complain(!slices.Contains([]Mode{ModeSingle, ModeSentinel, ModeCluster}, o.Mode), "Mode is %q; single, sentinel or cluster is needed", o.Mode)
	complain(len(o.Addrs) == 0 && o.URL == "", "URL or Addrs is needed")
	complain(o.Mode == ModeSingle && len(o.Addrs) > 1, "Addrs has %d addresses; one is needed in mode single", len(o.Addrs))
	complain(o.Mode != ModeSingle && o.unix(), "URL is a unix socket, which mode %s cannot use", o.Mode)
	complain((o.Mode == ModeSentinel) != (o.MasterName != ""), "MasterName is needed in mode sentinel, and only there")
	complain(o.DB < 0 || o.Mode == ModeCluster && o.DB != 0, "DB is %d; 0 or more is needed, and 0 in mode cluster", o.DB)
	complain(len(o.KeyPrefix) > 64 || core.Key{Name: o.KeyPrefix}.Validate() != nil,
		"KeyPrefix is %q; 1 to 64 bytes of printable ASCII without space and braces are needed", o.KeyPrefix)
	complain(o.PoolSize < 1 || o.PoolSize > 10_000, "PoolSize is %d; 1 to 10000 is needed", o.PoolSize)
	for _, timeout := range []struct {
		name string
		time.Duration
	}{{"DialTimeout", o.DialTimeout}, {"ReadTimeout", o.ReadTimeout}, {"WriteTimeout", o.WriteTimeout}, {"CallTimeout", o.CallTimeout}} {
		complain(timeout.Duration < time.Millisecond || timeout.Duration > time.Minute,
			"%s is %v; 1ms to 1m is needed", timeout.name, timeout.Duration)
	}
	return errors.Join(append(errs, o.validateDurability())...)
}

func (o *Options) validateDurability() error {
	switch o.Durability {
	case DurabilityDefault, DurabilityNone:
		if o.WaitReplicas != 0 || o.WaitAll {
			return fmt.Errorf("WaitReplicas and WaitAll need Durability replicas or disk")
		}
		return nil
	case DurabilityReplicas, DurabilityDisk:
	default:
		return fmt.Errorf("Durability is %q; default, none, replicas or disk is needed", o.Durability)
	}
	var errs []error
	if o.WaitReplicas < 0 || o.WaitReplicas > 100 {
		errs = append(errs, fmt.Errorf("WaitReplicas is %d; 0 to 100 is needed", o.WaitReplicas))
	}
	if o.WaitTimeout < time.Millisecond || o.WaitTimeout >= o.ReadTimeout {
		errs = append(errs, fmt.Errorf("WaitTimeout is %v; 1ms to less than ReadTimeout, %v, is needed", o.WaitTimeout, o.ReadTimeout))
	}
	return errors.Join(errs...)
}

// fill sets what is unset to its default.
func (o *Options) fill() {
	setDefault(&o.Mode, ModeSingle)
	setDefault(&o.KeyPrefix, "postern:")
	setDefault(&o.PoolSize, max(20, 10*runtime.GOMAXPROCS(0)))
	setDefault(&o.DialTimeout, 500*time.Millisecond)
	setDefault(&o.ReadTimeout, 500*time.Millisecond)
	setDefault(&o.WriteTimeout, 500*time.Millisecond)
	setDefault(&o.CallTimeout, time.Second)
	setDefault(&o.Durability, DurabilityDefault)
	setDefault(&o.WaitTimeout, o.ReadTimeout/2)
	if o.Durability == DurabilityReplicas {
		setDefault(&o.WaitReplicas, 1)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// setDefault sets what is zero to its default.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// unix reports whether the server is reached by a unix socket.
func (o *Options) unix() bool { return strings.HasPrefix(o.URL, "unix:") }
