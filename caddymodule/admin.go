package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/assembly"
)

// Admin adds to Caddy's admin API what those who run Postern want to look at. Nothing is changed there: changes are for the API
// `/v1`, under a management key, and for the commands of `caddy postern`.
//
// `GET /postern/status` says how the store, the news of revocations and the guards of the configuration at work are.
//
// `POST /postern/explain` takes `{"method": "GET", "url": "https://app.example.com/page", "credential": "..."}` and says which guards stand in the
// way of such a request, what each makes of it, and why. The credential is a session token or an API key, and may be left out.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.postern", New: func() caddy.Module { return new(Admin) }}
}

// Routes returns what is served.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/postern/status", Handler: only(http.MethodGet, a.status)},
		{Pattern: "/postern/explain", Handler: only(http.MethodPost, a.explain)},
	}
}

// only refuses requests with another method.
func only(method string, h caddy.AdminHandlerFunc) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != method {
			w.Header().Set("Allow", method)
			return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method must be %s", method)}
		}
		return h(w, r)
	}
}

// status is what GET /postern/status answers.
type status struct {
	Version string `json:"version"` // of Postern
	Kind    string `json:"kind"`    // of the store: redis, or embedded
	Open    bool   `json:"open"`    // the store was opened; until then there is nothing in the next three
	assembly.Status
	Guards   []guard.State `json:"guards"`
	FirstKey string        `json:"first_key_file,omitempty"` // the first management key lies there still: put it in a safe place, and remove the file
}

// status serves GET /postern/status.
func (*Admin) status(w http.ResponseWriter, _ *http.Request) error {
	app, err := atWork()
	if err != nil {
		return err
	}
	s := status{Version: version(), Kind: "embedded", Guards: app.engine.guards()}
	if app.engine.settings.redis != nil {
		s.Kind = "redis"
	}
	if parts := app.engine.parts.Load(); parts != nil {
		s.Open, s.Status = true, parts.Status()
	}
	s.FirstKey = assembly.FirstKeyLeft(app.engine.settings.data)
	return reply(w, s)
}

// reply writes a body.
func reply(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(body)
}

// atWork returns the app of the configuration at work.
func atWork() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("postern")
	if err != nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("the configuration at work does not use Postern")}
	}
	return app.(*App), nil
}

// guards returns how an engine's guards are, in no particular order but a steady one.
func (e *engine) guards() []guard.State {
	all := []guard.State{}
	guards.Range(func(_, g any) bool {
		if g.(*sharedGuard).engine == e {
			all = append(all, g.(*sharedGuard).State())
		}
		return true
	})
	slices.SortFunc(all, func(a, b guard.State) int { return strings.Compare(a.Realm, b.Realm) })
	return all
}

// built is the version that 'make caddy' builds, which the linker sets: in a checkout the module itself has none.
var built string

// version returns the version of Postern that was built in.
func version() string {
	if built != "" {
		return built
	}
	const module = "github.com/postern-auth/postern"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "development"
}

// maxQuestion bounds what POST /postern/explain reads, in bytes.
const maxQuestion = 64 << 10

// explain serves POST /postern/explain.
func (*Admin) explain(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Method     string `json:"method"`
		URL        string `json:"url"`
		Credential string `json:"credential"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("the body must be an object with method, url and credential: %w", err)}
	}
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("the configuration at work has no sites")}
	}
	text, err := explain(r.Context(), app.(*caddyhttp.App), q.Method, q.URL, q.Credential)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusUnprocessableEntity, Err: err}
	}
	return reply(w, map[string]string{"explanation": text})
}

// Interface guards.
var _ caddy.AdminRouter = (*Admin)(nil)
