package hosttest

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// renewed shows a cookie past half of its life many times at once. All are let in, one of them gets a new cookie, and both that and the former one
// are good from then on.
func renewed(t *testing.T, client *http.Client, h Host) {
	const atOnce = 8
	answers := make([]*http.Response, atOnce)
	var work sync.WaitGroup
	for i := range answers {
		work.Go(func() { answers[i] = h.withCookie(t, client, h.Tokens.Old) })
	}
	work.Wait()
	var fresh []*http.Cookie
	for _, resp := range answers {
		if resp == nil {
			continue // which was told of
		}
		got := resp.Cookies()
		said, apart := strings.Join(resp.Header["Cache-Control"], ", "), resp.Header.Get("CDN-Cache-Control")
		if fresh = append(fresh, got...); len(got) > 0 && (!strings.Contains(said, "private") || apart != "") {
			t.Errorf("a new cookie comes with Cache-Control %q, and %q for CDNs; want private for all", said, apart)
		}
	}
	if len(fresh) != 1 {
		t.Fatalf("%d requests got the cookies %v; want one of them one", atOnce, fresh)
	}
	c := fresh[0]
	if c.Name != "__Host-postern" || c.Value == h.Tokens.Old || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the new cookie is %v", c)
	}
	for name, token := range map[string]string{"the new": c.Value, "the former": h.Tokens.Old} {
		if resp := h.withCookie(t, client, token); resp != nil && len(resp.Cookies()) != 0 {
			t.Errorf("%s cookie is renewed at once: %v", name, resp.Cookies())
		}
	}
}

// withCookie sends a request that must be let in, and returns the answer, of which the body is gone; nil where there is none.
func (h Host) withCookie(t *testing.T, client *http.Client, token string) *http.Response {
	t.Helper()
	e := exchange{method: http.MethodGet, header: http.Header{"Cookie": {"__Host-postern=" + token}}}
	resp, err := client.Do(e.request(t, h))
	if err != nil {
		t.Error(err)
		return nil
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("with a cookie: status = %d, want 200", resp.StatusCode)
	}
	return resp
}
