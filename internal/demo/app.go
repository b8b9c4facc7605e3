// Package demo is what 'postern dev' puts behind the guard, and the walk that it invites to.
package demo

import (
	"encoding/json"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
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
		_ = page(id).Render(w) // to a browser that may have left
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

const style = `
 body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1rem;color:#1c2430;background:#fbfaf7}
 dt{color:#667;font-size:.85rem}dd{margin:0 0 .8rem;font-family:ui-monospace,monospace;overflow-wrap:anywhere}
 @media(prefers-color-scheme:dark){body{color:#e7e5df;background:#191c22}dt{color:#9aa}}
`

// page shows a browser who the guard said it is.
func page(id identity) g.Node {
	fact := func(name, value string) g.Node {
		return g.If(value != "", g.Group{h.Dt(g.Text(name)), h.Dd(g.Text(value))})
	}
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width")),
			h.TitleEl(g.Text("Demo app")),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			h.H1(g.Text("You are in.")),
			h.P(g.Text("This is the demo app. It keeps no users of its own; this is what the guard told it about you:")),
			h.Dl(fact("arbitrary_id", id.ArbitraryID), fact("username", id.Username), fact("user", id.User), fact("e-mail", id.Email)),
		),
	))
}
