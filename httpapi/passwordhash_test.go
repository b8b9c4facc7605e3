package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestPasswordHash sets a password by the hash that another system made, which a key may that manages, and no other.
func TestPasswordHash(t *testing.T) {
	w := newWorld(t)
	const hash = "$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK"
	body := fmt.Sprintf(`{"user":{"user_type":"human","username":"moved","email":"m@example.com","password_hash":%q}}`, hash)
	writer := "Content-Type: application/json\nX-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite)
	w.want(w.do("POST /v1/users", writer, body), 403, "permission")
	w.human("ann")
	w.want(w.do("PUT /v1/users/ann", writer, body), 403, "permission")
	w.want(w.manage("POST /v1/users", strings.Replace(body, "$2b$05", "$2b$31", 1)), 422, "Password hash is of no known kind, or costs more than is allowed")
	made := w.want(w.manage("POST /v1/users", body), 201, "moved")
	if strings.Contains(made.text, hash) {
		t.Errorf("POST /v1/users tells the hash: %s", made.text)
	}
	w.want(w.manage("POST /v1/users/moved/authenticate", `{"password":"Zürich-2024 tram"}`), 200, "token")
	w.want(w.manage("POST /v1/users/moved/authenticate", `{"password":"Zürich-2024 train"}`), 401, "")
}
