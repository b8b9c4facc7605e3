package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// The variables that make this test binary a second process: what it is to do, and with which file.
const (
	roleVariable = "POSTERN_TEST_ROLE"
	pathVariable = "POSTERN_TEST_PATH"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "hold":
		hold(os.Getenv(pathVariable))
	case "write":
		write(os.Getenv(pathVariable))
	}
}

// hold keeps the file open until its standard input ends.
func hold(path string) {
	s := mustOpen(path)
	defer s.Close()
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

const childWriters = 8

// write writes until it is killed, and says what was acknowledged.
func write(path string) {
	s := mustOpen(path)
	var running sync.WaitGroup
	for w := range childWriters {
		running.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if _, err := s.Apply(context.Background(), childTransaction(id)); err != nil {
					panic(err)
				}
				fmt.Println(id) // one system call: it is told or it is not
			}
		})
	}
	running.Wait()
}

// childTransaction touches everything that must not be torn.
func childTransaction(id string) *core.Transaction {
	return &core.Transaction{
		ID:      id,
		Now:     time.Now(),
		Require: []core.Precondition{{Name: id}},
		Put:     []core.Put{{Name: id, Value: []byte(id), Expires: time.Now().Add(time.Hour)}},
		Index:   []core.IndexChange{{Index: "all", Member: id}},
		Append:  []core.Append{{Log: "all", Data: []byte(id), Keep: 1 << 20}},
	}
}

func mustOpen(path string) *boltstore.Store {
	s, err := boltstore.Open(boltstore.Options{Path: path})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return s
}

// child starts this binary as a second process, and returns what it prints.
func child(t *testing.T, role, path string) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, pathVariable+"="+path)
	cmd.Stderr = os.Stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() }) // so that it is said that it hangs
	t.Cleanup(func() { late.Stop(); _ = cmd.Process.Kill() })
	return cmd, stdin, bufio.NewScanner(stdout)
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	cmd, stdin, lines := child(t, "hold", path)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the other process says %q; want it to open the file", lines.Text())
	}
	start := time.Now()
	s, err := boltstore.Open(boltstore.Options{Path: path, LockTimeout: 20 * time.Millisecond})
	if s != nil || !errors.Is(err, boltstore.ErrInUse) || time.Since(start) > 10*time.Second {
		t.Errorf("Open = %v after %v; want ErrInUse soon", err, time.Since(start))
	}
	for _, words := range []string{path, "another Postern process", "Redis"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("Open = %q; want it to say %q", err, words)
		}
	}
	if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
		t.Errorf("the other process ended with %v", err)
	}
	open(t, path)
}

// TestKill kills a process in the middle of its writes, several times over one file. Whatever it was told is done must be there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	var acknowledged []string
	for range 4 {
		before := len(acknowledged)
		cmd, _, lines := child(t, "write", path)
		for lines.Scan() {
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == before+150 {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // it was killed
		if len(acknowledged) < before+150 {
			t.Fatalf("the writer ended by itself: %q", acknowledged[before:])
		}
	}
	s := open(t, path)
	checkAcknowledged(t, s, acknowledged)
	checkUntorn(t, s)
}

// checkAcknowledged checks that the record of each id is there, and that its operation is known to be done.
func checkAcknowledged(t *testing.T, s *boltstore.Store, ids []string) {
	for _, id := range ids {
		records, err := s.Get(t.Context(), core.Key{Name: id})
		if err != nil || string(records[0].Value) != id {
			t.Fatalf("Get(%s) = %+v, %v; want what was acknowledged", id, records, err)
		}
	}
	last := ids[len(ids)-1]
	if out, err := s.Apply(t.Context(), childTransaction(last)); err != nil || !out.Repeated {
		t.Errorf("Apply(%s) = %+v, %v; want it known to be done", last, out, err)
	}
}

// checkUntorn checks that records, index and log tell the same story.
func checkUntorn(t *testing.T, s *boltstore.Store) {
	inLog := map[string]bool{}
	for at := (core.LogPosition{Log: core.Log{Name: "all"}}); ; {
		feeds, err := s.Tail(t.Context(), []core.LogPosition{at}, 0)
		if err != nil || feeds[0].Gap {
			t.Fatalf("Tail(after %v) = %+v, %v; want the whole log", at.After, feeds, err)
		}
		if len(feeds[0].Entries) == 0 {
			break
		}
		for _, e := range feeds[0].Entries {
			inLog[string(e.Data)] = true
		}
		at.After = feeds[0].Next
	}
	inIndex := 0
	for from := ""; ; {
		members, err := s.Range(t.Context(), core.Range{Index: core.Index{Name: "all"}, From: from, Limit: core.MaxRange})
		if err != nil {
			t.Fatalf("Range = %v; want members", err)
		}
		for _, m := range members {
			if inIndex++; !inLog[m] {
				t.Errorf("%s is in the index and not in the log", m)
			}
		}
		if len(members) < core.MaxRange {
			break
		}
		from = members[len(members)-1] + "\x00"
	}
	if inIndex != len(inLog) {
		t.Errorf("the index has %d members, the log %d entries; want as many", inIndex, len(inLog))
	}
}
