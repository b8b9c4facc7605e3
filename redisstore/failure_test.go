package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// serverError is an error that a server told.
type serverError string

func (e serverError) Error() string { return string(e) }
func (serverError) RedisError()     {}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		err  error
		want verdict
	}{
		{io.EOF, lost},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, lost},
		{context.DeadlineExceeded, lost},
		{errShifted, lost},
		{&unconfirmed{"0 of 1 replicas have it"}, lost},
		{&dialError{&net.OpError{Op: "dial", Err: errors.New("connection refused")}}, retry},
		{fmt.Errorf("pool: %w", &dialError{io.EOF}), retry},
		{redis.ErrPoolTimeout, refused},
		{redis.ErrClosed, refused},
		{serverError("LOADING Redis is loading the dataset in memory"), refused},
		{serverError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), refused},
		{serverError("CLUSTERDOWN The cluster is down"), refused},
		{serverError("NOREPLICAS Not enough good replicas to write. script: 2b, on @user_script:36."), refused},
		{serverError("OOM command not allowed when used memory > 'maxmemory'. script: 2b, on @user_script:36."), refused},
		{serverError("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), refused},
		{serverError("ERR max number of clients reached"), refused},
		{serverError("WRONGPASS invalid username-password pair or user is disabled."), refused},
		{serverError("NOPERM User postern has no permissions to run the 'evalsha' command"), refused},
		{fmt.Errorf("failed to authenticate: %w", serverError("WRONGPASS invalid username-password pair")), refused},
		{serverError("READONLY You can't write against a read only replica. script: 2b, on @user_script:36."), retry},
		{serverError("TRYAGAIN Multiple keys request during rehashing of slot"), retry},
		{serverError("NOSCRIPT No matching script. Please use EVAL."), retry},
		{serverError("ERR Error running script (call to f_2b): @user_script:36: @user_script: 36: -READONLY You can't write against a read only replica."), retry},
		{serverError("ERR Error running script (call to f_2b): @user_script:36: @user_script: 36: -OOM command not allowed when used memory > 'maxmemory'."), refused},
		{serverError("WRONGTYPE Operation against a key holding the wrong kind of value"), broken},
		{serverError("ERR unknown command 'EVALSHA'"), broken},
		{serverError("ERR user_script:3: -1 is not a number"), broken},
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("judge(%v) = %d; want %d", c.err, got, c.want)
		}
	}
}

func TestFailure(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	read, write := action{name: "get"}, action{name: "apply", write: true}
	all := []error{core.ErrUnavailable, core.ErrOutcomeUnknown, context.Canceled, core.ErrStoreFull}
	full := serverError("MISCONF Errors writing to the AOF file: No space left on device")
	for _, c := range []struct {
		what string
		err  error
		want []error
	}{
		{"read that was lost", failure(t.Context(), read, lost, io.EOF), all[:1]},
		{"read that was refused", failure(t.Context(), read, refused, io.EOF), all[:1]},
		{"read whose caller left", failure(ended, read, lost, io.EOF), all[2:3]},
		{"read of a full disk", failure(t.Context(), read, refused, full), []error{core.ErrUnavailable, core.ErrStoreFull}},
		{"write that was lost", failure(t.Context(), write, lost, io.EOF), all[1:2]},
		{"write that was refused", failure(t.Context(), write, refused, io.EOF), all[:1]},
		{"write that was lost and whose caller left", failure(ended, write, lost, io.EOF), all[1:3]},
		{"write that was refused and whose caller left", failure(ended, write, refused, io.EOF), all[2:3]},
		{"write on a broken database", failure(t.Context(), write, broken, io.EOF), nil},
	} {
		for _, known := range all {
			want := false
			for _, w := range c.want {
				want = want || w == known
			}
			if got := errors.Is(c.err, known); got != want {
				t.Errorf("%s: errors.Is(%v, %v) = %t; want %t", c.what, c.err, known, got, want)
			}
		}
	}
}
