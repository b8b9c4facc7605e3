package httpapi

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/postern-auth/postern/core"
)

// authenticateKey serves POST /v1/users/authenticate_key (Users API, "Authenticate using an API key"). A key that proves
// nothing is nobody's. Where a key is bound to addresses, the address is what the back end says in its request.
func (a *API) authenticateKey(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	key := b.top.text("api_key")
	if key == nil {
		key = b.object.text("api_key")
	}
	if err := b.end(); err != nil {
		return err
	}
	if key == nil {
		return invalid("api_key", "API key can't be blank")
	}
	from, _ := netip.ParseAddr(strings.TrimSpace(b.request.IP)) // an unreadable one is none that a key is bound to
	in, err := a.core.APIKeys.Authenticate(c.Context(), realm, *key, from, b.request)
	if core.IsRefusal(err) && !errors.Is(err, core.ErrRealmInactive) {
		return core.ErrUserNotFound
	}
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusOK, in.User, in.Token)
}
