package httpapi_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestSessionsOfAUser makes sessions, and ends them all but one, then all.
func TestSessionsOfAUser(t *testing.T) {
	each(t, func(w *world) {
		id := string(w.human("ann").ID)
		create := func() *answer {
			t.Helper()
			a := w.want(w.ruby("POST /v1/sessions", `{"session":{"user_id":"`+id+`"},"request":{"ip":"10.0.0.1","client":"app"}}`), http.StatusCreated, `"object":"session"`)
			w.must(w.knows(a.field("token")))
			return a
		}
		kept, other := create(), create()
		bob := string(w.human("bob").ID)
		path := "DELETE /v1/sessions?user_id=" + id
		for _, c := range []struct {
			line   string
			status int
		}{
			{"DELETE /v1/sessions", 422},
			{path + "&except=", 422},
			{path + "&except=a&except=b", 422},
			{path + "&except=%zz", 400},
			{path + "&exept=" + kept.field("id"), 422},
			{path + "&user_id=" + bob, 422},
			{path + "&except=kss_x", 404},
			{"DELETE /v1/sessions?user_id=" + bob + "&except=" + kept.field("id"), 404},
			{"DELETE /v1/sessions?user_id=nobody", 404},
		} {
			w.want(w.manage(c.line, ""), c.status, "")
		}
		w.must(w.knows(other.field("token")))
		w.want(w.ruby(path+"&except="+kept.field("id"), ""), http.StatusNoContent, "")
		w.must(w.knows(kept.field("token")))
		if err := w.knows(other.field("token")); err == nil {
			t.Error("another session goes on")
		}
		w.want(w.manage("GET /v1/users/me", ""), http.StatusNotFound, "")
		w.want(w.do("GET /v1/users/me", "Authorization: Bearer "+kept.field("token"), ""), http.StatusOK, id) // refreshes
		w.want(w.ruby(path, ""), http.StatusNoContent, "")
		if err := w.knows(kept.field("token")); err == nil {
			t.Error("the kept session goes on after all were ended")
		}
		w.want(w.manage("GET /v1/sessions?user_id="+id, ""), http.StatusOK, `"collection":[]`)

		w.want(w.manage("POST /v1/sessions", `{"session":{"user_id":"nobody"}}`), http.StatusNotFound, "")
		robot := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api"}}`), http.StatusCreated, "")
		w.want(w.manage("POST /v1/sessions", `{"session":{"user_id":"`+robot.field("id")+`"}}`), http.StatusUnprocessableEntity, "User type must be human")
	})
}

// knows resolves a token.
func (w *world) knows(token string) error {
	_, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token)
	return err
}

// TestUnmanagedSessions holds that a realm may call its sessions unmanaged, as the Users API has it, and that those of its people are listed, and end at once,
// all the same.
func TestUnmanagedSessions(t *testing.T) {
	each(t, func(w *world) {
		path := "/v1/realms/" + string(w.realm.ID)
		w.want(w.manage("GET "+path, ""), http.StatusOK, `"session_type":"managed"`)
		w.want(w.manage("PUT "+path, `{"realm":{"session_type":"unmanaged"}}`), http.StatusOK, `"session_type":"unmanaged"`)
		w.want(w.manage("GET "+path, ""), http.StatusOK, `"session_type":"unmanaged"`)

		in := w.want(w.manage("POST /v1/users/"+string(w.human("ann").ID)+"/authenticate", `{"password":"`+goodPassword+`"}`), http.StatusOK, `"token"`)
		w.must(w.knows(in.field("token")))
		id := w.want(w.manage("GET /v1/sessions/"+in.field("token"), ""), http.StatusOK, "kss_").field("id")
		w.want(w.manage("GET /v1/sessions?user_id=ann", ""), http.StatusOK, id)
		w.want(w.manage("DELETE /v1/sessions/"+id, ""), http.StatusNoContent, "")
		if err := w.knows(in.field("token")); err == nil {
			t.Error("a session goes on after it was ended, in a realm of unmanaged ones")
		}

		for _, back := range []string{"null", `"managed"`} {
			w.want(w.manage("PUT "+path, `{"realm":{"session_type":"unmanaged"}}`), http.StatusOK, `"unmanaged"`)
			w.want(w.manage("PUT "+path, `{"realm":{"session_type":`+back+`}}`), http.StatusOK, `"session_type":"managed"`)
		}
		w.want(w.manage("POST /v1/realms", `{"realm":{"name":"other","session_type":"unmanaged"}}`), http.StatusCreated, `"session_type":"unmanaged"`)
	})
}

// TestSessionPages walks the sessions of a user page by page, in both directions, and past one that has ended.
func TestSessionPages(t *testing.T) {
	each(t, func(w *world) {
		id := string(w.human("ann").ID)
		var all []string
		for range 5 {
			a := w.want(w.ruby("POST /v1/sessions", `{"session":{"user_id":"`+id+`"},"request":{"ip":"10.0.0.1","client":"app"}}`), http.StatusCreated, `"ip":"10.0.0.1"`)
			all = append(all, a.field("id"))
			w.clock.Advance(time.Minute)
		}
		walk := func(query string) (seen []string) {
			t.Helper()
			path, after := "GET /v1/sessions?user_id="+id+"&max_results=2"+query, ""
			for range 4 {
				page := w.want(w.manage(path+after, ""), http.StatusOK, `"client":"app"`)
				for _, one := range page.json["collection"].([]any) {
					seen = append(seen, one.(map[string]any)["id"].(string))
				}
				if more, _ := page.json["more_results"].(bool); !more {
					break
				}
				after = "&after=" + seen[len(seen)-1]
			}
			return seen
		}
		if got := walk("&sort=id"); !slices.Equal(got, all) {
			t.Errorf("sessions by page = %v; want %v", got, all)
		}
		last := slices.Clone(all)
		slices.Reverse(last)
		if got := walk("&direction=desc"); !slices.Equal(got, last) {
			t.Errorf("sessions by page, the last first = %v; want %v", got, last)
		}
		w.want(w.manage("DELETE /v1/sessions/"+all[1], ""), http.StatusNoContent, "")
		w.want(w.manage("GET /v1/sessions?user_id="+id+"&max_results=1&after="+all[1], ""), http.StatusOK, all[2])
		if got := walk(""); !slices.Equal(got, slices.Delete(slices.Clone(all), 1, 2)) {
			t.Errorf("sessions by page = %v; want %v without the second", got, all)
		}
		for _, query := range []string{"&max_results=0", "&max_results=1001", "&after=usr_x", "&sort=name", "&direction=up"} {
			w.want(w.manage("GET /v1/sessions?user_id="+id+query, ""), http.StatusUnprocessableEntity, "")
		}
	})
}
