package redisstore

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// How far the clocks of the server and of this machine may be apart.
const (
	clockWarn   = 2 * time.Second
	clockRefuse = time.Minute
)

// facts are what is known about one server, and how it is used.
type facts struct {
	options *Options
	node    string // its address; in ModeCluster only
	info    map[string]string
	config  map[string]string
	ahead   time.Duration // its clock before ours

	write, announce string // with which code it refuses a change, and an announcement; "" = it does not
}

// rules are all that is looked at. Each returns a finding, or one without a Code. A text is told whoever runs this when it is new: it
// stays the same while what was measured moves a little.
var rules = []func(*facts) core.Finding{
	(*facts).version, (*facts).scripting, (*facts).mode, (*facts).role, (*facts).loading,
	(*facts).eviction, (*facts).memory, (*facts).persistence, (*facts).fsync, (*facts).truncation,
	(*facts).failover, (*facts).replicas, (*facts).waiting, (*facts).access, (*facts).rights, (*facts).clock, (*facts).unknown,
}

// judge returns all that is wrong.
func (f *facts) judge() []core.Finding {
	var all []core.Finding
	for _, rule := range rules {
		finding := rule(f)
		if finding.Code == "" {
			continue
		}
		if f.node != "" {
			finding.Text = f.node + ": " + finding.Text
		}
		all = append(all, finding)
	}
	return all
}

// server says what it is: "redis 7.0.15", "valkey 8.0.1".
func (f *facts) server() string {
	name, version := f.release()
	return name + " " + version
}

// release returns the server's name and its own version.
func (f *facts) release() (name, version string) {
	if name, version = f.info["server_name"], f.info["valkey_version"]; name != "" && version != "" {
		return name, version
	}
	return "redis", f.info["redis_version"]
}

// number returns a number that INFO tells, 0 if it does not.
func (f *facts) number(name string) int64 {
	n, _ := strconv.ParseInt(f.info[name], 10, 64)
	return n
}

func warn(code, format string, args ...any) core.Finding {
	return core.Finding{Code: code, Text: fmt.Sprintf(format, args...)}
}

func refuse(code, format string, args ...any) core.Finding {
	return core.Finding{Code: code, Refuse: true, Text: fmt.Sprintf(format, args...)}
}

// version looks at the Redis that the server is, or is compatible with.
func (f *facts) version() core.Finding {
	const code = "version"
	v := f.info["redis_version"]
	switch {
	case less(v, "6.2"):
		return refuse(code, "this is Redis %s, which lacks commands that Postern needs: install Redis 6.2 or later (better 7), or Valkey", v)
	case less(v, "7.0"):
		return warn(code, "this is Redis %s, whose scripts write even where min-replicas-to-write is not met, "+
			"so that a deposed master goes on accepting changes that will be lost: install Redis 7 or later, or Valkey", v)
	}
	return core.Finding{}
}

// fixes are the releases with the fix of CVE-2025-49844, the newest line last: lines before it that
// are not named have none, lines after it have it from the start.
var fixes = map[string][]string{
	"redis":  {"6.2.20", "7.2.11", "7.4.6", "8.0.4", "8.2.2"},
	"valkey": {"7.2.11", "8.0.6", "8.1.4"},
}

// scripting looks for the hole in the Lua interpreter that lets whoever may run scripts take over the server.
func (f *facts) scripting() core.Finding {
	name, v := f.release()
	fixed := fixes[name]
	for _, release := range fixed {
		if sameLine(v, release) && !less(v, release) {
			return core.Finding{}
		}
	}
	if len(fixed) == 0 || !less(v, fixed[len(fixed)-1]) {
		return core.Finding{}
	}
	return warn("scripting", "%s %s is older than the fix of CVE-2025-49844, by which whoever can log in to it can take the server over: "+
		"install %s, or make an exception if your distribution has fixed it", name, v, strings.Join(fixed, ", "))
}

func (f *facts) mode() core.Finding {
	if f.info["redis_mode"] == "cluster" && f.options.Mode != ModeCluster {
		return refuse("mode", "the server is a node of a Cluster, but the mode is %s, so that most keys would be out of reach: set the mode to cluster", f.options.Mode)
	}
	return core.Finding{}
}

func (f *facts) role() core.Finding {
	if f.info["role"] != "master" {
		return refuse("replica", "the server is a replica of %s:%s and takes no changes: name the master, or use mode sentinel, or promote this one with REPLICAOF NO ONE",
			f.info["master_host"], f.info["master_port"])
	}
	return core.Finding{}
}

// codeLoading is the code of the finding that a server still reads its data.
const codeLoading = "loading"

func (f *facts) loading() core.Finding {
	if f.number("loading") != 0 {
		return refuse(codeLoading, "the server is still reading its data after a start and answers nothing until then: wait, "+
			"and watch loading_eta_seconds in INFO persistence")
	}
	return core.Finding{}
}

func (f *facts) eviction() core.Finding {
	const code = "eviction"
	policy := f.info["maxmemory_policy"]
	switch {
	case policy == "noeviction":
		return core.Finding{}
	case f.number("maxmemory") > 0:
		return refuse(code, "maxmemory-policy is %s, by which a full server deletes users, sessions or lock-outs without an error: "+
			"CONFIG SET maxmemory-policy noeviction, and in the configuration file", policy)
	}
	return warn(code, "maxmemory-policy is %s, by which users, sessions or lock-outs would be deleted without an error as soon as maxmemory is set: "+
		"CONFIG SET maxmemory-policy noeviction, and in the configuration file", policy)
}

func (f *facts) memory() core.Finding {
	const code = "memory"
	used, limit, total := f.number("used_memory"), f.number("maxmemory"), f.number("total_system_memory")
	switch {
	case limit > 0 && used > limit/5*4:
		return warn(code, "more than four fifths of maxmemory, %d MiB, are used, and when it is full every change is refused: "+
			"give the server more with CONFIG SET maxmemory", limit>>20)
	case limit == 0 && total > 0 && used > total/2:
		return warn(code, "more than half of the machine's %d MiB is used and maxmemory is not set, so that the system may kill the server: "+
			"add memory, and CONFIG SET maxmemory to less than the machine has", total>>20)
	}
	return core.Finding{}
}

func (f *facts) persistence() core.Finding {
	const code = "persistence"
	switch {
	case f.number("aof_enabled") != 0:
		return core.Finding{}
	case f.options.Durability == DurabilityNone:
		return warn(code, "appendonly is off, so that a restart loses everything since the last snapshot, as durability none allows: "+
			"for more than trying out CONFIG SET appendonly yes, and in the configuration file")
	case f.number("connected_slaves") > 0:
		return warn(code, "appendonly is off, so that a master that restarts by itself comes back with old data or none, and its replicas follow: "+
			"CONFIG SET appendonly yes, and in the configuration file, on every node")
	}
	return refuse(code, "appendonly is off and there is no replica, so that a restart loses everything since the last snapshot: "+
		"CONFIG SET appendonly yes, and in the configuration file, or set durability none to try things out")
}

func (f *facts) fsync() core.Finding {
	const code = "fsync"
	if f.number("aof_enabled") == 0 {
		return core.Finding{}
	}
	switch f.config["appendfsync"] {
	case "no":
		return refuse(code, "appendfsync is no, so that a power failure loses all that the system had not written by itself, often 30 seconds: "+
			"CONFIG SET appendfsync everysec (or always), and in the configuration file")
	case "everysec":
		return warn(code, "appendfsync is everysec, so that a power failure loses up to about two seconds of confirmed changes: accept that, "+
			"or CONFIG SET appendfsync always, and in the configuration file")
	}
	return core.Finding{}
}

func (f *facts) truncation() core.Finding {
	if f.number("aof_enabled") != 0 && f.config["aof-load-truncated"] == "yes" {
		return warn("truncation", "aof-load-truncated is yes, so that a server whose file was cut short starts as if nothing were missing: "+
			"CONFIG SET aof-load-truncated no, and in the configuration file")
	}
	return core.Finding{}
}

func (f *facts) failover() core.Finding {
	_, guarded := f.info["min_slaves_good_slaves"]
	if !guarded && (f.number("connected_slaves") > 0 || f.options.Mode == ModeSentinel) {
		return warn("failover", "min-replicas-to-write is 0, so that a master cut off from its replicas goes on confirming changes that the failover then loses: "+
			"CONFIG SET min-replicas-to-write 1, and in the configuration file, on every node")
	}
	return core.Finding{}
}

func (f *facts) replicas() core.Finding {
	if f.write != "NOREPLICAS" || less(f.info["redis_version"], "7.0") { // before 7.0 scripts write all the same, see version
		return core.Finding{}
	}
	return refuse("replicas", "the server has fewer replicas than min-replicas-to-write asks for, so that it changes nothing, and vouches for nobody, "+
		"since another may have taken its place: connect replicas")
}

func (f *facts) waiting() core.Finding {
	const code = "durability"
	o, replicas := f.options, f.number("connected_slaves")
	waits := o.Durability == DurabilityReplicas || o.Durability == DurabilityDisk
	switch {
	case o.Durability == DurabilityDisk && less(f.info["redis_version"], "7.2"):
		return refuse(code, "durability disk needs WAITAOF, which Redis %s does not have, so that every such change would be reported as uncertain: "+
			"install Redis 7.2 or later, or Valkey, or set durability replicas", f.info["redis_version"])
	case waits && replicas < int64(o.WaitReplicas):
		return warn(code, "%d replicas are to confirm changes and %d are connected, so that every such change is reported as uncertain: "+
			"connect replicas, or ask for fewer", o.WaitReplicas, replicas)
	}
	return core.Finding{}
}

func (f *facts) access() core.Finding {
	o := f.options
	if o.Password != "" || o.TLS != nil || o.unix() {
		return core.Finding{}
	}
	for _, addr := range o.Addrs {
		if host, _, _ := net.SplitHostPort(addr); host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return warn("access", "%s is reached without password and TLS, so that whoever reaches it too can read and change every account: "+
				"set a password with ACL SETUSER, and use rediss://", addr)
		}
	}
	return core.Finding{}
}

func (f *facts) rights() core.Finding {
	const code = "rights"
	switch {
	case f.write == "NOPERM":
		return refuse(code, "the user may change nothing, so that nobody can sign in or out, and nobody who is signed in can be vouched for: "+
			"ACL SETUSER <user> +@write, and in the configuration file")
	case f.announce == "NOPERM":
		return warn(code, "the user may not publish to our channel, so that other nodes hear of revocations up to a second late: "+
			"ACL SETUSER <user> +@pubsub &postern:*, and in the configuration file")
	}
	return core.Finding{}
}

func (f *facts) clock() core.Finding {
	const code, text = "clock", "the server's clock is %v %s this machine's, so that sessions and lock-outs end too early or too late: let both follow NTP"
	direction := "ahead of"
	if f.ahead < 0 {
		direction = "behind"
	}
	apart := f.ahead.Abs()
	switch {
	case apart > clockRefuse:
		return refuse(code, text, apart.Round(time.Minute), direction)
	case apart > clockWarn:
		return warn(code, text, apart.Round(time.Second), direction)
	}
	return core.Finding{}
}

func (f *facts) unknown() core.Finding {
	var missing []string
	for _, name := range settings {
		if _, ok := f.config[name]; !ok && f.number("aof_enabled") != 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return core.Finding{}
	}
	return warn("unknown", "CONFIG GET is not allowed, so that nobody looks whether %s risk losing changes: "+
		"allow it with ACL SETUSER <user> +config|get, or make sure by other means",
		strings.Join(missing, " and "))
}
