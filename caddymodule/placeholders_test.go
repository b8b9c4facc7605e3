package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestPlaceholders holds {http.auth.user.*} and the user_id of access logs.
func TestPlaceholders(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `log
	postern_auth
	respond "{http.auth.user.id} {http.auth.user.username} {http.auth.user.email} {http.auth.user.user_type} {http.auth.user.realm} {http.auth.user.session} [{http.auth.user.arbitrary_id}] {http.auth.user.reference}"`))
	got := w.get("/", p.tokens.Valid)
	want := strings.Join([]string{string(p.ann.User.ID), "ann", "ann@example.com", "human", string(p.realm.ID), string(p.ann.Session.ID), "[]", "acct-ann"}, " ")
	if got.body != want {
		t.Errorf("placeholders = %q, want %q", got.body, want)
	}
	w.eventually("the access log has the user", func() bool {
		lines := slices.DeleteFunc(w.logged(`"user_id":"`+string(p.ann.User.ID)+`"`), func(line string) bool { return !strings.Contains(line, "http.log.access") }) // events may name her too
		return len(lines) == 1
	})
	if len(w.logged(p.tokens.Valid)) != 0 {
		t.Error("the log holds the token")
	}
}

// TestCandidate names who was known and refused, to the site's error routes and the access log alike.
func TestCandidate(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth {
		require app:read
	}
	reverse_proxy APP
	handle_errors 401 403 {
		respond "{http.auth.postern.error} [{http.auth.candidate.username}] [{http.auth.user.id}]"
	}`))
	if got := w.get("/", p.tokens.Valid); got.status != http.StatusForbidden || got.body != "missing_permission [ann] []" {
		t.Errorf("without the permission = %+v", got)
	}
	if got := w.get("/", ""); got.status != http.StatusUnauthorized || got.body != "no_credential [] []" {
		t.Errorf("nobody = %+v; want placeholders without a value, and not their names", got)
	}
}

// TestPlaceholdersOfOtherErrors have no value in error routes for what no guard refused: because the error comes before it, or after it let somebody in.
func TestPlaceholdersOfOtherErrors(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		error /before/* 503
		postern_auth
		error 503
	}
	handle_errors {
		respond "{http.auth.postern.error} {http.auth.postern.request_id} [{http.auth.candidate.id}] [{http.auth.user.username}]"
	}`))
	for path, want := range map[string]string{"/before/": "  [] []", "/after/": "  [] [ann]"} {
		if got := w.get(path, p.tokens.Valid); got.body != want {
			t.Errorf("%s: %q; want %q", path, got.body, want)
		}
	}
}

// TestPlaceholdersOfNobody have no value where a guard lets pass without identity: no header holds their name instead.
func TestPlaceholdersOfNobody(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		postern_auth {
			optional
		}
		postern_auth {
			public /*
		}
		request_header Remote-User {http.auth.user.username}
		request_header Remote-Role {http.auth.user.role}
		reverse_proxy APP
	}`))
	for token, want := range map[string]string{p.tokens.Valid: "ann", "": "", p.tokens.Revoked: ""} {
		seen := w.get("/", token).seen(t)
		if got := seen.Get("Remote-User"); got != want {
			t.Errorf("%.8q: the App saw Remote-User %q, want %q", token, got, want)
		}
		if got := seen.Get("Remote-Role"); got != "{http.auth.user.role}" {
			t.Errorf("%.8q: the App saw Remote-Role %q; want a name that is not ours left alone", token, got)
		}
	}
}

// TestPlaceholdersOfTheLast speak of whom the last guard let in, as headers and matchers do.
func TestPlaceholdersOfTheLast(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		postern_auth {
			from cookie
		}
		postern_auth other {
			from bearer
			optional
			copy_headers {
				X-Realm realm
			}
		}
		respond "{http.auth.user.realm} {http.request.header.X-Realm} {http.request.header.X-Postern-Username}"
	}`))
	cookie := "__Host-postern=" + p.tokens.Valid
	if got, want := w.get("/", "", "Cookie", cookie).body, string(p.realm.ID)+"  ann"; got != want {
		t.Errorf("the first guard's alone = %q, want %q", got, want)
	}
	got := strings.Fields(w.get("/", p.tokens.OtherRealm, "Cookie", cookie).body)
	if len(got) != 2 || got[0] != got[1] || got[0] == string(p.realm.ID) {
		t.Errorf("one of each guard = %q; want placeholder and header to name the second's realm", got)
	}
}

// TestPlaceholdersOfARefusal speak of nobody where a guard refuses, or cannot tell what the request is for, though one before it has let somebody in: FastCGI
// takes REMOTE_USER from there.
func TestPlaceholdersOfARefusal(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		postern_auth
		postern_auth {
			require app:read
			public {
				expression `+"`{http.request.header.X-Count} != '' && int({http.request.header.X-Count}) > 1`"+`
			}
		}
		respond "inside"
	}
	handle_errors {
		respond "{err.status_code} [{http.auth.user.id}{http.auth.user.username}] [{http.auth.candidate.username}]"
	}`))
	if got := w.get("/", p.tokens.Valid); got.body != "403 [] [ann]" {
		t.Errorf("refused = %q; want nobody, and ann for who was refused", got.body)
	}
	if got := w.get("/", p.tokens.Valid, "X-Count", "many"); !strings.Contains(got.body, " [] ") {
		t.Errorf("where a matcher fails = %+v; want nobody", got)
	}
}

// TestPlaceholdersAfterOthers speak of whom the guard let in, though another handler before it has set them to somebody else.
func TestPlaceholdersAfterOthers(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		basic_auth {
			bob $2a$04$jANhSSUWcxDu4BhuoVYyN.fcxbgSBzTHFi6pYjrLttMqxkfEALjpe
		}
		postern_auth {
			from cookie
		}
		respond "{http.auth.user.id}"
	}`))
	got := w.get("/", "", "Authorization", "Basic Ym9iOnNlY3JldA==", "Cookie", "__Host-postern="+p.tokens.Valid)
	if got.body != string(p.ann.User.ID) {
		t.Errorf("after basic_auth = %+v; want ann's id", got)
	}
}
