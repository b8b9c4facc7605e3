package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi"
)

// TestOddNames asks each route for things by names that no thing has, and for the pages of lists behind such: a store takes no such key, and
// that is nobody's failure but the caller's.
func TestOddNames(t *testing.T) {
	w := newWorld(t)
	ann := string(w.human("ann").ID)
	inBraces := regexp.MustCompile(`\{[a-z]+\}`)
	for _, odd := range []string{" ", "\x00", "{}", "é", "\xff", "..", "a b", strings.Repeat("x", 3000), "usr_" + strings.Repeat("{", 22), "1e400", "-1"} {
		for _, route := range httpapi.Routes() {
			method, path := route[0], route[1]
			named := inBraces.ReplaceAllLiteralString(path, url.PathEscape(odd))
			if named == path && (method != http.MethodGet || !strings.HasSuffix(path, "s") || path == "/v1/docs") { // a list has many things
				continue
			}
			query := ""
			if method == http.MethodGet {
				query = "?" + url.Values{"after": {odd}, "user_id": {odd}, "org_id": {odd}, "max_results": {odd}, "reference": {odd}}.Encode()
			}
			if a := w.manage(method+" "+named+query, "{}"); a.StatusCode >= 500 {
				w.Errorf("%s %s with %.20q = %d %s; want a refusal", method, path, odd, a.StatusCode, a.text)
			}
		}
		name, err := json.Marshal(odd)
		w.must(err)
		for _, call := range []struct{ line, body string }{
			{"POST /v1/credentials", `{"credential":{"credential_type":"totp","name":"phone","user_id":NAME}}`},
			{"POST /v1/sessions", `{"session":{"user_id":NAME}}`},
			{"POST /v1/memberships", `{"membership":{"user_id":NAME}}`},
			{"POST /v1/memberships", `{"membership":{"user_id":"` + ann + `","org_id":NAME}}`},
			{"POST /v1/users", `{"user":{"user_type":"api","org_ids":[NAME]}}`},
			{"POST /v1/users", `{"realm_id":NAME,"user":{"user_type":"api"}}`},
			{"POST /v1/management_keys", `{"management_key":{"name":"a","permissions":["read"],"realm_id":NAME}}`},
		} {
			if a := w.do(call.line, w.asManager(), strings.ReplaceAll(call.body, "NAME", string(name))); a.StatusCode < 400 || a.StatusCode >= 500 {
				w.Errorf("%s %s with %.20q = %d %s; want a refusal", call.line, call.body, odd, a.StatusCode, a.text)
			}
		}
	}
}
