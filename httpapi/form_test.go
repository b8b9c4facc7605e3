package httpapi_test

import (
	"strings"
	"testing"
)

// form sends a call of the Users API with a url-encoded body.
func (w *world) form(line, body string) *answer {
	w.Helper()
	return w.do(line, strings.Replace(w.asManager(), "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded", 1), body)
}

// TestForms sends url-encoded bodies as the HTTP libraries of Ruby (permissions[]=a) and PHP (permissions[0]=a) make them. All
// values are texts there, so that numbers and truths are what their texts say.
func TestForms(t *testing.T) {
	each(t, func(w *world) {
		w.want(w.form("POST /v1/users", "user[user_type]=human&user[username]=ann&user[email]=ann@example.com&user[permissions][0]=a&user[permissions][1]=b"+
			"&user[custom][n]=5&user[custom][list][0]=x&user[custom][list][1]=y&user[reference]=42&request[ip]=10.0.0.1"), 201, `"custom":{"list":["x","y"],"n":"5"}`)
		member := w.want(w.manage("GET /v1/memberships", ""), 200, `"permissions":["a","b"]`)
		at := "/v1/memberships/" + ids(member)[0]
		w.want(w.form("PUT "+at, "membership[expires_at]=1900000000&membership[permissions][]=c"), 200, `"permissions":["c"],"expires_at":1900000000`)
		w.want(w.form("PUT "+at, "membership[expires_at]="), 200, `"expires_at":null`)

		made := w.want(w.form("POST /v1/realms", "realm[name]=Shop&realm[session_minutes]=60&realm[require_unique_emails]=0&realm[apt_require_jti]=1"+
			"&realm[jwt_fields][0]=custom&realm[event_retention]=864000&realm[api_key_minutes]=0"), 201, `"session_minutes":60`)
		w.want(made, 201, `"require_unique_emails":false`)
		w.want(made, 201, `"jwt_fields":["custom"]`)
		w.want(made, 201, `"event_retention":864000`)
		w.want(made, 201, `"apt_require_jti":true`)
		realm := "PUT /v1/realms/" + made.field("id")
		w.want(w.form(realm, "realm[require_unique_emails]=true&realm[jwt_fields]=&realm[session_minutes]="), 200, `"require_unique_emails":true`)
		for body, message := range map[string]string{
			"realm[session_minutes]=an+hour":       "Session minutes must be from 1 to 43200",
			"realm[require_unique_emails]=2":       "Require unique emails must be true or false",
			"realm[event_retention]=long":          "Event retention must be a whole number of seconds",
			"realm[jwt_fields][1]=custom":          "JWT fields must be an array of texts",
			"realm[api_key_minutes]=50000":         "API key minutes must be from 0 to 43200",
			"realm[apt_skew]=%7B%22a%22%3A1%7D":    "APT skew must be a whole number of seconds",
			"realm[password_min_length][]=8":       "Password min length must be a whole number",
			"realm[apt_require_jti][0]=true":       "APT require JTI must be true or false",
			"realm[email_token_lifetime]=1&x[a]=1": "X is not an attribute that can be set here",
		} {
			w.want(w.form(realm, body), 422, message)
		}
		w.want(w.form("POST /v1/users", `{"user":{"user_type":"human"}}`), 415, "send Content-Type: application/json")
	})
}

// TestNumbersInTexts takes from JSON what an app's own web form gave the app: texts that are numbers and truths, and nothing else.
func TestNumbersInTexts(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/realms", `{"realm":{"name":"Shop","session_minutes":"60","require_unique_emails":"false","apt_require_jti":"1","event_retention":"864000"}}`), 201, `"session_minutes":60`)
		w.want(made, 201, `"require_unique_emails":false`)
		w.want(made, 201, `"apt_require_jti":true`)
		w.want(made, 201, `"event_retention":864000`)
		realm := "PUT /v1/realms/" + made.field("id")
		for value, message := range map[string]string{
			`"session_minutes":""`:              "Session minutes must be from 1 to 43200",
			`"session_minutes":"null"`:          "Session minutes must be from 1 to 43200",
			`"session_minutes":"0x10"`:          "Session minutes must be from 1 to 43200",
			`"session_minutes":" 5"`:            "Session minutes must be from 1 to 43200",
			`"session_minutes":"0"`:             "Session minutes must be from 1 to 43200",
			`"event_retention":"NaN"`:           "Event retention must be a whole number of seconds",
			`"require_unique_emails":""`:        "Require unique emails must be true or false",
			`"require_unique_emails":"2"`:       "Require unique emails must be true or false",
			`"require_unique_emails":1`:         "Require unique emails must be true or false",
			`"apt_require_jti":"\"true\""`:      "APT require JTI must be true or false",
			`"jwt_fields":"[\"custom\"]"`:       "JWT fields must be an array of texts",
			`"password_min_length":"{\"a\":1}"`: "Password min length must be a whole number",
		} {
			w.want(w.manage(realm, `{"realm":{`+value+`}}`), 422, message)
		}
		w.human("ann")
		member := w.want(w.manage("POST /v1/memberships", `{"membership":{"user_id":"`+w.want(w.manage("GET /v1/users/ann", ""), 200, "").field("id")+`","expires_at":"1900000000"}}`), 201, `"expires_at":1900000000`)
		w.want(w.manage("PUT /v1/memberships/"+member.field("id"), `{"membership":{"expires_at":""}}`), 422, "Expires at must be a number of seconds since 1970")
	})
}

// TestReferenceIsAText takes an app's own id as the app has it.
func TestReferenceIsAText(t *testing.T) {
	each(t, func(w *world) {
		w.want(w.manage("POST /v1/users", `{"user":{"user_type":"human","username":"ann","email":"ann@example.com","reference":4711}}`), 201, `"reference":"4711"`)
		w.want(w.manage("GET /v1/users?reference=4711", ""), 200, `"username":"ann"`)
		w.want(w.manage("PUT /v1/users/ann", `{"user":{"reference":-1}}`), 200, `"reference":"-1"`)
		w.want(w.manage("POST /v1/orgs", `{"org":{"name":"Shop","reference":1234567890123456789}}`), 201, `"reference":"1234567890123456789"`)
		for _, other := range []string{"1.5", "1e3", "true", "[1]", `{"id":1}`, "12345678901234567890"} {
			w.want(w.manage("PUT /v1/users/ann", `{"user":{"reference":`+other+`}}`), 422, "Reference must be a text")
		}
		w.want(w.manage("PUT /v1/users/ann", `{"user":{"reference":null}}`), 200, `"reference":null`)
	})
}
