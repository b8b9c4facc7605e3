package httpapi_test

import (
	"fmt"
	"slices"
	"testing"
)

// TestShortLists walks lists that are short enough to be read whole, page by page and both ways, like any other.
func TestShortLists(t *testing.T) {
	each(t, func(w *world) {
		before := w.ids("GET /v1/app_hooks") // which a realm comes with
		for list, body := range map[string]string{
			"app_hooks":      `{"app_hook":{"hook_type":"webhook","destination":"https://example.com/%d"}}`,
			"login_policies": `{"login_policy":{"name":"policy %d"}}`,
		} {
			var want []string
			if list == "app_hooks" {
				want = before
			}
			for i := range 5 {
				made := w.want(w.manage("POST /v1/"+list, fmt.Sprintf(body, i)), 201, "")
				w.secret(made.field("secret"))
				want = append(want, made.field("id"))
			}
			slices.Sort(want)
			for _, direction := range []string{"asc", "desc"} {
				if got := w.pages("/v1/"+list+"?max_results=2&sort=id&direction="+direction, 2); !slices.Equal(got, want) {
					w.Errorf("pages of two of %s, %s = %q; want %q", list, direction, got, want)
				}
				slices.Reverse(want)
			}
			w.want(w.manage("GET /v1/"+list+"?sort=name", ""), 422, "Sort must be id")
			w.want(w.manage("GET /v1/"+list+"?max_results=0", ""), 422, "Max results must be from 1 to 1000")
			w.want(w.manage("GET /v1/"+list+"?after="+want[len(want)-1], ""), 200, `"collection":[]`)
		}
		w.want(w.manage("GET /v1/memberships?sort=user", ""), 422, "Sort must be id")
	})
}

// ids returns the ids in one page of a list.
func (w *world) ids(line string) []string {
	w.Helper()
	entries, _ := w.want(w.manage(line, ""), 200, "").json["collection"].([]any)
	var ids []string
	for _, e := range entries {
		id, _ := e.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// pages returns the ids in all pages of a list, each of which has at most n.
func (w *world) pages(path string, n int) []string {
	w.Helper()
	var all []string
	for line := "GET " + path; ; {
		page := w.ids(line)
		if len(page) > n {
			w.Errorf("%s has %d entries; want at most %d", line, len(page), n)
		}
		all = append(all, page...)
		if len(page) < n || len(all) > 100 {
			return all
		}
		line = "GET " + path + "&after=" + page[len(page)-1]
	}
}
