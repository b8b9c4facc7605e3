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
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// spied is a call as it was seen: what was asked of Redis for it, and what was answered. Whatever must differ from call to
// call, as no two users have one id, stands there as unique.
type spied struct {
	Command []string    // to Redis
	Header  http.Header // of the answer
	Body    string
	Status  int
}

// unique stands for 22 characters that differ each time.
const unique = "\x00unique\x00"

// bareScript is what a bare handler serves: one call, the same way each time.
type bareScript struct {
	Redis string // host:port
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
	client := redis.NewClient(&redis.Options{Addr: script.Redis, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
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
	parts := make([][]string, len(s.Command))
	for i, argument := range s.Command {
		parts[i] = strings.Split(argument, unique)
	}
	var count atomic.Uint64
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		id := fmt.Sprintf("%022d", count.Add(1))
		command := make([]any, len(parts))
		for i := range parts {
			command[i] = parts[i][0]
			if len(parts[i]) > 1 {
				command[i] = strings.Join(parts[i], id)
			}
		}
		reply, err := client.Do(r.Context(), command...).Slice()
		if err != nil || len(reply) < 2 || reply[1] == "conflict" {
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

// spy makes a call at the API and watches what Redis is asked for it: the one script that names subject.
func spy(ctx context.Context, server *redisServer, r *http.Request, subject string) (spied, error) {
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
	s := spied{Header: answer.Header, Body: string(body), Status: answer.StatusCode}
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return spied{}, err
	}
	for seen.Scan() {
		_, words, _ := strings.Cut(seen.Text(), "] ")
		if command, err := monitored(words); err == nil && strings.EqualFold(command[0], "evalsha") && strings.Contains(words, subject) {
			s.Command = command
			return s, nil
		}
	}
	return spied{}, fmt.Errorf("nobody asked Redis about %s: %w", subject, errors.Join(seen.Err(), errMissing))
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

// vary marks each of some texts in a command, so that it differs from call to call.
func (s *spied) vary(texts ...string) {
	for _, text := range texts {
		for i := range s.Command {
			s.Command[i] = strings.ReplaceAll(s.Command[i], text, unique)
		}
	}
}
