package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// spied is a call as it was seen: what was asked of Redis for it, and what was answered. Whatever must differ from call to
// call stands there as unique or named: no two users have one id, and names that were all alike would be filed at one place of each
// index, which costs Redis less.
type spied struct {
	Command []string    // to Redis
	Header  http.Header // of the answer
	Body    string
	Status  int
}

// unique stands for 20 characters that differ each time, and named for a name in the order of those that the load asks for.
const (
	unique = "\x00unique\x00"
	named  = "\x00named\x00"
)

// holes are what stands for something.
var holes = []string{unique, named}

// varying is an argument of a command, with holes in it.
type varying struct {
	texts []string // around the holes
	holes []int    // which of holes each is
}

// newVarying returns an argument that was spied on.
func newVarying(argument string) varying {
	var v varying
	for {
		hole, at := -1, len(argument)
		for i, mark := range holes {
			if found := strings.Index(argument, mark); found >= 0 && found < at {
				hole, at = i, found
			}
		}
		v.texts = append(v.texts, argument[:at])
		if hole < 0 {
			return v
		}
		v.holes, argument = append(v.holes, hole), argument[at+len(holes[hole]):]
	}
}

// filled returns the argument with something in each of its holes.
func (v varying) filled(with [2]string) string {
	if len(v.holes) == 0 {
		return v.texts[0]
	}
	text := make([]byte, 0, 512)
	for i, hole := range v.holes {
		text = append(append(text, v.texts[i]...), with[hole]...)
	}
	return string(append(text, v.texts[len(v.holes)]...))
}

// bareScript is what a bare handler serves: one call, the same way each time.
type bareScript struct {
	Redis string // host:port, of its own: what another has made would be done already there, and be written by nobody
	Calls map[string]spied
}

// bareCalls serves calls with net/http, go-redis and nothing between them: what the API is compared with.
func bareCalls(listen, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var script bareScript
	if err := json.Unmarshal(text, &script); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: script.Redis, Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 20}) // as many as the sidecar has on one core
	handlers := map[string]http.HandlerFunc{}
	for method, s := range script.Calls {
		handlers[method] = bareCall(client, s)
	}
	server := &http.Server{Addr: listen, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers[r.Method](w, r)
	})}
	return server.ListenAndServe()
}

// bareCall reads a request, asks Redis what was asked for the call that was spied on, and gives the same answer.
func bareCall(client *redis.Client, s spied) http.HandlerFunc {
	arguments := make([]varying, len(s.Command))
	for i, argument := range s.Command {
		arguments[i] = newVarying(argument)
	}
	var count atomic.Uint64
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		n := count.Add(1)
		differ := [...]string{fmt.Sprintf("%020d", n), nameAt(n)}
		command := make([]any, len(arguments))
		for i, argument := range arguments {
			command[i] = argument.filled(differ)
		}
		reply, err := client.Do(r.Context(), command...).Slice()
		if err != nil || len(reply) < 2 || reply[1] == "conflict" || reply[1] == "again" {
			http.Error(w, fmt.Sprint(reply, err), http.StatusInternalServerError)
			return
		}
		for name, values := range s.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(s.Status)
		_, _ = io.WriteString(w, s.Body)
	}
}

// spy makes a call at the API and watches what Redis is asked for it: the one script that is told sign.
func spy(ctx context.Context, server *redisServer, r *http.Request, sign string) (spied, error) {
	c, err := net.Dial("tcp", server.addr)
	if err != nil {
		return spied{}, err
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "MONITOR\r\n"); err != nil {
		return spied{}, err
	}
	seen := bufio.NewScanner(c)
	seen.Buffer(nil, 1<<20)
	seen.Scan() // +OK
	answer, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		return spied{}, err
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return spied{}, err
	}
	answer.Header.Del("Date") // net/http writes it
	s := spied{Header: answer.Header, Body: string(body), Status: answer.StatusCode}
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return spied{}, err
	}
	for seen.Scan() {
		_, words, _ := strings.Cut(seen.Text(), "] ")
		if command, err := monitored(words); err == nil && strings.EqualFold(command[0], "evalsha") && strings.Contains(words, sign) {
			s.Command = command
			return s, nil
		}
	}
	return spied{}, fmt.Errorf("nobody asked Redis about %s: %w", sign, errors.Join(seen.Err(), errMissing))
}

// monitored reads a command as MONITOR prints it: words in quotes.
func monitored(text string) ([]string, error) {
	var command []string
	for text != "" {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		command = append(command, word)
		text = strings.TrimPrefix(text[len(quoted):], " ")
	}
	if len(command) == 0 {
		return nil, errMissing
	}
	return command, nil
}

// wakeChannel is where Postern announces what it has appended to a log.
const wakeChannel = "postern:wake"

// hush takes out what was announced: a call that is watched alone does so, but of many in a row one in a hundred.
func (s *spied) hush() error {
	at := slices.Index(s.Command, wakeChannel) + 1
	if at == 0 || at == len(s.Command) {
		return fmt.Errorf("what a call announces in %q: %w", s.Command, errMissing)
	}
	s.Command[at] = ""
	return nil
}

// vary marks each of some texts of 22 characters in a command, so that it differs from call to call, and from the others.
func (s *spied) vary(texts ...string) {
	for n, text := range texts {
		s.mark(text, unique+fmt.Sprintf("%02d", n))
	}
}

// mark puts a mark for a text.
func (s *spied) mark(text, mark string) {
	for i := range s.Command {
		s.Command[i] = strings.ReplaceAll(s.Command[i], text, mark)
	}
}
