package guard_test

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestMethodIsNotOverridden sends what has some applications take another method than the one that is judged.
func TestMethodIsNotOverridden(t *testing.T) {
	open := []guard.Rule{{Paths: []string{"/open"}, Methods: []string{"GET", "POST"}, Public: true}, {Methods: []string{"DELETE"}, Policy: guard.Policy{Require: []string{"app:admin"}}}}
	anywhere := []guard.Rule{{Paths: []string{"/open"}, Public: true}}
	for _, tt := range []struct {
		name            string
		rules           []guard.Rule
		method, header  string
		value           string
		alone, inPublic int // what a guard answers, and one whose host found the path to be public
	}{
		{"a rule is for the other method", open, "POST", "X-Http-Method-Override", "DELETE", 400, 400},
		{"in the other header", open, "POST", "X-Http-Method", "delete", 400, 400},
		{"and in the third", open, "GET", "X-Method-Override", "PATCH", 400, 400},
		{"with nothing in it", open, "GET", "X-Method-Override", "", 400, 400},
		{"it is the same method", open, "POST", "X-Http-Method-Override", "post", 200, 200},
		{"no rule is about methods", anywhere, "POST", "X-Http-Method-Override", "DELETE", 200, 400},
	} {
		g := newWorld().guard(t, guard.Options{Settings: guard.Settings{Rules: tt.rules}})
		r := request(tt.method, "/open", tt.header, tt.value)
		for what, judged := range map[string]struct {
			guard.Verdict
			want int
		}{"Judge": {g.Judge(r), tt.alone}, "JudgePublic": {g.JudgePublic(r), tt.inPublic}} {
			got := http.StatusOK
			if judged.Decision != guard.Allow {
				got = judged.Refusal.Status
			}
			if got != judged.want {
				t.Errorf("%s: %s of %s with %s: %q = %d %s; want %d", tt.name, what, tt.method, tt.header, tt.value, got, judged.Refusal.Reason, judged.want)
			}
		}
	}
}
