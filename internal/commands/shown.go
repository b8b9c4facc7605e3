package commands

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Shown is a credential that a command is told of. On a command line other users of the machine can read it, and a shell remembers it:
// so "-" has it read from standard input.
type Shown struct{ text string }

// Flag makes it one of some flags.
func (s *Shown) Flag(flags *pflag.FlagSet) {
	flags.StringVar(&s.text, "token", "", "the session token or API key that the request shows; - reads it from standard input")
}

// Read returns the credential, "" where there is none.
func (s *Shown) Read(c *cobra.Command) (string, error) {
	if s.text != "-" {
		return s.text, nil
	}
	return firstLine(c, "a token")
}

// maxTyped is how many bytes of standard input are read for a line: more than any password or token may have.
const maxTyped = 64 << 10

// firstLine returns the first line of standard input, which must say what is needed.
func firstLine(c *cobra.Command, needed string) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), maxTyped)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New(needed + " is needed, as the first line of standard input")
	}
	return line, nil
}
