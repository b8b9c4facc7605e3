package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// TestNothingFollowsWhatIsFramedInTwoWays sends requests that a proxy in front may have cut out of the connection otherwise, and has another follow.
func TestNothingFollowsWhatIsFramedInTwoWays(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `basic_auth /basic/* {
		bob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.
	}
	postern_api /v1/*
	postern_pages
	postern_auth
	reverse_proxy APP
	handle_errors {
		reverse_proxy APP
	}`))
	hidden := "GET /hidden HTTP/1.1\r\nHost: " + w.site + "\r\nConnection: close\r\n\r\n"
	for _, path := range []string{"/", "/basic/", "/auth/sign-in", "/v1/users/me", "/v1/users"} {
		for _, token := range []string{"", p.tokens.Valid} {
			for name, rest := range map[string]string{
				"a length beside chunks": " HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
				"one that waits":         " HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
				"HTTP/1.0":               " HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
				"a trailer that is none": " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnone\r\n\r\n",
				"a long trailer":         " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + hidden[:len(hidden)-2] + "X-Long: " + strings.Repeat("a", 8<<10) + "\r\n\r\n",
			} {
				header := strings.Replace(rest, "\r\n", "\r\nHost: "+w.site+"\r\nAuthorization: Bearer "+token+"\r\nOrigin: http://"+w.site+"\r\nContent-Type: application/x-www-form-urlencoded\r\n", 1)
				status, followed := w.raw("POST "+path+header+hidden, true)
				more := strings.Count(followed, "HTTP/1.1 ")
				if status == http.StatusContinue { // of which the answer follows
					more--
				}
				if more > 0 {
					t.Errorf("%s, with a token: %t, %s: then came %.80q; want the connection closed", path, token != "", name, followed)
				}
			}
		}
	}
}
