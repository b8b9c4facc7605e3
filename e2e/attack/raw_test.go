package attack

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// answer is what came back.
type answer struct {
	status int // 0 where the connection was closed instead
	header http.Header
	closed bool // the connection ends with it
	body   string
	saw    *seen // nil where the witness was not reached
}

// patience is how long an answer, or a connection, is waited for on however busy a machine.
const patience = time.Minute

// dial connects to an address.
func (h *host) dial(address string) net.Conn {
	h.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	h.must(err)
	return conn
}

// raw sends bytes to an address as they are, and returns the first answer.
func (h *host) raw(address, text string) answer {
	h.Helper()
	conn := h.dial(address)
	defer conn.Close()
	return h.converse(conn, text, 1)[0]
}

// rawAll sends bytes to an address as they are, and returns all answers until the connection ends or nothing more comes.
func (h *host) rawAll(address, text string) []answer {
	h.Helper()
	conn := h.dial(address)
	defer conn.Close()
	if all := h.converse(conn, text, 100); all[0].status != 0 {
		return all
	}
	return nil
}

// converse sends bytes over a connection, and returns at most so many answers. Where there is none, the one that it returns is empty.
func (h *host) converse(conn net.Conn, text string, most int) []answer {
	h.Helper()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(conn, text) }()
	method, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), " ")
	in := bufio.NewReader(conn)
	var all []answer
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return append(all, make([]answer, max(0, 1-len(all)))...)
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		a := answer{status: resp.StatusCode, header: resp.Header, closed: resp.Close, body: string(body)}
		if saw := resp.Header.Get("X-Witness"); saw != "" {
			a.saw = &seen{}
			if json.Unmarshal([]byte(saw), a.saw) != nil { // it says more to OPTIONS alone, of which the body may be left out
				_ = json.Unmarshal(body, a.saw)
			}
		}
		all = append(all, a)
		if len(all) == most || resp.Close || resp.StatusCode == http.StatusSwitchingProtocols {
			return all
		}
		_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond)) // what else there is comes at once
	}
}

// get sends a GET to the guard, with header lines as they are.
func (h *host) get(path string, lines ...string) answer {
	h.Helper()
	return h.ask("GET", path, lines...)
}

// ask sends a request without a body to the guard, with header lines as they are.
func (h *host) ask(method, path string, lines ...string) answer {
	h.Helper()
	text := method + " " + path + " HTTP/1.1\r\nHost: " + h.guard + "\r\nConnection: close\r\n"
	for _, line := range lines {
		if strings.HasPrefix(strings.ToLower(line), "connection:") {
			text = strings.Replace(text, "Connection: close\r\n", "", 1)
		}
		text += line + "\r\n"
	}
	return h.raw(h.guard, text+"\r\n")
}

// bearer is the header line of a token.
func bearer(token string) string { return "Authorization: Bearer " + token }
