package guard_test

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestQueryWithSpace shows queries as HTTP/2 and HTTP/3 may have them.
func TestQueryWithSpace(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/public"}}})
	for query, want := range map[string]int{"": 200, "a=b%20c+d": 200, "a HTTP/1.0": 400, " ": 400} {
		for _, path := range []string{"/", "/public"} {
			for _, major := range []int{2, 3} {
				r := request("GET", path, "Authorization", "Bearer good")
				r.ProtoMajor, r.URL.RawQuery = major, query
				for how, judge := range map[string]func(*http.Request) guard.Verdict{"Judge": g.Judge, "JudgePublic": g.JudgePublic} {
					v, got := judge(r), 200
					if v.Decision != guard.Allow {
						got = v.Refusal.Status
					}
					if got != want || got != 200 && !g.MustAnswer(r, v) {
						t.Errorf("%s of %s?%s over HTTP/%d = %d, by the guard itself: %t; want %d", how, path, query, major, got, g.MustAnswer(r, v), want)
					}
				}
			}
		}
	}
}
