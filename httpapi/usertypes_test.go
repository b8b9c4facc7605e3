package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNamesOfAPIUsers holds that first and last names are people's: an api user has a name, and is sent back as it was got.
func TestNamesOfAPIUsers(t *testing.T) {
	each(t, func(w *world) {
		for _, name := range []string{"first_name", "last_name"} {
			label := strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
			refusal := `{"errors":{"` + name + `":["` + label + ` is for human users only"]}}`
			w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"robot","`+name+`":"Rob"}}`), 422, refusal)
		}
		w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"robot","name":"Rob the robot","first_name":null,"last_name":""}}`),
			201, `"name":"Rob the robot"`)
		w.want(w.manage("PUT /v1/users/robot", `{"user":{"name":"Robbie","first_name":"Rob"}}`), 422, "First name is for human users only")
		got := w.want(w.manage("GET /v1/users/robot", ""), 200, `"first_name":null,"last_name":null`)
		w.want(w.manage("PUT /v1/users/robot", `{"user":`+got.text+`}`), 200, `"name":"Rob the robot"`)
	})
}

// TestPasswordKeepsItsAge holds that a password is one credential, however often it is set anew: by whoever manages users, with the one
// before, and with a token. One that takes the place of none is new.
func TestPasswordKeepsItsAge(t *testing.T) {
	each(t, func(w *world) {
		const second, third, fourth = "a second password for ann", "a third password for ann", "a fourth password for ann"
		w.secret(second, third, fourth)
		ann := w.human("ann")
		password := "/v1/credentials/" + string(ann.Credentials[0].ID)
		made := w.want(w.manage("GET "+password, ""), 200, "").json["created_at"]
		same := func(how string) {
			w.Helper()
			if got := w.want(w.manage("GET "+password, ""), 200, "").json["created_at"]; got != made {
				w.Errorf("created_at after %s = %v; want %v, when it was made", how, got, made)
			}
			w.clock.Advance(time.Minute)
		}
		w.clock.Advance(time.Minute)
		w.want(w.manage("PUT /v1/users/ann", `{"user":{"password":"`+second+`"}}`), 200, "")
		same("an update of the user")
		w.want(w.manage("PUT "+password, `{"credential":{"password":"`+third+`"}}`), 200, "")
		same("an update of the credential")
		w.want(w.manage("PUT /v1/users/ann/update_password", `{"user":{"current_password":"`+third+`","password":"`+fourth+`"}}`), 204, "")
		same("update_password")
		token := w.want(w.manage("POST /v1/users/ann/generate_password_token", ""), 200, "").field("token")
		w.secret(token)
		w.want(w.manage("POST /v1/users/ann/reset_password_with_token", `{"user":{"token":"`+token+`","password":"`+goodPassword+`"}}`), 200, "")
		same("a reset")
		w.want(w.manage("DELETE "+password, ""), 204, "")
		again := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"password","password":"`+second+`"}}`), 201, "")
		if again.json["created_at"] == made {
			w.Errorf("created_at of a password made anew = %v; want now", made)
		}
	})
}

// TestEmailsAreUnique has fifty callers create users of one address at once, in spellings that are one, while the realm wants each
// address once: one is made.
func TestEmailsAreUnique(t *testing.T) {
	each(t, func(w *world) {
		spellings := []string{"one@example.com", "ONE@Example.COM", "Oｎe@example.com", " one@example.com "}
		answers := w.atOnce(50, func(i int) *answer {
			return w.manage("POST /v1/users", fmt.Sprintf(`{"user":{"user_type":"human","username":"user%d","email":%q}}`, i, spellings[i%4]))
		})
		made := 0
		for _, a := range answers {
			switch {
			case a.StatusCode == 201:
				made++
			case a.StatusCode != 422 || a.text != `{"errors":{"email":["Email has already been taken"]}}`:
				w.Errorf("POST of an address that is taken = %d %s; want 422", a.StatusCode, a.text)
			}
		}
		if made != 1 {
			w.Errorf("%d users of one address were made; want 1", made)
		}
	})
}

// TestComplaintsNameWhatTheyAreAbout holds that a caller who makes several things at once is told of which one something is wrong.
func TestComplaintsNameWhatTheyAreAbout(t *testing.T) {
	each(t, func(w *world) {
		const ann = `"user_type":"human","username":"ann","email":"ann@example.com"`
		w.want(w.manage("POST /v1/users", `{"user":{`+ann+`,"org":{"name":""}}}`), 422, `{"errors":{"org":["Org name can't be blank"]}}`)
		w.want(w.manage("POST /v1/users", `{"user":{`+ann+`},"org":{"name":"N","state":"gone"}}`), 422, `{"errors":{"org":["Org state must be active or inactive"]}}`)
		w.want(w.manage("POST /v1/memberships", `{"membership":{}}`), 422, `{"errors":{"user_id":["User can't be blank"]}}`)
		w.want(w.manage("POST /v1/realms", `{"realm":{}}`), 422, `{"errors":{"name":["Name can't be blank"]}}`)
	})
}

// TestOwnersByName holds that events and memberships are found, and made, by a user's name as well as by the id.
func TestOwnersByName(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		made := w.want(w.manage("POST /v1/memberships", `{"membership":{"user_id":"Ann@example.com","permissions":"read"}}`), 201, `"user_id":"`+string(ann.ID)+`"`)
		w.want(w.manage("GET /v1/memberships?user_id=ann", ""), 200, made.field("id"))
		w.want(w.manage("GET /v1/events?user_id=ann&event_type=user.created", ""), 200, `"user_id":"`+string(ann.ID)+`"`)
		for _, list := range []string{"memberships", "events"} {
			w.want(w.manage("GET /v1/"+list+"?user_id=nobody", ""), 404, "User not found")
		}
		w.want(w.manage("DELETE /v1/users/ann", ""), 204, "")
		w.want(w.manage("GET /v1/events?user_id="+string(ann.ID), ""), 200, `"user.deleted"`)
	})
}

// TestCredentialsNameTheirProvider holds that a credential says which auth provider of the realm it belongs to, where there is one.
func TestCredentialsNameTheirProvider(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		password := w.ids("GET /v1/auth_providers")[0]
		w.want(w.manage("GET /v1/credentials/"+string(ann.Credentials[0].ID), ""), 200, `"auth_provider_id":"`+password+`"`)
		enrol := `{"credential":{"user_id":"ann","credential_type":"totp","name":"phone"}}`
		w.secret(w.want(w.manage("POST /v1/credentials", enrol), 201, `"auth_provider_id":null`).field("otp_secret"))
		totp := w.want(w.manage("POST /v1/auth_providers", `{"auth_provider":{"provider_type":"totp"}}`), 201, "").field("id")
		phone := w.want(w.manage("POST /v1/credentials", enrol), 201, `"auth_provider_id":"`+totp+`"`)
		w.secret(phone.field("otp_secret"))
		w.want(w.manage("GET /v1/credentials/"+phone.field("id"), ""), 200, `"auth_provider_id":"`+totp+`"`)
	})
}
