package httpapi

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/postern-auth/postern/core"
)

// FuzzListQuery: what is accepted reads the same when it is written anew; what is refused gives nothing. A query
// that names a reference never lists everybody.
func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{"", "reference=a;b", "reference", "state=%zz", "expand%5B0%5D=custom", "expand[]=custom&after=usr_1",
		"max_results=5&sort=id&direction=desc", "request=%7B%22ip%22%3D%3E&user_type=all", "state=a&state=b", "state[]=a", "reference%5B0%5D=a", "&&=&", "prefix=ann&after=email.usr_1", "after=.", "after=.usr_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		in, custom, err := listQuery(query)
		if err != nil {
			if in != (core.ListUsers{}) || custom {
				t.Fatalf("listQuery(%q) = %+v with %v; a refusal returns nothing", query, in, err)
			}
			return
		}
		values, _ := url.ParseQuery(query)
		if values.Has("reference[]") && in.Reference == nil {
			t.Fatalf("listQuery(%q) lost the reference", query)
		}
		if values.Has("reference") && (in.Reference == nil || *in.Reference != values.Get("reference")) {
			t.Fatalf("listQuery(%q) lost the reference: %+v", query, in)
		}
		again, customAgain, err := listQuery(spell(in, custom))
		if (again.Reference == nil) != (in.Reference == nil) || in.Reference != nil && *again.Reference != *in.Reference {
			t.Fatalf("listQuery(%q) reads back with another reference", query)
		}
		again.Reference = in.Reference
		if err != nil || again != in || customAgain != custom {
			t.Errorf("listQuery(%q) = %+v, %t, which reads back as %+v, %t, %v", query, in, custom, again, customAgain, err)
		}
	})
}

// spell writes what to list as a query.
func spell(in core.ListUsers, custom bool) string {
	v := url.Values{"state": {string(in.State)}, "user_type": {string(in.Type)}, "after": {string(in.After)}, "sort": {string(in.Sort)}, "prefix": {in.Prefix}}
	if in.AfterBy != "" {
		v.Set("after", string(in.AfterBy)+"."+string(in.After))
	}
	if in.Reference != nil {
		v.Set("reference", *in.Reference)
	}
	if in.Limit != 0 {
		v.Set("max_results", strconv.Itoa(in.Limit))
	}
	if in.Descending {
		v.Set("direction", "desc")
	}
	if custom {
		v.Set("expand[0]", "custom")
	}
	return v.Encode()
}
