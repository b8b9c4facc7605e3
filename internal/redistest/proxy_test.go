package redistest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
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

// TestProxyClosesMeanwhile closes a proxy while a connection through it is made: that goes too, or the proxy would wait for it.
func TestProxyClosesMeanwhile(t *testing.T) {
	p := NewProxy(t, &Server{})
	p.close()
	client, far := net.Pipe()
	p.track(client)
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read beyond a proxy that was closed = %v; want EOF", err)
	}
}
