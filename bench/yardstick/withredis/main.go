// Command withredis is Caddy that links go-redis and nothing of Postern: what Postern's module adds to a program is
// counted beyond this.
package main

import (
	"context"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/redis/go-redis/v9"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() {
	if url := os.Getenv("BENCH_REDIS_URL"); url != "" { // never set: the linker does not know
		ping(url)
	}
	caddycmd.Main()
}

// ping uses the kinds of client that a store uses, or the linker would leave them out.
func ping(url string) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return
	}
	var all []redis.UniversalClient
	all = append(all, redis.NewClient(o))
	all = append(all, redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{o.Addr}}))
	all = append(all, redis.NewFailoverClient(&redis.FailoverOptions{SentinelAddrs: []string{o.Addr}}))
	for _, c := range all {
		c.Ping(context.Background())
		c.Subscribe(context.Background(), "news").Channel()
	}
}
