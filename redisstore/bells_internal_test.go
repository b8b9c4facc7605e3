package redisstore

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestOddAnnouncements has what is no message come before one that is. Nothing falls over that, and who waits is woken, then and afterwards.
func TestOddAnnouncements(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server)
	o, err := redis.ParseURL(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	client, direct := redis.NewClient(o), server.Client(t)
	defer client.Close()
	logs := []core.LogPosition{{Log: core.Log{Partition: core.Partition{Realm: "rl_1"}, Name: "inv"}}}
	for _, odd := range []string{"*0\r\n", "*1\r\n:1\r\n", "*2\r\n$7\r\nmessage\r\n$4\r\nwake\r\n", "*3\r\n$9\r\nsubscribe\r\n$4\r\nwake\r\n$1\r\nx\r\n", ":1\r\n", "$-1\r\n", "-ERR odd\r\n", "?\r\n"} {
		b := newBells(func() *redis.PubSub { return client.Subscribe(t.Context()) }, "wake")
		bell := b.listen(logs)
		rings := func() bool { return len(bell) > 0 }
		redistest.Eventually(t, "the subscription is made", rings)
		proxy.Set(redistest.InjectOne([]byte(odd)))
		for range 2 {
			<-bell
			redistest.Eventually(t, fmt.Sprintf("who waits is woken after %q", odd), func() bool {
				if err := direct.Publish(t.Context(), "wake", logs[0].Log.String()).Err(); err != nil {
					t.Fatal(err)
				}
				return rings()
			})
		}
		proxy.Set(nil)
		b.leave(logs, bell)
		b.close()
	}
}

// TestDeadAnnouncements has a connection take what is written to it and answer nothing, as where a firewall has forgotten it. It is made again, and with it who
// waits is woken, since announcements may have been lost.
func TestDeadAnnouncements(t *testing.T) {
	t.Parallel()
	proxy := redistest.NewProxy(t, redistest.Start(t))
	o, err := redis.ParseURL(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	logs := []core.LogPosition{{Log: core.Log{Partition: core.Partition{Realm: "rl_1"}, Name: "inv"}}}
	b := newBells(func() *redis.PubSub { return client.Subscribe(t.Context()) }, "wake")
	b.pingEvery = 100 * time.Millisecond
	bell := b.listen(logs)
	defer b.close()
	<-bell // the subscription is made
	proxy.Set(func(reply []byte) ([]byte, bool) {
		if bytes.Contains(bytes.ToLower(reply), []byte("pong")) {
			return nil, false
		}
		return reply, false
	})
	redistest.Eventually(t, "the subscription is made again", func() bool { return len(bell) > 0 })
	b.leave(logs, bell)
}
