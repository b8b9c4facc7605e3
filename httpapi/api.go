package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/seldom"
)

// Options configures an API. Core is required.
type Options struct {
	Core   *core.Core
	Logger *zap.Logger // default none

	// KeyRate is how many calls a second each management key may make here, up to MaxKeyRate, and ten times that at once; default 0 = no
	// bound. Beyond it a call gets 429.
	KeyRate int

	// Observe is told of each call that was answered: its line of the table, "" where none matched, and the status, 0 where the
	// answer was cut short before it had one. It must not block; default nobody is.
	Observe func(route string, status int)
}

// API serves /v1. Safe for concurrent use.
type API struct {
	core    *core.Core
	log     *zap.Logger
	outages *seldom.Log // the same, for what fails every call
	observe func(route string, status int)
	rates   *keyRates
	routes  []route   // the table
	paths   []address // the same, by path
}

// New returns the API of a Core.
func New(o Options) (*API, error) {
	if o.Core == nil {
		return nil, errors.New("httpapi: a core is required")
	}
	if err := CheckKeyRate(o.KeyRate); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Observe == nil {
		o.Observe = func(string, int) {}
	}
	a := &API{core: o.Core, log: o.Logger, outages: seldom.New(o.Logger), observe: o.Observe, rates: newKeyRates(o.KeyRate)}
	a.compile()
	return a, nil
}

// handler serves one route. What it returns is rendered for the caller.
type handler func(w http.ResponseWriter, r *call) error

// route is a line of the table. A segment in braces matches any one segment.
type route struct {
	method, path string
	serve        handler
}

// table is all that the API serves. The first line that matches wins, so words come before braces.
func (a *API) table() []route {
	return []route{
		{"GET", "/v1/users", a.listUsers},
		{"POST", "/v1/users", a.createUser},
		{"GET", "/v1/users/me", a.refresh},
		{"DELETE", "/v1/users/me", a.deleteMe},
		{"POST", "/v1/users/reauth", a.reauth},
		{"POST", "/v1/users/verify_email", a.verifyEmail},
		{"POST", "/v1/users/reset_password_with_token", a.resetPassword},
		{"POST", "/v1/users/authenticate_key", a.authenticateKey},
		{"POST", "/v1/users/authenticate_token", a.authenticateToken},
		{"GET", "/v1/users/{user}", a.getUser},
		{"PUT", "/v1/users/{user}", a.updateUser},
		{"DELETE", "/v1/users/{user}", a.deleteUser},
		{"POST", "/v1/users/{user}/authenticate", a.authenticate},
		{"POST", "/v1/users/{user}/authenticate_code", a.authenticateCode},
		{"PUT", "/v1/users/{user}/update_password", a.changePassword},
		{"POST", "/v1/users/{user}/generate_password_token", a.generatePasswordToken},
		{"POST", "/v1/users/{user}/reset_password_with_token", a.resetPassword},
		{"POST", "/v1/users/{user}/request_email_verification", a.requestVerification},
		{"POST", "/v1/users/{user}/verify_email", a.verifyEmail},

		{"GET", "/v1/bulk/users", a.exportUsers},
		{"POST", "/v1/bulk/users", a.importUsers},

		{"POST", "/v1/user_tokens", a.createUserToken},
		{"GET", "/v1/user_tokens/{token}", a.getUserToken},

		{"POST", "/v1/credentials", a.createCredential},
		{"GET", "/v1/credentials/{credential}", a.getCredential},
		{"PUT", "/v1/credentials/{credential}", a.updateCredential},
		{"DELETE", "/v1/credentials/{credential}", a.deleteCredential},
		{"POST", "/v1/credentials/{credential}/verify", a.verifyCredential},

		{"GET", "/v1/sessions", a.listSessions},
		{"POST", "/v1/sessions", a.createSession},
		{"DELETE", "/v1/sessions", a.deleteSessions},
		{"GET", "/v1/sessions/{session}", a.getSession},
		{"DELETE", "/v1/sessions/{session}", a.deleteSession},

		{"GET", "/v1/orgs", a.listOrgs},
		{"POST", "/v1/orgs", a.createOrg},
		{"GET", "/v1/orgs/{org}", a.getOrg},
		{"PUT", "/v1/orgs/{org}", a.updateOrg},
		{"DELETE", "/v1/orgs/{org}", a.deleteOrg},

		{"GET", "/v1/memberships", a.listMemberships},
		{"POST", "/v1/memberships", a.createMembership},
		{"GET", "/v1/memberships/{membership}", a.getMembership},
		{"PUT", "/v1/memberships/{membership}", a.updateMembership},
		{"DELETE", "/v1/memberships/{membership}", a.deleteMembership},

		{"GET", "/v1/realms", a.listRealms},
		{"POST", "/v1/realms", a.createRealm},
		{"GET", "/v1/realms/{realm}", a.getRealm},
		{"PUT", "/v1/realms/{realm}", a.updateRealm},
		{"DELETE", "/v1/realms/{realm}", a.deleteRealm},
		{"POST", "/v1/realms/{realm}/reset", a.resetRealm},
		{"POST", "/v1/realms/{realm}/rotate_keys", a.rotateKeys},
		{"GET", "/v1/realms/{realm}/.well-known/jwks.json", a.realmKeySet},
		{"GET", "/v1/realms/{realm}/usage", a.usage},

		{"GET", "/.well-known/jwks.json", a.defaultKeySet},
		{"GET", "/v1/openapi.json", a.documentJSON},
		{"GET", "/v1/openapi.yaml", a.documentYAML},
		{"GET", "/v1/docs", a.referencePage},

		{"GET", "/v1/apt_keys", a.listAPTKeys},
		{"POST", "/v1/apt_keys", a.createAPTKey},
		{"GET", "/v1/apt_keys/{key}", a.getAPTKey},
		{"PUT", "/v1/apt_keys/{key}", a.updateAPTKey},
		{"DELETE", "/v1/apt_keys/{key}", a.deleteAPTKey},

		{"GET", "/v1/jwt_keys", a.listJWTKeys},
		{"POST", "/v1/jwt_keys", a.createJWTKey},
		{"GET", "/v1/jwt_keys/{key}", a.getJWTKey},
		{"DELETE", "/v1/jwt_keys/{key}", a.deleteJWTKey},

		{"GET", "/v1/auth_providers", a.listAuthProviders},
		{"POST", "/v1/auth_providers", a.createAuthProvider},
		{"GET", "/v1/auth_providers/authorize", a.authorizeURLs},
		{"POST", "/v1/auth_providers/authorize", a.authorize},
		{"GET", "/v1/auth_providers/{provider}", a.getAuthProvider},
		{"PUT", "/v1/auth_providers/{provider}", a.updateAuthProvider},
		{"DELETE", "/v1/auth_providers/{provider}", a.deleteAuthProvider},
		{"GET", "/v1/auth_providers/{provider}/authorize", a.authorizeURL},
		{"POST", "/v1/auth_providers/{provider}/authorize", a.authorize},

		{"GET", "/v1/login_policies", a.listLoginPolicies},
		{"POST", "/v1/login_policies", a.createLoginPolicy},
		{"GET", "/v1/login_policies/{policy}", a.getLoginPolicy},
		{"PUT", "/v1/login_policies/{policy}", a.updateLoginPolicy},
		{"DELETE", "/v1/login_policies/{policy}", a.deleteLoginPolicy},

		{"GET", "/v1/events", a.listEvents},
		{"GET", "/v1/events/{event}", a.getEvent},
		{"GET", "/v1/events/login/{token}", a.loginEvent},
		{"POST", "/v1/notifications/{notification}/redeliver", a.redeliver},

		{"GET", "/v1/app_hooks", a.listAppHooks},
		{"POST", "/v1/app_hooks", a.createAppHook},
		{"GET", "/v1/app_hooks/{hook}", a.getAppHook},
		{"PUT", "/v1/app_hooks/{hook}", a.updateAppHook},
		{"DELETE", "/v1/app_hooks/{hook}", a.deleteAppHook},
		{"POST", "/v1/app_hooks/{hook}/ping", a.pingAppHook},
		{"POST", "/v1/app_hooks/{hook}/rotate_secret", a.rotateAppHookSecret},
		{"POST", "/v1/app_hooks/{hook}/preview", a.previewAppHook},

		{"GET", "/v1/management_keys", a.listManagementKeys},
		{"POST", "/v1/management_keys", a.createManagementKey},
		{"GET", "/v1/management_keys/{key}", a.getManagementKey},
		{"PUT", "/v1/management_keys/{key}", a.updateManagementKey},
		{"DELETE", "/v1/management_keys/{key}", a.deleteManagementKey},
	}
}

// ServeHTTP serves one call. In which family of media types it is answered is settled before anything can fail.
func (a *API) ServeHTTP(writer http.ResponseWriter, r *http.Request) {
	c, w := newCall(r), &noted{ResponseWriter: writer}
	settle(w, c)
	defer func() { a.observe(c.pattern, w.status) }()
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			a.fail(w, c, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	rt, err := a.route(c)
	if err == nil {
		err = a.repeatable(w, c, rt)
	}
	if err != nil {
		a.fail(w, c, err)
	}
	w.status = cmp.Or(w.status, http.StatusOK) // which net/http answers where nothing else is said
}

// noted is a writer that remembers the status.
type noted struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController reach what is below.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }
