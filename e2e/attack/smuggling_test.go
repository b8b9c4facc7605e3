package attack

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hidden is a request inside what should be the body of another. Whoever sees it has lost count.
const hidden = "GET /open/hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"

// together runs a test for each of several inputs, some at once.
func together(all map[string]string, test func(what, text string)) {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, 16)
	for what, text := range all {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			test(what, text)
		})
	}
}

// TestSmuggling frames bodies in ways that two servers may read differently. The witness, whose parser forgives nothing, must see none of
// that, and never the request inside.
func TestSmuggling(t *testing.T) {
	each(t, func(h *host) {
		head := "POST /open/page HTTP/1.1\r\nHost: " + h.guard + "\r\n" + bearer(h.users["ann"].token) + "\r\n"
		chunks := "4\r\nbody\r\n0\r\n\r\n"
		n := len(hidden)
		together(map[string]string{
			"CL and TE":                 head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"TE and CL":                 head + "Transfer-Encoding: chunked\r\nContent-Length: " + fmt.Sprint(5+n) + "\r\n\r\n0\r\n\r\n",
			"two lengths":               head + "Content-Length: 0\r\nContent-Length: " + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"the same length twice":     head + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
			"a list of lengths":         head + "Content-Length: 0, " + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"a signed length":           head + "Content-Length: +" + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"a negative length":         head + "Content-Length: -1\r\n\r\n" + hidden,
			"a hexadecimal length":      head + "Content-Length: 0x10\r\n\r\n" + hidden,
			"a length with a blank":     head + "Content-Length: 0 \r\n\r\n",
			"a length before a colon":   head + "Content-Length : " + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"a length that is too long": head + "Content-Length: 99999999999999999999\r\n\r\n" + hidden,
			"an empty length":           head + "Content-Length: \r\n\r\n" + hidden,
			"TE with a blank":           head + "Transfer-Encoding : chunked\r\n\r\n" + chunks + hidden,
			"TE xchunked":               head + "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nbody",
			"TE identity":               head + "Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody",
			"TE chunked twice":          head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + hidden,
			"TE chunked, chunked":       head + "Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks + hidden,
			"TE identity, chunked":      head + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunks + hidden,
			"TE gzip, chunked":          head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks + hidden,
			"TE chunked, identity":      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunks + hidden,
			"TE with a tab":             head + "Transfer-Encoding:\tchunked\r\n\r\n" + chunks,
			"TE with a vertical tab":    head + "Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks + hidden,
			"TE in quotes":              head + "Transfer-Encoding: \"chunked\"\r\n\r\n" + chunks + hidden,
			"TE Chunked":                head + "Transfer-Encoding: CHUNKED\r\n\r\n" + chunks,
			"TE folded":                 head + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks,
			"TE under another name":     head + "Transfer_Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody",
			"TE in HTTP/1.0":            strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n" + chunks + hidden,
			"a bare LF in headers":      strings.ReplaceAll(head, "\r\n", "\n") + "Content-Length: 4\n\nbody",
			"a bare CR in headers":      head + "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody",
			"a NUL in headers":          head + "X: a\x00b\r\nContent-Length: 4\r\n\r\nbody",
			"a folded header":           head + "X: a\r\n\tX-Postern-User-Id: evil\r\nContent-Length: 4\r\n\r\nbody",
			"a header without colon":    head + "X\r\nContent-Length: 4\r\n\r\nbody",
			"a header without name":     head + ": x\r\nContent-Length: 4\r\n\r\nbody",
			"a blank before a header":   "POST /open/page HTTP/1.1\r\n X-Postern-User-Id: evil\r\nHost: " + h.guard + "\r\nContent-Length: 4\r\n\r\nbody",
			"an extension":              head + "Transfer-Encoding: chunked\r\n\r\n4;ext=\"\r\n\"\r\nbody\r\n0\r\n\r\n",
			"a plain extension":         head + "Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0;c\r\n\r\n",
			"an extension with LF":      head + "Transfer-Encoding: chunked\r\n\r\n4;a\nbody\r\n0\r\n\r\n" + hidden,
			"chunk sizes with LF":       head + "Transfer-Encoding: chunked\r\n\r\n4\nbody\n0\n\n" + hidden,
			"a chunk of 0x":             head + "Transfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n" + hidden,
			"a signed chunk":            head + "Transfer-Encoding: chunked\r\n\r\n+4\r\nbody\r\n0\r\n\r\n" + hidden,
			"a chunk of many digits":    head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 40) + "4\r\nbody\r\n0\r\n\r\n",
			"a chunk that overflows":    head + "Transfer-Encoding: chunked\r\n\r\n10000000000000004\r\nbody\r\n0\r\n\r\n" + hidden,
			"a chunk too long":          head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbodyX\r\n0\r\n\r\n" + hidden,
			"a chunk too short":         head + "Transfer-Encoding: chunked\r\n\r\n6\r\nbody\r\n0\r\n\r\n" + hidden,
			"no last chunk":             head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n" + hidden,
			"a body of GET":             strings.Replace(head, "POST", "GET", 1) + "Content-Length: " + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"a body of a refused POST":  strings.Replace(head, "/open/page", "/admin/x", 1) + "Content-Length: " + fmt.Sprint(n) + "\r\n\r\n" + hidden,
			"chunks of a refused POST":  strings.Replace(head, "/open/page", "/admin/x", 1) + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, hidden),
			"two hosts":                 head + "Host: evil\r\nContent-Length: 4\r\n\r\nbody",
			"no host":                   "GET /open/page HTTP/1.1\r\n\r\n",
			"a host with a path":        "GET /open/page HTTP/1.1\r\nHost: a/b\r\n\r\n",
			"HTTP/1.2":                  strings.Replace(head, "HTTP/1.1", "HTTP/1.2", 1) + "\r\n",
			"HTTP/0.9":                  "GET /open/hidden\r\n\r\n",
			"PRI":                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		}, func(what, text string) {
			for i, a := range h.rawAll(h.guard, text) {
				if i > 0 && a.status < 400 {
					h.Errorf("%s: answer %d is %d, %+v; want nobody to find a request in that", what, i, a.status, a.saw)
				}
				if a.saw != nil && slices.ContainsFunc(a.saw.Headers, func(field [2]string) bool { return foldsToOurs(field[0]) && field[1] == evil }) {
					h.Errorf("%s: the app saw %q", what, a.saw.Headers)
				}
			}
		})
		h.witness.mu.Lock()
		defer h.witness.mu.Unlock()
		for _, complaint := range h.witness.complaints {
			h.Errorf("the app was sent %s", complaint)
		}
	})
}

// unread is what stands in a body that the app does not read.
const unread = "GET /open/unread HTTP/1.1\r\nHost: hidden\r\n\r\n"

// TestBodyLeftUnread has the app answer before it has read the body. What is left of the body is no request.
func TestBodyLeftUnread(t *testing.T) {
	each(t, func(h *host) {
		cases := map[string]string{}
		for _, size := range []int{1 << 10, 200 << 10, 300 << 10, 8 << 20} {
			for _, framing := range []string{"length", "chunks", "broken chunks"} {
				filler := strings.Repeat(unread, size/len(unread)+1)
				text := "POST /open/hasty HTTP/1.1\r\nHost: " + h.guard + "\r\n"
				switch framing {
				case "length":
					text += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(filler), filler)
				case "chunks":
					text += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(filler), filler)
				default:
					text += "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n!\r\n" + filler
				}
				cases[fmt.Sprintf("%d bytes in %s", size, framing)] = text
			}
		}
		together(cases, func(what, text string) {
			if all := h.rawAll(h.guard, text); len(all) > 1 {
				h.Errorf("%s, dropped by the app: there is another answer, %d %+v; want the connection to end", what, all[1].status, all[1].saw)
			}
		})
		if h.witness.heard("/open/unread") {
			h.Error("the app was asked for what stood in a body")
		}
	})
}

// TestRefusedBody is refused before its body was read, and waits to be told to go on: the answer must not wait for the body.
func TestRefusedBody(t *testing.T) {
	each(t, func(h *host) {
		a := h.raw(h.guard, "POST /page HTTP/1.1\r\nHost: "+h.guard+"\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
		if a.status != 401 || !a.closed {
			h.Errorf("a refused body that was only announced = %d %v; want 401, and the connection to end", a.status, a.header)
		}
	})
}
