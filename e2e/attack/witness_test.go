package attack

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// witness is the app behind a host. It reads HTTP/1.1 with a parser of its own, which forgives nothing: bare line feeds, folded lines,
// two lengths, lengths beside chunks, extensions of chunks and names that are no tokens are complaints about the host, since
// the next server might read them in another way. It answers with what it saw.
type witness struct {
	listener net.Listener

	mu         sync.Mutex
	complaints []string
	targets    []string // of all requests that came through
}

// hasty is in targets that the witness answers before it reads the body, which it then drops with the connection.
const hasty = "hasty"

// seen is what the witness saw of a request.
type seen struct {
	Method, Target string
	Headers        [][2]string
	Trailers       [][2]string
	Body           string
}

// get returns the values of a header, by its exact name in lower case.
func (s *seen) get(name string) []string {
	var values []string
	for _, h := range s.Headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

func (w *witness) address() string { return w.listener.Addr().String() }

// serve answers requests until the connection ends or one is not as it should be.
func (w *witness) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		s, err := readStrictly(in, func() { _, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n") })
		if err != nil {
			if err != io.ErrUnexpectedEOF && !isReset(err) { // a client that left
				w.complain("%v in %+v", err, s)
			}
			return
		}
		w.mu.Lock()
		w.targets = append(w.targets, s.Method+" "+s.Target)
		w.mu.Unlock()
		if up := s.get("Upgrade"); len(up) > 0 {
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nswitched to %s", up[0], up[0])
			return
		}
		if strings.Contains(s.Target, hasty) {
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		text, _ := json.Marshal(s)
		length, saw := strconv.Itoa(len(text)), "saw"
		if s.Method == "OPTIONS" {
			saw = string(text)
		}
		if s.Method == "HEAD" {
			text = nil
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Witness: %s\r\nContent-Length: %s\r\n\r\n%s", saw, length, text); err != nil {
			return
		}
	}
}

func isReset(err error) bool {
	_, is := err.(*net.OpError)
	return is
}

func (w *witness) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

// heard reports whether a request came through whose method and target hold a text.
func (w *witness) heard(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, target := range w.targets {
		if strings.Contains(target, text) {
			return true
		}
	}
	return false
}

var (
	requestLine = regexp.MustCompile(`^([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.1$`)
	headerLine  = regexp.MustCompile(`^([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]+): ?([^\x00-\x08\x0a-\x1f\x7f]*)$`)
	chunkLine   = regexp.MustCompile(`^[0-9a-f]{1,8}$`)
)

// readText reads so many bytes. Where a client leaves before the first, too, it is io.ErrUnexpectedEOF.
func readText(in *bufio.Reader, n uint64) (string, error) {
	text := make([]byte, n)
	read, err := io.ReadFull(in, text)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return string(text[:read]), err
}

// readLine reads a line that ends in CR LF, and nothing else.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	switch {
	case err == io.EOF:
		return line, io.ErrUnexpectedEOF
	case err != nil:
		return line, err
	case !strings.HasSuffix(line, "\r\n") || strings.Contains(line[:len(line)-2], "\r"):
		return line, fmt.Errorf("line end of %q", line)
	}
	return line[:len(line)-2], nil
}

// readFields reads headers or trailers.
func readFields(in *bufio.Reader) ([][2]string, error) {
	var fields [][2]string
	for {
		line, err := readLine(in)
		if err != nil || line == "" {
			return fields, err
		}
		parts := headerLine.FindStringSubmatch(line)
		if parts == nil {
			return fields, fmt.Errorf("header line %q", line)
		}
		fields = append(fields, [2]string{parts[1], parts[2]})
	}
}

// readStrictly reads a request; proceed is called where the client waits to be told to go on.
func readStrictly(in *bufio.Reader, proceed func()) (*seen, error) {
	s := &seen{}
	line, err := readLine(in)
	if err != nil {
		return s, err
	}
	parts := requestLine.FindStringSubmatch(line)
	if parts == nil {
		return s, fmt.Errorf("request line %q", line)
	}
	s.Method, s.Target = parts[1], parts[2]
	if s.Headers, err = readFields(in); err != nil {
		return s, err
	}
	if strings.Contains(s.Target, hasty) {
		return s, nil
	}
	lengths, codings := s.get("Content-Length"), s.get("Transfer-Encoding")
	if len(s.get("Expect")) > 0 {
		proceed()
	}
	switch {
	case len(s.get("Host")) != 1:
		return s, fmt.Errorf("%d hosts", len(s.get("Host")))
	case len(lengths)+len(codings) > 1:
		return s, fmt.Errorf("lengths %q beside codings %q", lengths, codings)
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != lengths[0] {
			return s, fmt.Errorf("length %q", lengths[0])
		}
		s.Body, err = readText(in, n)
		return s, err
	case len(codings) == 1 && codings[0] == "chunked":
		return s, s.readChunks(in)
	case len(codings) == 1:
		return s, fmt.Errorf("coding %q", codings[0])
	}
	return s, nil
}

func (s *seen) readChunks(in *bufio.Reader) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		if !chunkLine.MatchString(line) {
			return fmt.Errorf("chunk line %q", line)
		}
		n, _ := strconv.ParseUint(line, 16, 31)
		if n == 0 {
			s.Trailers, err = readFields(in)
			return err
		}
		chunk, err := readText(in, n)
		if err != nil {
			return err
		}
		s.Body += chunk
		switch end, err := readLine(in); {
		case err != nil:
			return err
		case end != "":
			return fmt.Errorf("end of chunk %q", end)
		}
	}
}

// TestWhoLeaves cuts requests off after each of their bytes, as a host does whose client has left: that is no reason to complain of the host.
func TestWhoLeaves(t *testing.T) {
	for _, whole := range []string{
		"POST /open/page HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody",
		"POST /open/page HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\n",
	} {
		for n := range len(whole) {
			if s, err := readStrictly(bufio.NewReader(strings.NewReader(whole[:n])), func() {}); err != io.ErrUnexpectedEOF {
				t.Errorf("%q = %+v, %v; want %v", whole[:n], s, err, io.ErrUnexpectedEOF)
			}
		}
		if s, err := readStrictly(bufio.NewReader(strings.NewReader(whole)), func() {}); err != nil || s.Body != "body" {
			t.Errorf("%q = %+v, %v; want the body", whole, s, err)
		}
	}
}
