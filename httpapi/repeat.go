package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/postern-auth/postern/core"
)

// A POST with an Idempotency-Key can be sent again by whoever has not heard of its answer: it is carried out once, and
// answered alike for 24 hours (draft-ietf-httpapi-idempotency-key-header). That is for callers with a management key. From
// others the header means nothing: an APT works once by itself.

// maxIdempotencyKey bounds an Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// unrepeated are calls to which the header means nothing, whoever sends it: one whose body is read and answered line by line, so that
// neither is ever there as a whole, and one that looks at an APT alone, so that with the same management key beside it another APT may
// be another user's.
var unrepeated = map[string]bool{"POST /v1/bulk/users": true, "POST /v1/users/reauth": true}

// errIdempotencyKey says that a key is none.
var errIdempotencyKey = &core.Error{Kind: core.KindMalformed, Code: "bad_idempotency_key", Detail: "send one Idempotency-Key of 1 to 255 visible ASCII characters"}

// repeatable serves a call, and if it names itself by an Idempotency-Key, only once.
func (a *API) repeatable(w http.ResponseWriter, c *call, rt *routed) error {
	names, secret := c.Header["Idempotency-Key"], ""
	if len(names) > 0 && c.Method == http.MethodPost && !unrepeated[c.pattern] {
		secret, _ = c.managementKey()
	}
	if secret == "" {
		return a.conditional(w, c, rt)
	}
	key, err := a.authenticated(c, secret)
	if errors.Is(err, core.ErrManagementKey) {
		return a.conditional(w, c, rt) // which refuses it in its own words
	} else if err != nil {
		return err
	}
	if len(names) != 1 || !isIdempotencyKey(names[0]) {
		return errIdempotencyKey
	}
	text, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return errBadRequest
	}
	if len(text) > maxBody { // it can only be refused
		c.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), c.Body))
		return a.conditional(w, c, rt)
	}
	realm, err := a.realmAhead(c)
	if err != nil {
		return err
	}
	return a.once(w, c, rt, core.Repeatable{Key: key, Realm: realm, Name: names[0], Request: c.fingerprint(text)}, text)
}

// realmAhead returns the realm that a call names before its body is read, or "". What is wrong with the name, the call is told
// later, or not if it acts in no realm.
func (a *API) realmAhead(c *call) (core.RealmID, error) {
	named, err := c.namedRealm()
	if err != nil || named == "" {
		return "", nil
	}
	realm, err := a.core.Realms.Find(c.Context(), string(named))
	if errors.Is(err, core.ErrRealmNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return realm.ID, nil
}

// isIdempotencyKey reports whether a header names a call. Quotes, as the draft has them, are part of the name.
func isIdempotencyKey(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return name != "" && len(name) <= maxIdempotencyKey
}

// fingerprint returns all of a call with a body that its answer depends on, but for who is calling.
func (c *call) fingerprint(body []byte) []byte {
	head, err := json.Marshal([]any{c.Method, c.URL.RequestURI(), c.Header["X-Authrocket-Realm"], c.Header["Authrocket-Realm"],
		c.Header.Get("Content-Type"), c.wanted, c.problems})
	if err != nil { // our own types
		panic(err)
	}
	return append(append(head, '\n'), body...)
}

// once serves a call with a body, or sends what the call was answered before.
func (a *API) once(w http.ResponseWriter, c *call, rt *routed, in core.Repeatable, body []byte) error {
	answer, repeated, err := a.core.Repeats.Once(c.Context(), in, func(ctx context.Context) ([]byte, bool) {
		d, again := newDraft(http.Header{}), *c
		again.Request = c.WithContext(ctx)
		again.Body = io.NopCloser(bytes.NewReader(body))
		if err := a.conditional(d, &again, rt); err != nil {
			a.fail(d, &again, err)
		}
		return d.encode(), d.status < 500 && d.status != http.StatusConflict && d.status != http.StatusTooManyRequests
	})
	if err != nil {
		return err
	}
	d, err := decodeDraft(answer)
	if err != nil {
		return err
	}
	if repeated {
		d.header.Set("Idempotency-Replayed", "true")
	}
	d.send(w)
	return nil
}

// draftHead is what stands before the body of an answer that is kept.
type draftHead struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
}

// encode returns an answer as it is kept: a line of JSON, and the body.
func (d *draft) encode() []byte {
	head, err := json.Marshal(draftHead{d.status, d.header})
	if err != nil { // our own types
		panic(err)
	}
	return append(append(head, '\n'), d.body.Bytes()...)
}

// decodeDraft reads what encode returned.
func decodeDraft(kept []byte) (*draft, error) {
	head, body, _ := bytes.Cut(kept, []byte("\n"))
	var h draftHead
	if err := json.Unmarshal(head, &h); err != nil {
		return nil, err
	}
	d := &draft{header: h.Header, status: h.Status}
	if d.header == nil {
		d.header = http.Header{}
	}
	d.body.Write(body)
	return d, nil
}
