package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/postern-auth/postern/internal/namedfile"
	"github.com/postern-auth/postern/redisstore"
)

// Redis says how to reach a Redis or Valkey: one server, one behind Sentinels, or a Cluster. Set `url`, or `addresses`
// and what goes with them. Texts may hold `{env.NAME}` and `{file./path}`.
type Redis struct {
	// URL is `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, or `unix:///path[?db=n]`, with the special characters of
	// a password percent-encoded. A password in it must be a placeholder; most often the whole URL is one,
	// `{env.POSTERN_REDIS_URL}`.
	URL string `json:"url,omitempty"`

	// Addresses are host:port each: the server, the Sentinels, or some nodes of the Cluster.
	Addresses []string `json:"addresses,omitempty"`

	// Mode is what the addresses lead to: `single`, `sentinel` or `cluster`. The default is `single`.
	Mode string `json:"mode,omitempty"`

	// MasterName is what the Sentinels call the master.
	MasterName string `json:"master_name,omitempty"`

	// Username is who to log in as. The default is the server's default user.
	Username string `json:"username,omitempty"`

	// Password is given as `{env.NAME}` or `{file./path}`.
	Password string `json:"password,omitempty"`

	// SentinelUsername is who to log in to the Sentinels as.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// SentinelPassword is given as `{env.NAME}` or `{file./path}`.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// DB is the number of the database. The default is 0, the only one that a Cluster has.
	DB int `json:"db,omitempty"`

	// TLS encrypts the connections. `rediss://` in the URL does so too, with the system's certificate authorities.
	TLS *TLS `json:"tls,omitempty"`

	// KeyPrefix is what all keys begin with. The default is `postern:`.
	KeyPrefix string `json:"key_prefix,omitempty"`

	// PoolSize is how many connections are kept to a server. The default is 10 per processor, at least 20.
	PoolSize int `json:"pool_size,omitempty"`

	// DialTimeout bounds the making of a connection. The default is 500ms.
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// ReadTimeout bounds the wait for one answer. The default is 500ms.
	ReadTimeout caddy.Duration `json:"read_timeout,omitempty"`

	// WriteTimeout bounds the sending of one call. The default is 500ms.
	WriteTimeout caddy.Duration `json:"write_timeout,omitempty"`

	// CallTimeout bounds a call with all its attempts. The default is 1s.
	CallTimeout caddy.Duration `json:"call_timeout,omitempty"`

	// Durability is what an acknowledged write has outlived: `default` is what the server's own settings give,
	// `replicas` the loss of the master, `disk` that of all memory. `none` accepts a server that keeps nothing on disk,
	// for trying things out.
	Durability string `json:"durability,omitempty"`

	// WaitReplicas is how many replicas confirm a write. The default is 1 with `replicas`, 0 with `disk`.
	WaitReplicas int `json:"wait_replicas,omitempty"`

	// WaitTimeout bounds the wait for the replicas or the disk. The default is half of ReadTimeout.
	WaitTimeout caddy.Duration `json:"wait_timeout,omitempty"`

	// WaitAll waits after every write, and not only after those that must not be lost.
	WaitAll bool `json:"wait_all,omitempty"`
}

// TLS says how connections to Redis are encrypted. The server's certificate is always verified.
type TLS struct {
	// CA is a file with the certificate authorities to trust, PEM. The default is the system's.
	CA string `json:"ca,omitempty"`

	// Cert is a file with the client certificate, PEM.
	Cert string `json:"cert,omitempty"`

	// Key is the file with the client certificate's private key, PEM.
	Key string `json:"key,omitempty"`

	// ServerName is the name that the server's certificate must have. The default is the host that is dialled.
	ServerName string `json:"server_name,omitempty"`
}

// options returns the store's options, with all placeholders resolved. What is wrong with them goes to r.
func (c *Redis) options(r *resolver) redisstore.Options {
	o := redisstore.Options{
		URL: r.url("redis url", c.URL), Mode: redisstore.Mode(r.text("redis mode", c.Mode)), MasterName: r.text("redis master_name", c.MasterName),
		Username: r.text("redis username", c.Username), Password: r.secret("redis password", c.Password),
		SentinelUsername: r.text("redis sentinel_username", c.SentinelUsername),
		SentinelPassword: r.secret("redis sentinel_password", c.SentinelPassword),
		DB:               c.DB, KeyPrefix: r.text("redis key_prefix", c.KeyPrefix), PoolSize: c.PoolSize,
		DialTimeout: time.Duration(c.DialTimeout), ReadTimeout: time.Duration(c.ReadTimeout),
		WriteTimeout: time.Duration(c.WriteTimeout), CallTimeout: time.Duration(c.CallTimeout),
		Durability: redisstore.Durability(r.text("redis durability", c.Durability)), WaitReplicas: c.WaitReplicas,
		WaitTimeout: time.Duration(c.WaitTimeout), WaitAll: c.WaitAll,
	}
	for _, a := range c.Addresses {
		o.Addrs = append(o.Addrs, r.text("redis address", a))
	}
	if c.TLS != nil {
		o.TLS = c.TLS.config(r)
		if o.URL != "" && !strings.HasPrefix(o.URL, "rediss:") {
			r.complain(errors.New("redis tls: the url must then begin with rediss://"))
		}
	}
	return o
}

// config reads the files.
func (c *TLS) config(r *resolver) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.text("redis tls server_name", c.ServerName)}
	if ca := r.text("redis tls ca", c.CA); ca != "" {
		text, err := namedfile.Read(ca)
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			r.complain(fmt.Errorf("redis tls ca: %w", err))
		} else if !config.RootCAs.AppendCertsFromPEM(text) {
			r.complain(fmt.Errorf("redis tls ca: there is no certificate in %s", ca))
		}
		r.files = append(r.files, text)
	}
	cert, key := r.text("redis tls cert", c.Cert), r.text("redis tls key", c.Key)
	if cert == "" && key == "" {
		return config
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		r.complain(fmt.Errorf("redis tls cert and key: %w", err))
		return config
	}
	config.Certificates = []tls.Certificate{pair}
	r.files = append(r.files, pair.Certificate...)
	return config
}
