package main_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestImportOnATerminal has the progress bar drawn, and what is said about users in lines of their own.
func TestImportOnATerminal(t *testing.T) {
	facts := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data")).facts(t)
	var users strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&users, `{"username":"kim-%d"}`+"\n", i/2) // every second one has a name that is taken
	}
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte(users.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, theirs := terminal(t)
	c := command(t, "import", "--api", facts.APIURL, file)
	c.Env = append(os.Environ(), "POSTERN_MANAGEMENT_KEY="+*facts.ManagementKey)
	c.Stderr = theirs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close() // so that ours ends with the command
	said, _ := io.ReadAll(ours)
	if err := c.Wait(); err == nil {
		t.Error("an import of which some failed ends with 0; want 1")
	}
	if !strings.Contains(string(said), "importing ") {
		t.Errorf("no progress bar in %q", said)
	}
	for line := range strings.Lines(string(said)) {
		at := strings.Index(line, "user ")
		if at > 0 && !strings.HasSuffix(line[:at], "\x1b[K") {
			t.Fatalf("what is said of a user stands behind the progress bar: %q", line)
		}
	}
}

// terminal opens a pair of terminals: what is written to theirs is read from ours.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
