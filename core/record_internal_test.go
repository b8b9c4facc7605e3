package core

import (
	"testing"

	"github.com/postern-auth/postern/internal/fastjson/alike"
)

// TestRecordsAlike holds what is kept, and what is told in logs and tokens, against encoding/json.
func TestRecordsAlike(t *testing.T) {
	for _, v := range []any{
		new(AppHook), new(Credential), new(Event), new(LoginPolicy), new(ManagementKey), new(Notification), new(Org), new(Realm),
		new(Session), new(Signup), new(Usage), new(User), new(apiKeyClaim), new(aptKeys), new(arbitraryIDClaim), new(countdown),
		new(environment), new(eventChain), new(eventCursor), new(eventFloor), new(eventSecret), new(formerOrg), new(formerUser), new(job), new(lastUse), new(lease), new(loginToken),
		new(memberships), new(nameClaim), new(markedRealm), new(oneTime), new(partitionMark), new(password), new(realmClaim), new(repeatAnswer), new(repeatable),
		new(roster), new(signingIn), new(signingKeys), new(spentAPT), new(unsettled), new(first),
	} {
		alike.Check(t, v)
	}
}

// FuzzUserRecord reads whatever stands in the record of a user, and the entry of an event, as encoding/json does.
func FuzzUserRecord(f *testing.F) {
	for _, seed := range []string{
		`{"id":"usr_1","realm":"rl_1","username":"ann","email":"ann@example.com","first":"Ann","credentials":[{"id":"crd_1","type":"password"}],"created":1700000000000,"last_login":1700000000001,"gen":1}`,
		`{"id":"usr_1","realm":"rl_1","username":"ann","custom":{"a":[1,"x"]},"created":1.5,"series":{"kv":{}}}`,
		`{"username":"ann","id":"usr_1"}`,
		`{"id":"ev_1","realm":"rl_1","type":"user.created","at":1700000000000,"user":"usr_1","request":{"client":"x","ip":"192.0.2.1"},"notifications":["ent_1"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		alike.Read(t, text, new(User), new(User))
		alike.Read(t, text, new(Event), new(Event))
	})
}
