package redisstore

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// readURL spreads URL over the other fields. What url.Parse complains about may be a part of the
// password, so it is not repeated.
func (o *Options) readURL() error {
	if o.URL == "" {
		return nil
	}
	if len(o.Addrs) > 0 || o.Username != "" || o.Password != "" || o.DB != 0 {
		return errors.New("URL stands for Addrs, Username, Password and DB: set either")
	}
	scheme, rest, _ := strings.Cut(o.URL, "://")
	if server, mode, several := strings.Cut(scheme, "+"); several {
		return o.readSeveral(server, Mode(mode), rest)
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Fragment != "" || !onlyHas(u.Query(), "db") {
		return errBadURL
	}
	parsed, err := redis.ParseURL(o.URL)
	if err != nil {
		return errBadURL
	}
	o.Addrs = []string{parsed.Addr}
	o.Username, o.Password, o.DB = parsed.Username, parsed.Password, parsed.DB
	if o.TLS == nil {
		o.TLS = parsed.TLSConfig
	}
	return nil
}

var errBadURL = errors.New("URL must be redis://[user:password@]host[:port][/db], unix:///path[?db=n], redis+sentinel://[user:password@]host[:port][,...]/master[/db], or " +
	"redis+cluster://[user:password@]host[:port][,...], rediss for TLS, with the special characters of a password percent-encoded")

// readSeveral reads what follows the scheme of a URL that names several servers. url.Parse reads all of it but the servers, which it
// takes for one.
func (o *Options) readSeveral(server string, mode Mode, rest string) error {
	if o.Mode != "" || o.MasterName != "" || o.SentinelUsername != "" || o.SentinelPassword != "" {
		return errors.New("URL says of several servers what Mode, MasterName, SentinelUsername and SentinelPassword say: set either")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	begin := strings.LastIndexByte(rest[:end], '@') + 1
	u, err := url.Parse("redis://" + rest[:begin] + "several" + rest[end:])
	if err != nil || u.Fragment != "" || server != "redis" && server != "rediss" {
		return errBadURL
	}
	port := "6379"
	if mode == ModeSentinel {
		port = "26379"
	}
	if o.Addrs = servers(rest[begin:end], port); o.Addrs == nil {
		return errBadURL
	}
	o.Mode, o.Username = mode, u.User.Username()
	o.Password, _ = u.User.Password()
	if server == "rediss" && o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch path := strings.TrimPrefix(u.Path, "/"); mode {
	case ModeCluster:
		if path == "" && u.RawQuery == "" {
			return nil
		}
	case ModeSentinel:
		return o.readSentinel(path, u.Query())
	}
	return errBadURL
}

// readSentinel reads what a URL says of Sentinels beside where they are.
func (o *Options) readSentinel(path string, query url.Values) error {
	name, number, numbered := strings.Cut(path, "/")
	db := 0
	if numbered {
		var err error
		if db, err = strconv.Atoi(number); err != nil {
			return errBadURL
		}
	}
	if name == "" || !onlyHas(query, "sentinel_username", "sentinel_password") {
		return errBadURL
	}
	o.MasterName, o.DB = name, db
	o.SentinelUsername, o.SentinelPassword = query.Get("sentinel_username"), query.Get("sentinel_password")
	return nil
}

// servers splits a list of servers and gives each a port; nil where one is no server.
func servers(list, port string) (all []string) {
	for one := range strings.SplitSeq(list, ",") {
		host, itsPort, err := net.SplitHostPort(one)
		if err != nil { // it names no port, or is nothing
			host, itsPort, err = net.SplitHostPort(one + ":" + port)
		}
		if _, notNumber := strconv.ParseUint(itsPort, 10, 16); err != nil || host == "" || notNumber != nil {
			return nil
		}
		all = append(all, net.JoinHostPort(host, itsPort))
	}
	return all
}

// onlyHas reports whether a query has no parameters but these.
func onlyHas(query url.Values, names ...string) bool {
	for name := range query {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}
