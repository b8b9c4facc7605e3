package redisstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/postern-auth/postern/core"
)

var _ core.Store = (*Store)(nil)

// Store is a core.Store over Redis or Valkey. Any number of processes may share one database.
type Store struct {
	options       Options
	keys          keys
	client        redis.UniversalClient
	cluster       *redis.ClusterClient // client in ModeCluster, else nil
	conns         *connections
	convoys       *convoys
	bells         *bells
	announcements *announcements
	poll          time.Duration // pollInterval, but in a test

	calls  atomic.Uint64 // numbers the scripts run, so that each reply can be told from every other
	close  sync.Once
	closed chan struct{}
}

// Open returns a Store. It fails for options that make no sense, and connects to nothing yet: whether the
// server can be reached and trusted is for Check to say. The Store must be closed.
func Open(_ context.Context, o Options) (*Store, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("redisstore: options: %w", err)
	}
	quiet()
	s := &Store{options: o, keys: keys(o.KeyPrefix), conns: newConnections(), poll: pollInterval, closed: make(chan struct{})}
	s.connect()
	s.convoys = &convoys{client: s.client, patience: convoyPatience}
	s.bells = newBells(func() *redis.PubSub { return s.client.Subscribe(context.Background()) }, s.keys.wake())
	s.announcements = newAnnouncements(s.client, s.keys.wake(), o.CallTimeout)
	return s, nil
}

// quiet ends what go-redis writes to standard error by itself: what matters of it comes back as errors, for the host to
// log.
var quiet = sync.OnceFunc(logging.Disable)

// connect makes the client. Retrying is call.go's business, so the client does none, but for what Cluster
// redirects. RESP2 and no identity or maintenance notices: nothing but replies to what was asked arrives on
// a connection, and nothing is sent that a reply could be mistaken for (CVE-2025-29923).
func (s *Store) connect() {
	u := s.universal()
	switch s.options.Mode {
	case ModeSentinel:
		client := redis.NewFailoverClient(u.Failover())
		client.AddHook(s.conns)
		s.client = client
	case ModeCluster:
		s.cluster = redis.NewClusterClient(u.Cluster())
		s.cluster.OnNewNode(func(node *redis.Client) { node.AddHook(s.conns) })
		s.client = s.cluster
	default:
		client := redis.NewClient(s.single(u))
		client.AddHook(s.conns)
		s.client = client
	}
}

// universal returns the client's options, whatever the mode.
func (s *Store) universal() *redis.UniversalOptions {
	o := &s.options
	return &redis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.MasterName, DB: o.DB, TLSConfig: o.TLS,
		Username: o.Username, Password: o.Password, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,

		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},

		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, ContextTimeoutEnabled: true,
		PoolSize: o.PoolSize, MaxActiveConns: o.PoolSize, PoolTimeout: o.CallTimeout, PipelinePoolSize: -1,
	}
}

// single returns the options of a client of one server, which a URL may have named by a unix socket.
func (s *Store) single(u *redis.UniversalOptions) *redis.Options {
	simple := u.Simple()
	if s.options.unix() {
		simple.Network = "unix"
	}
	return simple
}

// Local reports that a server answers, wherever it runs.
func (s *Store) Local() bool { return false }

// Close closes all connections and ends every Tail that waits. A second Close does nothing.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closed)
		s.bells.close()
		if failed := s.client.Close(); failed != nil {
			err = fmt.Errorf("redisstore: close: %w", failed)
		}
	})
	return err
}
