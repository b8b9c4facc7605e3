package wire_test

import (
	"testing"

	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/fastjson/alike"
)

// TestAnswersAlike holds what /v1 answers against encoding/json.
func TestAnswersAlike(t *testing.T) {
	for _, v := range []any{
		new(wire.UserLine), new(wire.MembershipLine), new(wire.APIKeyLine), new(wire.AuthenticatorLine), new(wire.RecoveryLine),
		new(wire.PasswordLine), new(wire.ImportLine), new(wire.ImportSummary), new(wire.ImportEnded), new(wire.CredentialRef), new(wire.Credential),
		new(wire.APIKey), new(wire.TOTP), new(wire.RecoveryCodes), new(wire.Event), new(wire.Notification), new(wire.Attempt),
		new(wire.AppHook), new(wire.Preview), new(wire.APTKey), new(wire.ManagementKey), new(wire.Org), new(wire.Membership),
		new(wire.Realm), new(wire.JWTKey), new(wire.AuthProvider), new(wire.LoginPolicy), new(wire.Usage), new(wire.ListedUser),
		new(wire.User), new(wire.TokenUser), new(wire.UserToken), new(wire.Session), new(wire.Request), new(wire.Document),
		new(wire.List[wire.User]), new(wire.List[wire.ListedUser]), new(wire.List[wire.Event]),
	} {
		alike.Check(t, v)
	}
}
