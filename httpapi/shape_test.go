package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// check holds an answer to what clients of its family cannot do without. Every answer of every test goes through
// it.
func (w *world) check(what, method string, a *answer) {
	w.Helper()
	complain := func(bad bool, text string) {
		w.Helper()
		if bad {
			w.Errorf("%s: %s: %d %v %s", what, text, a.StatusCode, a.Header, a.text)
		}
	}
	complain(a.Header.Get("X-Request-Id") == "", "no request id")
	complain(a.Header.Get("Cache-Control") != "no-store", "may be stored")
	complain(a.Header.Get("X-Content-Type-Options") != "nosniff", "may be sniffed")
	complain(a.Header.Get("Vary") != "Accept, Content-Type, Origin", "Vary does not say by what it differs")
	complain(a.StatusCode >= 300 && a.StatusCode < 400 && a.StatusCode != http.StatusNotModified, "a redirect, which no client follows")
	complain((a.StatusCode == http.StatusUnauthorized) != (a.Header.Get("WWW-Authenticate") != ""), "WWW-Authenticate goes with 401")
	complain((a.StatusCode == http.StatusMethodNotAllowed) != (a.Header.Get("Allow") != ""), "Allow goes with 405")
	waits := a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusServiceUnavailable ||
		a.StatusCode == http.StatusConflict && strings.Contains(a.text, "under way; ask again")
	complain(waits != (a.Header.Get("Retry-After") != ""), "Retry-After goes with 429, 503 and what is under way")

	if a.StatusCode == http.StatusNoContent || a.StatusCode == http.StatusNotModified {
		complain(a.text != "" || a.Header.Get("Content-Type") != "" || a.Header.Get("Content-Length") != "", "204 and 304 say more than nothing")
		return
	}
	if method == http.MethodHead {
		complain(a.text != "", "HEAD with a body")
		return
	}
	complain(a.json == nil, "the body is no JSON object")
	switch a.Header.Get("Content-Type") {
	case "application/vnd.api+json":
		complain(!isWorkAPI(a), "the Work-API SDK cannot stand this")
	case "application/json":
		complain(!isV1(a), "the Users API's clients cannot stand this")
	case "application/problem+json":
		complain(!isProblem(a), "this is no RFC 9457 problem")
	default:
		complain(true, "another media type")
	}
}

// isWorkAPI reports whether the Work-API SDK can stand an answer (Work-API, "What the SDK cannot stand").
func isWorkAPI(a *answer) bool {
	if a.StatusCode >= 400 {
		errs, ok := a.json["errors"].([]any)
		return ok && len(errs) > 0 && !slices.ContainsFunc(errs, func(e any) bool {
			one, _ := e.(map[string]any)
			code, _ := one["code"].(string)
			detail, _ := one["detail"].(string)
			return !strings.HasSuffix(code, "_error") || detail == ""
		})
	}
	data, _ := a.json["data"].(map[string]any)
	id, _ := data["id"].(string)
	attributes, ok := data["attributes"].(map[string]any)
	for name, value := range attributes {
		if !slices.Contains([]string{"id", "arbitrary_id", "created_at", "token", "integrations", "environment_guid"}, name) {
			return false
		}
		if seconds, number := value.(float64); name == "created_at" && value != nil && (!number || seconds != float64(int64(seconds))) {
			return false
		}
	}
	_, related := data["relationships"]
	return ok && id != "" && data["type"] == "user" && !related
}

// isV1 reports whether clients of the Users API can stand an answer (Users API, "Responses and what clients do with
// them").
func isV1(a *answer) bool {
	if a.StatusCode >= 400 {
		var body struct{ Errors map[string][]string }
		err := json.Unmarshal([]byte(a.text), &body)
		for _, sentences := range body.Errors {
			if len(sentences) == 0 || slices.Contains(sentences, "") {
				return false
			}
		}
		return err == nil && len(body.Errors) > 0 && len(a.json) == 1
	}
	for _, name := range []string{"errors", "data", "metadata"} {
		if _, there := a.json[name]; there {
			return false
		}
	}
	if _, list := a.json["collection"]; !list {
		return a.field("object") != ""
	}
	entries, ok := a.json["collection"].([]any)
	_, more := a.json["more_results"].(bool)
	return ok && more && !slices.ContainsFunc(entries, func(e any) bool {
		one, ok := e.(map[string]any)
		_, credentials := one["credentials"]
		return !ok || credentials
	})
}

// isProblem reports whether an answer is a problem (RFC 9457 §3.1).
func isProblem(a *answer) bool {
	status, _ := a.json["status"].(float64)
	return int(status) == a.StatusCode && a.field("title") != "" && a.field("detail") != "" && a.field("code") != ""
}
