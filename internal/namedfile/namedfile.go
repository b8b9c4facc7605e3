// Package namedfile reads the configuration of a server and the files that it names. Whoever configures a server may name another one by mistake.
package namedfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// limit bounds a file, in bytes. The certificates of all authorities that a system trusts come to a quarter of a million.
const limit = 4 << 20

// patience is for how long a pipe, or a terminal, may say nothing more.
const patience = time.Minute

// errSilent says that there is a pipe, and nothing in it.
var errSilent = errors.New("it is a pipe that nobody writes to")

// Read returns what is in a file. It fails for one of more than 4 MiB, or without an end, such as /dev/zero, and for a pipe that nobody writes to, or not
// within a minute: a server that waited for it could not be stopped.
func Read(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // or a pipe is waited for that nobody has opened to write
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	_ = f.SetReadDeadline(time.Now().Add(patience)) // which other files have none of
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if len(text) > limit {
		return nil, fmt.Errorf("read %s: it has more than %d MiB, and so is another file than the one that is meant", file, limit>>20)
	}
	if len(text) == 0 && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, fmt.Errorf("read %s: %w", file, errSilent)
	}
	return text, nil
}
