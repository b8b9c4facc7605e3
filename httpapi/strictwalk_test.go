package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// unreadable are bodies, by media type, that decoders disagree about or that could be read in two ways, whatever a call is about.
var unreadable = map[string][]string{
	"application/json": {
		`hello`, ` `, `null`, `7`, `"user"`, `[{}]`, `{"a":1`, `{"a":1,}`, `{'a':1}`, `{"a":1}x`, `{"a":1} {}`, `{"a":NaN}`, `{"a":01}`, "\ufeff{}", "{\"a\":\"\x00\"}",
		`{"request":{},"request":{}}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":[{"c":1,"c":1}]}]}`,
		`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, strings.Repeat(`{"a":`, 17) + `1` + strings.Repeat("}", 17), strings.Repeat("[", 100_000),
		"{\"a\":\"\xff\"}", "{\"\xc0\xaf\":1}", "{\"a\":\"\xed\xa0\x80\"}", `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`, `{"a":["\udfff"]}`,
	},
	"application/vnd.api+json": {`hello`, `null`, `[]`, `{"data":{},"data":{}}`, `{"data":[]}`, `{"data":"x"}`, `{"data":{"attributes":7}}`, `{"data":{"attributes":{"a":1,"a":2}}}`},
	"application/x-www-form-urlencoded": {
		`a=1&a=2`, `a[b]=1&a[b]=2`, `a[b]=1&a%5Bb%5D=1`, `a=1&a[b]=2`, `a[b]=1&a=2`, `a[]=1&a=2`, `a[]=1&a[b]=2`, `a[b][]=1&a[b][c]=2`, `a[][b]=1`, `a[b`, `a]=1`, `[a]=1`, `a[b]c=1`, `a[[b]]=1`, `=1`,
		`a=%zz`, `%f=1`, `a=%ff`, `%c0%af=1`, `a` + strings.Repeat("[b]", 16) + `=1`,
	},
}

// odd are lines that read no body, or not as one object, and why.
var odd = map[string]string{
	"DELETE /v1/users/me":                          "ends the session that is shown, whatever is sent besides: who wants out gets out",
	"POST /v1/bulk/users":                          "a stream, whose lines TestImportSaysWhatIsWrong holds to it",
	"POST /v1/auth_providers/authorize":            "answers that it is not supported, whatever is sent",
	"POST /v1/auth_providers/{provider}/authorize": "likewise",
}

// linesWithBodies returns each line of the table that reads a body, for a thing that is there where the line is about one.
func (w *world) linesWithBodies() (lines []string) {
	ids := map[string]string{"/v1/notifications": "ent_0000000000000000000000"}
	for _, th := range w.things() {
		if ids[th.path] = th.id; th.id == "" {
			ids[th.path] = w.want(w.manage("POST "+th.path, th.create), 201, "").field("id")
		}
	}
	for _, route := range httpapi.Routes() {
		method, path := route[0], route[1]
		if method == http.MethodGet || odd[method+" "+path] != "" {
			continue
		}
		if folder, rest, about := strings.Cut(path, "/{"); about {
			_, rest, _ = strings.Cut(rest, "}")
			path = folder + "/" + ids[folder] + rest
		}
		lines = append(lines, method+" "+path)
	}
	return lines
}

// TestEveryCallIsStrict sends each call that reads a body what TestStrict sends one of them, in each media type: it is refused as unreadable, before
// anything is looked up, and nothing happens. So are bodies that are too large, coded or of another type.
func TestEveryCallIsStrict(t *testing.T) {
	w := newWorld(t)
	lines := w.linesWithBodies()
	if len(lines) < 50 {
		t.Errorf("%d calls read a body; want more than 50", len(lines))
	}
	newest := func() core.EventID {
		list, err := w.Events.List(w.ctx, w.realm.ID, core.ListEvents{Limit: 1})
		w.must(err)
		return list.Events[0].ID
	}
	before := newest()
	for _, line := range lines {
		refused := func(media, more, body string, status int) {
			if a := w.do(line, strings.Replace(w.asManager(), "application/json\nX", media+more+"\nX", 1), body); a.StatusCode != status {
				t.Errorf("%s of %s%s %.60q = %d %.200s; want %d", line, media, more, body, a.StatusCode, a.text, status)
			}
		}
		for media, bodies := range unreadable {
			for _, body := range bodies {
				refused(media, "", body, http.StatusBadRequest)
			}
			refused(media, "", strings.Repeat(" ", 128<<10+1), http.StatusRequestEntityTooLarge)
			refused(media, "\nContent-Encoding: gzip", `{}`, http.StatusUnsupportedMediaType)
		}
		for _, media := range []string{"multipart/form-data; boundary=x", "text/plain", "text/json", "application/xml", "application/jsonp"} {
			refused(media, "", `{}`, http.StatusUnsupportedMediaType)
		}
	}
	if after := newest(); after != before {
		t.Errorf("something happened: event %s; want none after %s", after, before)
	}
}

// TestRequestIsStrict sends each call that reads a body request attributes that are none, beside the object: each is refused by name, and nothing
// happens. A caller whose address is passed over would take limits for tighter than they are.
func TestRequestIsStrict(t *testing.T) {
	w := newWorld(t)
	about := map[string]string{"POST /v1/credentials": `"credential":{"user_id":"ann","credential_type":"recovery_codes"},`} // which looks at the user first
	for _, line := range w.linesWithBodies() {
		for sent, want := range map[string]string{
			`"{:ip=>1}"`: "Request must be an object", `7`: "Request must be an object", `["192.0.2.1"]`: "Request must be an object",
			`{"ip":7}`: "Ip must be a text", `{"client":["app"]}`: "Client must be a text", `{"device":{}}`: "Device must be a text", `{"IP":"192.0.2.1"}`: "IP is not an attribute",
		} {
			if a := w.manage(line, `{`+about[line]+`"request":`+sent+`}`); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, `"request":["`+want) {
				t.Errorf("%s with the request %s = %d %s; want 422 %q", line, sent, a.StatusCode, a.text, want)
			}
		}
	}
}
