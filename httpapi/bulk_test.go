package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

// bulk sends a call whose answer is lines, and returns them.
func (w *world) bulk(method, query string, realm core.RealmID, body io.Reader) (status int, lines []string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.ctx, method, w.server.URL+"/v1/bulk/users"+query, body)
	w.must(err)
	r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(realm)}, "Content-Type": {"application/x-ndjson"}}
	res, err := http.DefaultClient.Do(r)
	w.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	w.must(err)
	return res.StatusCode, strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
}

// people fills the default realm with users of every kind.
func (w *world) people() {
	w.human("ann")
	w.provided("acct-1")
	w.signIn("ann")
	for i := range 450 { // more than two pages
		custom := core.Custom{"n": json.RawMessage(fmt.Sprint(i)), "list": json.RawMessage(`["ä","<&>"]`)}
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr(fmt.Sprintf("robot-%d", i)), Name: ptr("Robot"),
			Reference: ptr("robots"), Custom: &custom}, core.Request{})
		w.must(err)
	}
	_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("moved"), Email: ptr("m@example.com"),
		EmailVerification: ptr(core.EmailRequested), State: ptr(core.StateInactive), FirstName: ptr("Mo"), LastName: ptr("Ved"),
		PasswordHash: ptr("$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK")}, core.Request{})
	w.must(err)
}

// TestBulkRoundTrip exports a realm, imports that into an empty one, and exports again: the same bytes.
func TestBulkRoundTrip(t *testing.T) {
	each(t, func(w *world) {
		w.people()
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "copy"}, core.Request{})
		w.must(err)
		status, exported := w.bulk("GET", "?password_hashes=true", w.realm.ID, nil)
		if status != 200 || len(exported) != 453 {
			t.Fatalf("export = %d with %d lines; want 453", status, len(exported))
		}
		whole := strings.Join(exported, "")
		imported := func(query string, created, exists int) {
			t.Helper()
			status, lines := w.bulk("POST", query, other.ID, strings.NewReader(whole))
			var sum wire.ImportSummary
			w.must(json.Unmarshal([]byte(lines[len(lines)-1]), &sum))
			if status != 200 || len(lines) != 454 || sum.Created != created || sum.Exists != exists || sum.Failed != 0 || sum.Object != "import" {
				t.Errorf("import%s = %d with %d lines, %+v; want %d created and %d there", query, status, len(lines), sum, created, exists)
			}
		}
		imported("?dry_run=true", 453, 0)
		if _, lines := w.bulk("GET", "", other.ID, nil); len(lines) != 1 || lines[0] != "" {
			t.Errorf("after a dry run there are %d users; want none", len(lines))
		}
		w.bulk("POST", "", other.ID, strings.NewReader(strings.Join(exported[:100], ""))) // interrupted
		imported("", 353, 100)
		imported("", 0, 453)
		_, again := w.bulk("GET", "?password_hashes=true", other.ID, nil)
		if strings.Join(again, "") != whole {
			t.Errorf("export of the import differs: %.300s\nwant %.300s", strings.Join(again, ""), whole)
		}
		for who, password := range map[string]string{"ann": goodPassword, "moved": "Z\u00fcrich-2024 tram"} {
			_, err := w.Users.Update(w.ctx, other.ID, who, core.UserChange{State: ptr(core.StateActive)}, core.Request{})
			w.must(err)
			if _, err := w.Passwords.Authenticate(w.ctx, other.ID, who, password, core.Request{}); err != nil {
				t.Errorf("Authenticate %s after the import = %v", who, err)
			}
		}
		_, bare := w.bulk("GET", "", w.realm.ID, nil)
		if text := strings.Join(bare, ""); strings.Contains(text, "argon2") || strings.Contains(text, `"password"`) {
			t.Error("an export that does not ask for passwords holds some")
		}
		_, rest := w.bulk("GET", "?after="+memberOf(t, exported[399], "id"), w.realm.ID, nil)
		if len(rest) != 53 {
			t.Errorf("export after the 400th has %d lines; want 53", len(rest))
		}
	})
}

// memberOf returns a text in a line.
func memberOf(t *testing.T, line, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	text, _ := object[name].(string)
	return text
}

// TestBulkQuery holds that a slip of the pen in the query of an import or export is no import and no export: a dry run that is passed over would
// be none.
func TestBulkQuery(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]struct {
		status int
		says   string
	}{
		"?dry_run=yes":                {422, `{"errors":{"dry_run":["Dry run must be true or false"]}}`},
		"?dryrun=true":                {422, `{"errors":{"dryrun":["Dryrun is not a parameter of this call"]}}`},
		"?dry_run[]=true":             {422, "is not a parameter of this call"},
		"?dry_run=true&dry_run=false": {422, `{"errors":{"dry_run":["Dry run must be given once"]}}`},
		"?dry_run=true;x=1":           {400, "The query could not be read"},
		"?dry_run=%zz":                {400, "The query could not be read"},
		"?dry_run=true&realm_id=" + string(w.realm.ID): {200, `"dry_run":true`},
		"?dry_run=": {200, `"dry_run":false`},
	} {
		status, lines := w.bulk("POST", query, w.realm.ID, strings.NewReader(`{"username":"ann"}`))
		if text := strings.Join(lines, ""); status != want.status || !strings.Contains(text, want.says) {
			t.Errorf("POST /v1/bulk/users%s = %d %s; want %d %s", query, status, text, want.status, want.says)
		}
		made := status == 200 && !strings.Contains(query, "true")
		if _, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); (err == nil) != made {
			t.Errorf("after POST /v1/bulk/users%s: Get ann = %v; want her made: %v", query, err, made)
		}
		if made {
			w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		}
	}
	for _, query := range []string{"?after=%zz", "?after=a&after=b", "?password_hash=true", "?password_hashes=1"} {
		if status, lines := w.bulk("GET", query, w.realm.ID, nil); status != 400 && status != 422 {
			t.Errorf("GET /v1/bulk/users%s = %d %s; want a refusal", query, status, lines)
		}
	}
}

// TestImportSaysWhatIsWrong goes through lines that cannot be imported, each of which stops no other. A dry run says the same, also of those
// whom only others in the file are in the way of. The file begins with a byte order mark, as some editors write it.
func TestImportSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	tests := []struct{ line, status, says string }{
		{`{"username":"bea","source":"old:1","created_at":1400000000}`, "created", ""},
		{`{"username":"bea-2","source":"old:1","created_at":1400000000}`, "exists", ""}, // the same id
		{`{"username":"bea-2","source":"old:2"}`, "created", ""},
		{`{"username":"Bea","source":"old:3"}`, "failed", "Username has already been taken"},
		{`{"object":"org","source":"old:acme","name":"Acme"}`, "created", ""},
		{`{"object":"org","source":"old:acme","name":"Acme"}`, "exists", ""},
		{`{"username":"ANN"}`, "failed", "Username has already been taken"},
		{`{"username":"cid","email":"ann@example.com"}`, "failed", "Email has already been taken"},
		{`{"username":"cid","id":"usr_1"}`, "failed", "Id must be usr_ and 22 letters and digits"},
		{`{"username":"cid","user_type":"cat"}`, "failed", "User type must be human or api"},
		{`{"username":"cid","password":"plain text"}`, "failed", "Password must be an object with a hash; a password itself is not imported"},
		{`{"username":"cid","password":{"hash":"$2b$31$x"}}`, "failed", "Password hash is of no known kind, or costs more than is allowed"},
		{`{"username":"cid","password":{"own":true,"hash":"{SHA}BpocEQeS+WdRKWtKps1ibailw+Y="}}`, "failed", "Password hash is of no known kind, or costs more than is allowed"},
		{`{"username":"cid","nickname":"C"}`, "failed", "Nickname is not an attribute that can be set here"},
		{`{"username":"cid","username":"dan"}`, "failed", "a name is there twice"},
		{`{"username":"cid"`, "failed", "it is not valid JSON"},
		{`{"username":"` + strings.Repeat("c", 600<<10) + `"}`, "failed", "the line is longer than 512 KiB"},
		{`{"id":"usr_0000000000000000000000","arbitrary_id":"acct-9"}`, "failed", "Id does not go with this arbitrary_id; leave it out"},
		{`{"arbitrary_id":"acct-9"}`, "created", ""},
		{`{"email":"dora@example.com","created_at":99999999999}`, "failed", "Created at must be a time that has been"},
		{`{"email":"dora@example.com"}`, "created", ""},
		{`{"username":"eli","email":"DORA@example.com"}`, "failed", "Email has already been taken"},
		{`{"source":"old:5","arbitrary_id":"acct-9"}`, "failed", "this arbitrary_id is taken in this environment"},
	}
	var body strings.Builder
	body.WriteString("\ufeff")
	for _, tt := range tests {
		body.WriteString(tt.line + "\r\n\n")
	}
	for _, query := range []string{"?dry_run=true", ""} {
		_, lines := w.bulk("POST", query, w.realm.ID, strings.NewReader(body.String()))
		if len(lines) != len(tests)+1 {
			t.Fatalf("the import%s answers %d lines; want %d: %q", query, len(lines), len(tests)+1, lines)
		}
		for i, tt := range tests {
			var got wire.ImportLine
			w.must(json.Unmarshal([]byte(lines[i]), &got))
			if got.Status != tt.status || got.Line != 2*i+1 || !strings.Contains(strings.Join(got.Errors, "; "), tt.says) {
				t.Errorf("import%s of %.100s = %+v; want line %d %s, %q", query, tt.line, got, 2*i+1, tt.status, tt.says)
			}
		}
	}
	if user, err := w.Users.Get(w.ctx, w.realm.ID, "dora@example.com"); err != nil || user.Username != "dora@example.com" {
		t.Errorf("a user who came without a username = %+v, %v; want the address as one", user, err)
	}
}

// TestImportGoesByTheOrderOfTheFile has the first of several users who want one name get it, though lines are carried out at once.
func TestImportGoesByTheOrderOfTheFile(t *testing.T) {
	w := newWorld(t)
	var body strings.Builder
	for i := range 10 {
		fmt.Fprintf(&body, `{"username":"kim","name":"%d"}`+"\n"+`{"username":"lee-%d","email":"Lee@example.com"}`+"\n"+`{"username":"lee@example.com","name":"%d"}`+"\n", i, i, i)
	}
	_, lines := w.bulk("POST", "", w.realm.ID, strings.NewReader(body.String()))
	for i, line := range lines[:30] {
		var got wire.ImportLine
		w.must(json.Unmarshal([]byte(line), &got))
		if want := map[bool]string{true: "created", false: "failed"}[i < 2]; got.Status != want {
			t.Errorf("line %d = %+v; want %s", i+1, got, want)
		}
	}
}

// TestImportOfOneMembershipForMany has the first of several users who bring one id for their memberships get it, though lines are
// carried out at once.
func TestImportOfOneMembershipForMany(t *testing.T) {
	w := newWorld(t)
	var body strings.Builder
	for i := range 20 {
		fmt.Fprintf(&body, `{"id":"usr_00000000000000000%03d00","username":"user-%d","memberships":[{"id":"mb_0000000000000000000000"}]}`+"\n", 100+i, i)
	}
	for _, first := range []string{"created", "exists"} {
		_, lines := w.bulk("POST", "", w.realm.ID, strings.NewReader(body.String()))
		for i, line := range lines[:20] {
			var got wire.ImportLine
			w.must(json.Unmarshal([]byte(line), &got))
			if i == 0 && got.Status != first {
				t.Errorf("line 1 = %+v; want %s", got, first)
			}
			if i > 0 && (got.Status != "failed" || strings.Join(got.Errors, "; ") != "Id of a membership has already been taken") {
				t.Errorf("line %d = %+v; want it failed, as the membership is taken", i+1, got)
			}
		}
	}
}

// TestBulkIsForManagers refuses everybody else.
func TestBulkIsForManagers(t *testing.T) {
	w := newWorld(t)
	writer := "Content-Type: application/x-ndjson\nX-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite)
	w.want(w.do("GET /v1/bulk/users", writer, ""), 403, "permission")
	w.want(w.do("POST /v1/bulk/users", writer, `{"username":"x"}`), 403, "permission")
	w.want(w.manage("GET /v1/bulk/users?password_hashes=yes", ""), 422, "must be true or false")
	w.want(w.manage("GET /v1/bulk/users?after=usr_9999999999999999999999", ""), 422, "")
}

// slowly is a store that takes its time once where it is told to.
type slowly struct {
	core.Store
	slow atomic.Bool
}

func (s *slowly) Range(ctx context.Context, r core.Range) ([]string, error) {
	if s.slow.Swap(false) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * readTimeout):
		}
	}
	return s.Store.Range(ctx, r)
}

// readTimeout is how long the server of TestBulkTakesItsTime reads a call, also on a busy machine.
const readTimeout = time.Second

// TestBulkTakesItsTime sends users more slowly than the server reads other calls, and has an export take longer than that.
func TestBulkTakesItsTime(t *testing.T) {
	store := &slowly{Store: teststore.Bolt(t)}
	w := newWorldOn(t, store)
	api, err := httpapi.New(httpapi.Options{Core: w.Core})
	w.must(err)
	w.server.Close()
	w.server = httptest.NewUnstartedServer(api)
	w.server.Config.ReadTimeout = readTimeout
	w.server.Start()
	read, write := io.Pipe()
	go func() {
		for _, name := range []string{"ann", "bob", "eve"} {
			_, _ = fmt.Fprintf(write, "{\"username\":%q}\n", name)
			time.Sleep(readTimeout)
		}
		write.Close()
	}()
	if _, lines := w.bulk("POST", "", w.realm.ID, read); len(lines) != 4 || !strings.Contains(lines[3], `"created":3`) {
		t.Errorf("an import that takes its time is answered %q; want three users made, and a summary", lines)
	}
	store.slow.Store(true)
	if _, lines := w.bulk("GET", "", w.realm.ID, nil); len(lines) != 3 {
		t.Errorf("an export that takes its time is %q; want all three users", lines)
	}
}

// TestImportLeftOff breaks an import off: that is the caller's doing, and no error that somebody has to look into.
func TestImportLeftOff(t *testing.T) {
	w := newWorld(t)
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	w.must(err)
	_, err = fmt.Fprintf(conn, "POST /v1/bulk/users HTTP/1.1\r\nHost: x\r\nX-Authrocket-Api-Key: %s\r\nX-Authrocket-Realm: %s\r\nContent-Length: 1000\r\n\r\n{\"username\":\"ann\"}\n", w.key, w.realm.ID)
	w.must(err)
	w.must(conn.Close())
	redistest.Eventually(t, "the import ends", func() bool { return w.logs.FilterMessage("the caller left off").Len() > 0 })
	if n := w.logs.FilterLevelExact(zap.ErrorLevel).Len(); n > 0 {
		t.Errorf("%d errors are logged of an import that the caller broke off: %v", n, w.logs.All())
	}
}
