package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The load comes from a process of its own on one core, so that the other is left to the server that is measured. It is a
// loop over sockets that holds the clients and the app behind the proxy; a request is a few system calls and no more.

// order is what the process is asked to do: one order a line.
type order struct {
	Tokens string `json:"tokens,omitempty"` // file with one token a line, which become the set
	Set    int    `json:"set,omitempty"`    // which set of tokens: liveSet or foreignSet
	Addr   string `json:"addr,omitempty"`   // whom to load
	Conns  int    `json:"conns,omitempty"`  // requests at once
	Millis int    `json:"millis,omitempty"` // for how long
	Count  int    `json:"count,omitempty"`  // or how many, one token after another
	Before string `json:"before,omitempty"` // what a request has before its token and after it; "" = a GET that bears it
	After  string `json:"after,omitempty"`
}

// tally is what came of an order.
type tally struct {
	Upstream string  `json:"upstream,omitempty"` // the app's address, said once at the begin
	Requests int     `json:"requests"`           // answered 2xx
	Bad      int     `json:"bad"`                // answered otherwise, or not
	Status   int     `json:"status"`             // of the last bad one; 0 = none
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"` // µs
	P99      float64 `json:"p99"`
	Error    string  `json:"error,omitempty"`
}

// The sets of tokens.
const (
	liveSet    = iota // of the realm
	foreignSet        // for those who do not know the realm
	setCount
)

// generator is the process, seen from the bench.
type generator struct {
	*process
	orders   *json.Encoder
	tallies  *json.Decoder
	upstream string
}

// generatorCore and serverCore are where the two sides run.
const (
	generatorCore = 0
	serverCore    = 1
)

// startGenerator starts the process and gives it tokens.
func (b *bench) startGenerator(tokens []string) (*generator, error) {
	p, orders, answers, err := b.play(generatorCore, "load")
	if err != nil {
		return nil, err
	}
	g := &generator{process: p, orders: json.NewEncoder(orders), tallies: json.NewDecoder(answers)}
	var hello tally
	if err := g.tallies.Decode(&hello); err != nil {
		return nil, fmt.Errorf("the load generator: %w: %s", err, p.Said())
	}
	g.upstream = hello.Upstream
	return g, g.use(b, liveSet, tokens)
}

// use makes tokens the ones of a set.
func (g *generator) use(b *bench, set int, tokens []string) error {
	f, err := os.CreateTemp(b.dir, "tokens-")
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, strings.Join(tokens, "\n"))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = g.do(order{Tokens: f.Name(), Set: set})
	return err
}

// do has an order carried out.
func (g *generator) do(o order) (tally, error) {
	if err := g.orders.Encode(o); err != nil {
		return tally{}, err
	}
	var t tally
	if err := g.tallies.Decode(&t); err != nil {
		return tally{}, fmt.Errorf("the load generator: %w: %s", err, g.Said())
	}
	if t.Error != "" {
		return t, errors.New(t.Error)
	}
	return t, nil
}

// sample is one round against one server.
type sample struct {
	rate float64 // requests a second
	cpu  float64 // µs of the server's a request
	p50  float64 // µs, at 32 at once
	p99  float64
}

// order has a contender loaded for a while.
func (c *contender) order(conns int, turn time.Duration) order {
	return order{Addr: c.addr, Set: c.set, Conns: conns, Millis: int(turn.Milliseconds()), Before: c.before, After: c.after}
}

// sample loads a server with 32 requests at once.
func (g *generator) sample(c *contender, turn time.Duration) (sample, error) {
	before := time.Duration(0)
	if c.process != nil {
		before = c.process.cpu()
	}
	t, err := g.clean(c.order(32, turn))
	if err != nil {
		return sample{}, err
	}
	s := sample{rate: float64(t.Requests) / t.Seconds, p50: t.P50, p99: t.P99}
	if c.process != nil {
		s.cpu = float64((c.process.cpu() - before).Nanoseconds()) / 1000 / float64(t.Requests)
	}
	return s, nil
}

// clean is do for an order that must come without a single refusal.
func (g *generator) clean(o order) (tally, error) {
	t, err := g.do(o)
	if err == nil && (t.Bad > 0 || t.Requests == 0) {
		err = fmt.Errorf("%d of %d requests were not answered with 200; one of them with %d", t.Bad, t.Bad+t.Requests, t.Status)
	}
	return t, err
}

// warm shows a server each of the first n tokens. What is not answered with 200 at first, as a server bounds what it asks
// its store at once, is shown again.
func (g *generator) warm(ctx context.Context, c *contender, n int) error {
	for range 5 {
		t, err := g.do(order{Addr: c.addr, Set: c.set, Conns: 32, Count: n})
		if err != nil || t.Bad == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s refuses good tokens", c.name)
}

// generateLoad is the process's side.
func generateLoad(in io.Reader, out io.Writer) error {
	debug.SetGCPercent(-1) // what it allocates in its life fits
	debug.SetMemoryLimit(2 << 30)
	runtime.GOMAXPROCS(2) // the loop holds one while it waits
	l, err := newLoop()
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(tally{Upstream: l.upstream}); err != nil {
		return err
	}
	go func() {
		runtime.LockOSThread()
		l.run()
	}()
	orders := json.NewDecoder(bufio.NewReader(in))
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var t tally
		if o.Tokens != "" {
			text, err := os.ReadFile(o.Tokens)
			if err != nil {
				return err
			}
			l.sets[o.Set] = bytes.Split(text, []byte("\n")) // the loop is idle
		} else {
			l.orders <- o
			t = <-l.tallies
		}
		if err := answers.Encode(t); err != nil {
			return err
		}
	}
}

// before and after are what a request has around its token, unless an order says otherwise.
const (
	before = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer "
	after  = "\r\n\r\n"
)

// canned is the app's answer to everything.
var canned = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 43\r\n\r\n" + strings.Repeat("x", 43))

// conn is a socket: a client's, or one that the app accepted.
type conn struct {
	fd     int
	client bool
	in     []byte // what was read of the message under way
	out    []byte
	begun  time.Time
	busy   bool
}

// walkStep is how far in its set the loop goes from one token to the next.
const walkStep = 7919

// task is an order under way.
type task struct {
	order
	begun, until time.Time
	next         int // how many requests were sent
	waiting      int // requests without an answer
	taken        []uint32
	tally        tally
	conns        []*conn
}

// loop is the sockets and what waits for them.
type loop struct {
	poll, listener int
	upstream       string
	sets           [setCount][][]byte
	conns          map[int]*conn
	task           *task // nil = idle
	orders         chan order
	tallies        chan tally
	walk           int
}

// run serves the app, and carries out orders as they come.
func (l *loop) run() {
	for {
		if l.task == nil {
			select {
			case o := <-l.orders:
				l.start(o)
			default:
			}
		}
		l.wait()
		if t := l.task; t != nil && (t.waiting == 0 || time.Now().After(t.until.Add(5*time.Second))) {
			l.finish()
		}
	}
}

// start connects and sends the first requests.
func (l *loop) start(o order) {
	if o.Before == "" {
		o.Before, o.After = before, after
	}
	t := &task{order: o, begun: time.Now(), until: time.Now().Add(time.Duration(o.Millis) * time.Millisecond)}
	if o.Count > 0 {
		t.until = t.begun.Add(3 * time.Minute)
	}
	l.task = t
	for range o.Conns {
		c, err := l.dial(o.Addr)
		if err != nil {
			t.tally.Error = err.Error()
			return
		}
		t.conns = append(t.conns, c)
	}
	t.begun = time.Now()
	if o.Count == 0 {
		t.until = t.begun.Add(time.Duration(o.Millis) * time.Millisecond)
	}
	for _, c := range t.conns {
		l.send(c)
	}
}

// send sends the next request, if there is to be one.
func (l *loop) send(c *conn) {
	t := l.task
	now := time.Now()
	token, tokens := 0, l.sets[t.Set]
	switch {
	case t.Count > 0 && t.next >= t.Count, now.After(t.until):
		return
	case t.Count > 0:
		token = t.next
	default:
		l.walk = (l.walk + walkStep) % len(tokens)
		token = l.walk
	}
	t.next++
	c.out = append(append(append(c.out[:0], t.Before...), tokens[token%len(tokens)]...), t.After...)
	c.begun, c.busy = now, true
	t.waiting++
	if !write(c.fd, c.out) {
		l.lose(c)
	}
}

// answered notes the answer to a client's request.
func (l *loop) answered(c *conn, status int) {
	t := l.task
	c.busy = false
	t.waiting--
	if status/100 != 2 {
		t.tally.Bad++
		t.tally.Status = status
	} else {
		t.tally.Requests++
		t.taken = append(t.taken, uint32(min(time.Since(c.begun).Nanoseconds(), 1<<32-1)))
	}
	l.send(c)
}

// lose drops a connection that broke.
func (l *loop) lose(c *conn) {
	l.forget(c)
	if c.client && c.busy && l.task != nil {
		c.busy = false
		l.task.waiting--
		l.task.tally.Bad++
	}
}

// finish reports.
func (l *loop) finish() {
	t := l.task
	t.tally.Seconds = time.Since(t.begun).Seconds()
	t.tally.Bad += t.waiting
	for _, c := range t.conns {
		l.forget(c)
	}
	if slices.Sort(t.taken); len(t.taken) > 0 {
		t.tally.P50 = float64(t.taken[len(t.taken)/2]) / 1000
		t.tally.P99 = float64(t.taken[len(t.taken)*99/100]) / 1000
	}
	l.task = nil
	l.tallies <- t.tally
}

// received looks for a whole message in what a socket has read.
func (l *loop) received(c *conn) {
	head := bytes.Index(c.in, []byte("\r\n\r\n"))
	if head < 0 {
		return
	}
	if !c.client {
		c.in = c.in[:0] // a GET has no body, and comes alone
		if !write(c.fd, canned) {
			l.lose(c)
		}
		return
	}
	length, ok := contentLength(c.in[:head+2])
	if !ok {
		l.lose(c)
		return
	}
	if len(c.in) < head+4+length {
		return
	}
	status := int(c.in[9]-'0')*100 + int(c.in[10]-'0')*10 + int(c.in[11]-'0')
	c.in = c.in[:0]
	l.answered(c, status)
}

// contentLength reads it from a head.
func contentLength(head []byte) (int, bool) {
	at := bytes.Index(head, []byte("\r\nContent-Length: "))
	if at < 0 || len(head) < 12 {
		return 0, false
	}
	n := 0
	for _, d := range head[at+18:] {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + int(d-'0')
	}
	return n, true
}

// split returns the IPv4 address and port of host:port.
func split(addr string) (ip [4]byte, port int, err error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return ip, 0, err
	}
	copy(ip[:], a.IP.To4())
	return ip, a.Port, nil
}
