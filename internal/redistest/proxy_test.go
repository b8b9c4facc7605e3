package redistest

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	const stream = "+OK\r\n-ERR no\r\n:7\r\n$-1\r\n$5\r\na\r\nbc\r\n*-1\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n"
	want := []string{"+OK\r\n", "-ERR no\r\n", ":7\r\n", "$-1\r\n", "$5\r\na\r\nbc\r\n", "*-1\r\n", "*2\r\n*1\r\n:1\r\n$0\r\n\r\n"}
	r := bufio.NewReader(strings.NewReader(stream))
	for _, w := range want {
		got, err := readReply(r)
		if err != nil || string(got) != w {
			t.Errorf("readReply = %q, %v; want %q", got, err, w)
		}
	}
	if rest, err := readReply(r); err != io.EOF {
		t.Errorf("readReply at the end = %q, %v; want EOF", rest, err)
	}
}
