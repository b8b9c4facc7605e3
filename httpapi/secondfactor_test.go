package httpapi_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestSecondFactor enrols an authenticator, signs in with its code and with a recovery code, as back ends do.
func TestSecondFactor(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		made := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"`+string(u.ID)+`","credential_type":"totp","name":"phone","auth_provider_id":"ap_x"}}`), 201, `"state":"new"`)
		path := "/v1/credentials/" + made.field("id")
		w.secret(made.field("otp_secret"))
		code := func() string { return w.code(made.field("otp_secret")) }
		if again := w.want(w.manage("GET "+path, ""), 200, "otpauth://totp/default:ann?"); again.field("otp_secret") != made.field("otp_secret") {
			t.Error("get does not show the secret of a new authenticator")
		}
		reader := w.do("GET "+path, "X-Authrocket-Api-Key: "+w.newKey(w.realm.ID, core.PermissionRead), "")
		if w.want(reader, 200, `"state":"new"`); reader.field("otp_secret") != "" || reader.field("provisioning_uri") != "" {
			t.Error("get shows the secret of a new authenticator to a key that only reads")
		}
		w.want(w.manage("POST "+path+"/verify", `{"credential":{"code":"12345"}}`), 422, `{"errors":{"code":["Verification failed"]}}`)
		w.want(w.manage("POST "+path+"/verify", `{"credential":{"code":"`+code()+`"}}`), 200, `"state":"active"`)
		if now := w.manage("GET "+path, ""); now.field("otp_secret") != "" || now.field("provisioning_uri") != "" {
			t.Error("get shows the secret of an active authenticator")
		}
		w.want(w.manage("PUT "+path, `{"credential":{"name":"old phone"}}`), 200, `"name":"old phone"`)

		start := func() string {
			token := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 200, `"token":"kli_`).field("token")
			w.secret(token)
			return token
		}
		complete := func(line, token, code string) *answer {
			return w.manage("POST /v1/users/"+line, `{"user":{"token":"`+token+`","code":"`+code+`"},"request":{"ip":"127.0.0.1"}}`)
		}
		w.clock.Advance(time.Minute)
		token := start()
		w.want(complete("ann/authenticate_code", token, "000 000x"), 401, "The code does not match")
		w.want(complete("bob/authenticate_code", token, code()), 404, "Login token not found")
		w.want(w.manage("POST /v1/users/ann/authenticate_code", `{"token":"`+token+`","code":"000 000x"}`), 401, "The code does not match")
		w.want(complete("ann/authenticate_code", token, code()), 200, `"token":"eyJ`)
		w.want(complete("ann/authenticate_code", token, code()), 404, "already used")

		if half := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`","request":{"device":""}}`), 200, `"token":"kli_`); half.field("device") != "" {
			t.Error("half a sign-in makes a device known")
		} else {
			w.clock.Advance(time.Minute)
			w.want(w.manage("POST /v1/users/ann/authenticate_code", `{"user":{"token":"`+half.field("token")+`","code":"`+code()+`"},"request":{"device":""}}`), 200, `"device":"dv_`)
		}

		for _, line := range []string{"--/authenticate_code", "authenticate_token"} {
			w.clock.Advance(time.Minute)
			w.want(complete(line, start(), code()), 200, `"token":"eyJ`)
		}
		codes := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"recovery_codes"}}`), 201, `"remaining":10`)
		w.want(w.manage("PUT /v1/credentials/"+codes.field("id"), `{"credential":{"credential_type":"recovery_codes"}}`), 422, "make new ones")
		list, _ := codes.json["recovery_codes"].([]any)
		w.want(complete("ann/authenticate_code", start(), fmt.Sprint(list[0])), 200, `"token":"eyJ`)
		w.want(w.manage("GET /v1/credentials/"+codes.field("id"), ""), 200, `"remaining":9`)
		w.want(complete("ann/authenticate_code", start(), fmt.Sprint(list[0])), 401, "The code does not match")
		for token, n := start(), 0; n < 10; n++ {
			complete("ann/authenticate_code", token, "1")
		}
		w.want(complete("ann/authenticate_code", token, "1"), 404, "already used")
		w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 429, "Too many attempts")
	})
}

// code returns what an authenticator shows now (RFC 6238, as read a second time).
func (w *world) code(secret string) string {
	w.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	w.must(err)
	mac := hmac.New(sha1.New, key)
	w.must(binary.Write(mac, binary.BigEndian, w.clock.Now().Unix()/30))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// TestCodeAsNumber takes a code from a program that has it as a number, with the zeros that it begins with or without them.
func TestCodeAsNumber(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		made := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"`+string(u.ID)+`","credential_type":"totp","name":"phone"}}`), 201, `"state":"new"`)
		number := func(first string) string {
			for {
				w.clock.Advance(time.Minute)
				if code := w.code(made.field("otp_secret")); strings.HasPrefix(code, first) {
					return strings.TrimLeft(code, "0")
				}
			}
		}
		w.want(w.manage("POST /v1/credentials/"+made.field("id")+"/verify", `{"credential":{"code":`+number("")+`}}`), 200, `"state":"active"`)
		code := number("0")
		token := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 200, `"token":"kli_`).field("token")
		for _, other := range []string{code + ".5", "-" + code, "[" + code + "]", "true"} {
			w.want(w.manage("POST /v1/users/ann/authenticate_code", `{"user":{"token":"`+token+`","code":`+other+`}}`), 422, "Code must be a text")
		}
		w.want(w.manage("POST /v1/users/ann/authenticate_code", `{"user":{"token":"`+token+`","code":`+code+`}}`), 200, `"token":"eyJ`)
	})
}
