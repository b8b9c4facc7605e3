package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a client and a server and makes replies go wrong as a Fault says.
type Proxy struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	fault  Fault
	conns  map[net.Conn]bool
	closed bool
	wg     sync.WaitGroup
}

// A Fault is asked about every reply, one at a time, and says what goes on to the client instead, and
// whether the connection then breaks. The nil Fault lets everything pass.
type Fault func(reply []byte) (forward []byte, cut bool)

// Delay holds each reply back for d.
func Delay(d time.Duration) Fault {
	return func(reply []byte) ([]byte, bool) {
		time.Sleep(d)
		return reply, false
	}
}

// DelayOne holds the first reply back for d, and those behind it.
func DelayOne(d time.Duration) Fault { return once(Delay(d)) }

// SwallowOne loses the first reply, and lets the connection live.
func SwallowOne() Fault {
	return once(func([]byte) ([]byte, bool) { return nil, false })
}

// Swallow loses every reply.
func Swallow() Fault {
	return func([]byte) ([]byte, bool) { return nil, false }
}

// CutOne breaks the connection instead of the first reply.
func CutOne() Fault {
	return once(func([]byte) ([]byte, bool) { return nil, true })
}

// CutMidReply breaks the connection halfway through the first reply.
func CutMidReply() Fault {
	return once(func(reply []byte) ([]byte, bool) { return reply[:len(reply)/2], true })
}

// InjectOne slips an extra reply in before the first, so that all that follow are late by one.
func InjectOne(extra []byte) Fault {
	return once(func(reply []byte) ([]byte, bool) { return append(extra[:len(extra):len(extra)], reply...), false })
}

// Record sees every reply and changes none.
func Record(see func(reply []byte)) Fault {
	return func(reply []byte) ([]byte, bool) {
		see(reply)
		return reply, false
	}
}

// once applies a fault to the first reply only.
func once(fault Fault) Fault {
	done := false
	return func(reply []byte) ([]byte, bool) {
		if done {
			return reply, false
		}
		done = true
		return fault(reply)
	}
}

// NewProxy starts a proxy to s that ends with the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: s.addr, conns: make(map[net.Conn]bool)}
	p.wg.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// URL returns the redis:// URL of the way through the proxy.
func (p *Proxy) URL() string { return "redis://" + p.listener.Addr().String() }

// Set puts a fault in force from the next reply on.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// CutAll breaks every connection.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.CutAll()
	p.wg.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.track(client, server)
		p.wg.Go(func() {
			defer p.drop(client, server)
			_, _ = io.Copy(server, client)
		})
		p.wg.Go(func() {
			defer p.drop(client, server)
			p.replies(client, bufio.NewReader(server))
		})
	}
}

// replies passes the server's replies on, one by one, as the fault says.
func (p *Proxy) replies(client net.Conn, server *bufio.Reader) {
	for {
		reply, err := readReply(server)
		if err != nil {
			return
		}
		forward, cut := p.judge(reply)
		if _, err := client.Write(forward); err != nil || cut {
			return
		}
	}
}

func (p *Proxy) judge(reply []byte) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil {
		return reply, false
	}
	return p.fault(reply)
}

// track has conns cut with all others; at once, where the proxy was closed while they were made.
func (p *Proxy) track(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
		if p.closed {
			_ = c.Close()
		}
	}
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// readReply reads one whole RESP2 reply, in the bytes that it came in.
func readReply(r *bufio.Reader) ([]byte, error) {
	reply, err := r.ReadBytes('\n')
	if err != nil || len(reply) < 3 || (reply[0] != '$' && reply[0] != '*') {
		return reply, err
	}
	n, err := strconv.Atoi(string(reply[1 : len(reply)-2]))
	if err != nil {
		return nil, fmt.Errorf("not a RESP2 reply: %q", reply)
	}
	if reply[0] == '$' {
		if n < 0 {
			return reply, nil
		}
		body := make([]byte, n+2)
		_, err := io.ReadFull(r, body)
		return append(reply, body...), err
	}
	for range n {
		part, err := readReply(r)
		if err != nil {
			return nil, err
		}
		reply = append(reply, part...)
	}
	return reply, nil
}
