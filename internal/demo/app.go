// Package demo is what 'postern dev' puts behind the guard, and the walk that it invites to.
package demo

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
)

// App is an app that shows which identity it was told. To a caller that accepts JSON it answers the request
// headers that it received: {"headers":{"Name":["value"]}}.
func App() http.Handler { return http.HandlerFunc(serve) }

// serve answers any request alike.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]http.Header{"headers": r.Header})
		return
	}
	id := identity{
		User:        r.Header.Get("X-Postern-User-Id"),
		Username:    r.Header.Get("X-Postern-Username"),
		ArbitraryID: r.Header.Get("X-Postern-Arbitrary-Id"),
		Email:       r.Header.Get("X-Postern-Email"),
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(w, id)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Hello, " + id.name() + ". You are user " + id.User + ".\n"))
}

// identity is what the guard told.
type identity struct{ User, Username, ArbitraryID, Email string }

// name returns what the app would call the user: its own name for them where it has one.
func (i identity) name() string {
	if i.ArbitraryID != "" {
		return i.ArbitraryID
	}
	return i.Username
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Demo app</title>
<style>
 body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1rem;color:#1c2430;background:#fbfaf7}
 dt{color:#667;font-size:.85rem}dd{margin:0 0 .8rem;font-family:ui-monospace,monospace;overflow-wrap:anywhere}
 @media(prefers-color-scheme:dark){body{color:#e7e5df;background:#191c22}dt{color:#9aa}}
</style>
<h1>You are in.</h1>
<p>This is the demo app. It keeps no users of its own; this is what the guard told it about you:</p>
<dl>
{{with .ArbitraryID}}<dt>arbitrary_id</dt><dd>{{.}}</dd>{{end}}
<dt>username</dt><dd>{{.Username}}</dd>
<dt>user</dt><dd>{{.User}}</dd>
{{with .Email}}<dt>e-mail</dt><dd>{{.}}</dd>{{end}}
</dl>
</html>
`))
