package namedfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-auth/postern/internal/namedfile"
)

// TestRead reads files of every kind that somebody may name.
func TestRead(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	silent := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(silent, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := strings.Repeat("x", 4<<20)
	for _, tt := range []struct{ file, want, complaint string }{
		{write("plain", "text"), "text", ""},
		{write("empty", ""), "", ""},
		{write("whole", whole), whole, ""},
		{write("large", whole+"x"), "", "more than 4 MiB"},
		{"/dev/zero", "", "more than 4 MiB"},
		{silent, "", "nobody writes to"},
		{folder, "", "is a directory"},
		{filepath.Join(folder, "none"), "", "no such file"},
	} {
		text, err := namedfile.Read(tt.file)
		if string(text) != tt.want || (err == nil) != (tt.complaint == "") || err != nil && !strings.Contains(err.Error(), tt.complaint) {
			t.Errorf("Read(%q) = %d bytes, %v; want %d, and %q", tt.file, len(text), err, len(tt.want), tt.complaint)
		}
	}
}

// TestReadOfAPipe reads what somebody is writing yet, as in --config <(sops decrypt postern.yaml).
func TestReadOfAPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(file, os.O_RDWR, 0) // to open it for writing alone would wait for who reads
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20) // of which a pipe does not hold all: writing it waits for who reads
	written := make(chan error, 1)
	go func() {
		_, err := pipe.WriteString(long)
		written <- errors.Join(err, pipe.Close())
	}()
	text, err := namedfile.Read(file)
	if string(text) != long || err != nil {
		t.Errorf("Read = %d bytes, %v; want all %d that were written", len(text), err, len(long))
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}
