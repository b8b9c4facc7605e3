package attack

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// The frames of HTTP/2 that are sent and looked at here (RFC 9113 §6), and their flags.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway, frameContinuation = 0, 1, 3, 4, 7, 9

	endStream, endHeaders = 1, 4
)

// frame returns a frame of stream 1, or of the connection.
func frame(kind, flags byte, payload string) string {
	stream := uint32(1)
	if kind == frameSettings {
		stream = 0
	}
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(binary.BigEndian.AppendUint32(head, stream)) + payload
}

// fields encodes header fields, given in pairs, as they are: literals, without a table and without Huffman's code (RFC 7541 §6.2.2).
func fields(pairs ...string) string {
	var b strings.Builder
	for i, text := range pairs {
		if i%2 == 0 {
			b.WriteByte(0)
		}
		n := len(text)
		if n < 127 {
			b.WriteByte(byte(n))
		} else {
			b.WriteByte(127)
			for n -= 127; n >= 128; n >>= 7 {
				b.WriteByte(byte(n) | 128)
			}
			b.WriteByte(byte(n))
		}
		b.WriteString(text)
	}
	return b.String()
}

// overFrames sends frames after the preface of HTTP/2, and returns what the witness says that it saw, or nil.
func (h *host) overFrames(frames string) *seen {
	h.Helper()
	conn := h.dial(h.guard)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() {
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(frameSettings, 0, "")+frames)
	}()
	var body []byte
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, head); err != nil {
			return nil
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(conn, payload); err != nil {
			return nil
		}
		kind, flags := head[3], head[4]
		if kind == frameData {
			body = append(body, payload...)
		}
		if kind == frameReset || kind == frameGoAway {
			return nil
		}
		if (kind == frameData || kind == frameHeaders) && flags&endStream != 0 {
			saw := &seen{}
			if json.Unmarshal(body, saw) != nil || saw.Target == "" {
				return nil
			}
			return saw
		}
	}
}

// TestFrames sends requests over HTTP/2 that HTTP/1.1 could not carry, or would carry as another (RFC 9113 §8.2, §8.3, §10.3): what is malformed
// must not reach the witness, and whatever does must be one request, with one host, and true.
func TestFrames(t *testing.T) {
	each(t, func(h *host) {
		head := []string{":method", "GET", ":scheme", "http", ":authority", h.guard, ":path", "/open/frames", "x-postern-user-id", evil}
		with := func(more ...string) string {
			return frame(frameHeaders, endHeaders|endStream, fields(append(append([]string{}, head...), more...)...))
		}
		instead := func(name, value string) string {
			all := append([]string{}, head...)
			for i := 0; i < len(all); i += 2 {
				if all[i] == name {
					all[i+1] = value
				}
			}
			return frame(frameHeaders, endHeaders|endStream, fields(all...))
		}
		post := func(body string, more ...string) string {
			all := append([]string{":method", "POST", ":scheme", "http", ":authority", h.guard, ":path", "/open/frames"}, more...)
			return frame(frameHeaders, endHeaders, fields(all...)) + frame(frameData, endStream, body)
		}
		if saw := h.overFrames(with("x-plain", "1")); saw == nil || len(saw.lies()) > 0 {
			h.Fatalf("a plain request: the app saw %+v; want it to pass", saw)
		}
		if saw := h.overFrames(frame(frameHeaders, endStream, fields(head[:4]...)) + frame(frameContinuation, endHeaders, fields(head[4:]...))); saw == nil || len(saw.lies()) > 0 {
			h.Errorf("a request in two frames: the app saw %+v; want it to pass", saw)
		}
		malformed := map[string]string{
			"two paths":                with(":path", "/open/other"),
			"a path after a header":    frame(frameHeaders, endHeaders|endStream, fields(":method", "GET", ":scheme", "http", ":authority", h.guard, "x", "y", ":path", "/open/frames")),
			"no path":                  frame(frameHeaders, endHeaders|endStream, fields(":method", "GET", ":scheme", "http", ":authority", h.guard)),
			"no method":                frame(frameHeaders, endHeaders|endStream, fields(":scheme", "http", ":authority", h.guard, ":path", "/open/frames")),
			"an empty path":            instead(":path", ""),
			"a path without slash":     instead(":path", "open/frames"),
			"a path with a line":       instead(":path", "/open/frames HTTP/1.1\r\nX-Postern-User-Id: evil\r\n\r\n"),
			"a path with NUL":          instead(":path", "/open/frames\x00"),
			"a method with a blank":    instead(":method", "GET /open/hidden HTTP/1.1\r\nX: "),
			"a method with a line":     instead(":method", "GET\r\n"),
			"a host with a line":       instead(":authority", "x\r\nX-Postern-User-Id: evil"),
			"a host with a path":       instead(":authority", "x/y"),
			"a pseudo-header":          with(":path2", "/"),
			"a status":                 with(":status", "200"),
			"a name in capitals":       with("X-Upper", "1"),
			"a name with a colon":      with("x:y", "1"),
			"a name with a line":       with("x\r\nx-postern-user-id", evil),
			"a name with a blank":      with("x-postern-user-id ", evil),
			"an empty name":            with("", "x"),
			"a value with a line":      with("x", "1\r\nX-Postern-User-Id: evil"),
			"a value with LF":          with("x", "1\nX-Postern-User-Id: evil"),
			"a value with NUL":         with("x", "1\x00"),
			"Connection":               with("connection", "x-postern-user-id"),
			"Transfer-Encoding":        post("0\r\n\r\n"+hidden, "transfer-encoding", "chunked"),
			"Upgrade":                  with("connection", "upgrade", "upgrade", "websocket"),
			"Keep-Alive":               with("keep-alive", "1"),
			"TE":                       with("te", "gzip"),
			"a body that is too short": post("bo", "content-length", "4"),
			"a body that is too long":  post("body"+hidden, "content-length", "4"),
			"a signed length":          post("body", "content-length", "+4"),
			"CONNECT":                  frame(frameHeaders, endHeaders, fields(":method", "CONNECT", ":authority", "evil:80")),
			"a tunnel, of ann":         frame(frameHeaders, endHeaders, fields(":method", "CONNECT", ":authority", h.guard, "authorization", "Bearer "+h.users["ann"].token)) + frame(frameData, 0, hidden),
			"a WebSocket, to anywhere": frame(frameHeaders, endHeaders, fields(":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "http", ":authority", h.guard, ":path", "/open/frames")),
		}
		together(malformed, func(what, frames string) {
			if saw := h.overFrames(frames); saw != nil {
				h.Errorf("%s: the app saw %+v; want a refusal", what, saw)
			}
		})
		odd := map[string]string{
			"two lengths":           post("body", "content-length", "4", "content-length", "0"),
			"a path with a blank":   instead(":path", "/open/frames x"),
			"another host beside":   with("host", "evil.example"),
			"a cookie in pieces":    with("cookie", "a=b", "cookie", "__Host-postern="+evil, "cookie", "c=d"),
			"a path elsewhere":      instead(":path", "http://evil/open/frames"),
			"a path with two":       instead(":path", "//evil/open/frames"),
			"a scheme of TLS":       instead(":scheme", "https"),
			"a scheme that is none": instead(":scheme", "x://y?"),
			"an empty host":         instead(":authority", ""),
			"a user in the host":    instead(":authority", "a@evil"),
		}
		together(odd, func(what, frames string) {
			if saw := h.overFrames(frames); saw != nil && (len(saw.lies()) > 0 || len(saw.get("Host")) != 1 || strings.Contains(strings.Join(saw.get("Cookie"), ";"), evil)) {
				h.Errorf("%s: the app saw %+v", what, saw)
			}
		})
		if h.witness.heard("hidden") {
			h.Error("the app was asked for what stood in a body, or in a name")
		}
		h.witness.mu.Lock()
		defer h.witness.mu.Unlock()
		for _, complaint := range h.witness.complaints {
			h.Errorf("the app was sent %s", complaint)
		}
	})
}
