package demo

import (
	"io"
	"regexp"
	"strings"
	"text/template"
)

// Facts are what whoever started the demo needs to use it. They are also what 'postern dev --json' prints.
type Facts struct {
	GuardURL        string  `json:"guard_url"`
	APIURL          string  `json:"api_url"`        // with its /v1
	ManagementKey   *string `json:"management_key"` // null where it was shown before
	RealmID         string  `json:"realm_id"`
	EnvironmentGUID string  `json:"environment_guid"`
	APTKeyFile      string  `json:"apt_key_file"`

	Program     string `json:"-"` // how to call postern again
	ArbitraryID string `json:"-"` // of the user that the walk makes
	Folder      string `json:"-"` // with the data, or what goes with it
	Redis       bool   `json:"-"` // the data is in Redis
}

// WriteWalk writes the facts, and numbered commands that walk the main job.
func WriteWalk(w io.Writer, f Facts) error { return walk.Execute(w, f) }

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:-]+$`)

// quote returns s as a shell takes it for one word.
func quote(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var walk = template.Must(template.New("walk").Funcs(template.FuncMap{"quote": quote}).Parse(`
  Postern guards a demo app.

    guarded app        {{.GuardURL}}
    API                {{.APIURL}}
    management key     {{with .ManagementKey}}{{.}}   <- shown this once, note it{{else}}shown at the first start; only its hash is kept{{end}}
    realm              {{.RealmID}}
    environment_guid   {{.EnvironmentGUID}}
    provider's key     {{.APTKeyFile}}
    data               {{if .Redis}}Redis, and {{end}}{{.Folder}}

  Now, in another terminal, in this folder, paste one block after another.

  0. What the other blocks use. api calls the API as your back end:

     APP={{.GuardURL}} API={{.APIURL}} REALM={{.RealmID}} ID={{.ArbitraryID}}
     KEY={{with .ManagementKey}}{{.}}{{else}}the-management-key-you-noted{{end}}
     apt() { {{quote .Program}} apt sign --key {{quote .APTKeyFile}} --environment {{.EnvironmentGUID}} "$@"; }
     api() { curl -s -H "X-Authrocket-Api-Key: $KEY" -H "X-Authrocket-Realm: $REALM" -H "Content-Type: application/json" "$@"; }
     pick() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

  1. The app refuses whom it does not know (401):

     curl -i $APP

  2. Your back end signs an account provider token (APT), good for a minute, and creates a user with it (201):

     ANSWER=$(curl -s $API/users -H "Authorization: Bearer $(apt)" -H "Content-Type: application/vnd.api+json" \
       -d '{"data":{"type":"user","attributes":{"arbitrary_id":"'$ID'"}}}'); echo "$ANSWER"
     TOKEN=$(echo "$ANSWER" | pick token) WHO=$(echo "$ANSWER" | pick id)

  3. The app knows the user (200):

     curl -s $APP -H "Authorization: Bearer $TOKEN"

  4. While it is good, the token is refreshed:

     TOKEN=$(curl -s $API/users/me -H "Authorization: Bearer $TOKEN" | pick token); echo $TOKEN

  5. The user gets a password, and signs in with it:

     api -X PUT $API/users/$WHO -d '{"user":{"password":"four words make it long"}}'; echo
     TOKEN=$(api $API/users/$WHO/authenticate -d '{"password":"four words make it long"}' | pick token); echo $TOKEN

  6. The session is ended (204), and the app refuses its token at once (401):

     SESSION=$(api $API/sessions/$TOKEN | grep -o 'kss_[0-9A-Za-z]*' | head -n 1)
     api -X DELETE $API/sessions/$SESSION -w '%{http_code}\n'
     curl -i $APP -H "Authorization: Bearer $TOKEN"

  7. Your back end has a token reissued, by an APT that names the user (201):

     TOKEN=$(curl -s $API/users/reauth -H "Authorization: Bearer $(apt --arbitrary-id $ID)" -H "Content-Type: application/vnd.api+json" \
       -d '{"data":{"type":"user","attributes":{"arbitrary_id":"'$ID'"}}}' | pick token)
     curl -s $APP -H "Authorization: Bearer $TOKEN"

  Ctrl-C stops it; what was made stays. To begin anew, {{if .Redis}}empty that Redis database and remove{{else}}remove{{end}} {{.Folder}}.

`))
