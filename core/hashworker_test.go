package core

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// TestRequestsBesideAHash has two sides talk over a socket beside a hash that has no end, where Go runs one thread at a time: what one says is heard within a few
// milliseconds of hashing, and not when Go looks at the network of its own accord.
func TestRequestsBesideAHash(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds, stretch = 50, 50 * time.Microsecond
	here, there := connected(t)
	var pauses, over atomic.Int64
	go func() {
		defer over.Store(1)
		said := []byte{0}
		go func() { _, _ = io.Copy(there, there) }()
		for range rounds {
			if _, err := here.Write(said); err != nil {
				return
			}
			if _, err := io.ReadFull(here, said); err != nil {
				return
			}
		}
	}()
	newWorkers(1, func(bool) {}).do(func(m *argon2.Memory) {
		for over.Load() == 0 {
			for until := time.Now().Add(stretch); time.Now().Before(until); {
			}
			m.Pause()
			pauses.Add(1)
		}
	})
	if most := int64(rounds * 2 * 2 * pollEvery); pauses.Load() > most {
		t.Errorf("%d times over a socket and back took %d stretches of a hash; want at most %d", rounds, pauses.Load(), most)
	}
}

// connected returns the two ends of a connection.
func connected(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}
