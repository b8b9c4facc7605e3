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
// answered alike for 24 hours (draft-ietf-httpapi-idempotency-key-header). Nothing is kept for whoever has not proved who
// they are. An import, whose body and answer are streams, sees to it itself: see onceImport.

// maxIdempotencyKey bounds an Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// errIdempotencyKey says that a key is none.
var errIdempotencyKey = &core.Error{Kind: core.KindMalformed, Code: "bad_idempotency_key", Detail: "send one Idempotency-Key of 1 to 255 visible ASCII characters"}

// repeatable serves a call, and if it names itself by an Idempotency-Key, only once.
func (a *API) repeatable(w http.ResponseWriter, c *call, rt *routed) error {
	if _, sent := c.Header["Idempotency-Key"]; !sent || c.Method != http.MethodPost || rt.streams {
		return a.conditional(w, c, rt)
	}
	var in core.Repeatable
	var body []byte
	var err error
	if c.byAPT() {
		in, body, err = a.repeatableByAPT(w, c)
	} else {
		in, body, err = a.repeatableByKey(c)
	}
	switch {
	case errors.Is(err, errNotRepeatable):
		return a.conditional(w, c, rt)
	case err != nil:
		return err
	}
	in.Request = c.fingerprint(body)
	return a.once(w, c, rt, in, body)
}

// errNotRepeatable says that a call can only be refused, which is left to whoever serves it, in their own words.
var errNotRepeatable = errors.New("httpapi: this call is not repeated")

// idempotencyKey returns the name that a call gives itself.
func (c *call) idempotencyKey() (string, error) {
	names := c.Header["Idempotency-Key"]
	if len(names) != 1 || !isIdempotencyKey(names[0]) {
		return "", errIdempotencyKey
	}
	return names[0], nil
}

// repeatableByKey returns a call with a management key, and its body.
func (a *API) repeatableByKey(c *call) (in core.Repeatable, body []byte, err error) {
	secret, _ := c.managementKey()
	if in.Key, err = a.authenticated(c, secret); errors.Is(err, core.ErrManagementKey) {
		return in, nil, errNotRepeatable
	} else if err != nil {
		return in, nil, err
	}
	if in.Name, err = c.idempotencyKey(); err != nil {
		return in, nil, err
	}
	if body, err = io.ReadAll(io.LimitReader(c.Body, maxBody+1)); err != nil {
		return in, nil, errBadRequest
	}
	if len(body) > maxBody {
		c.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), c.Body))
		return in, nil, errNotRepeatable
	}
	in.Realm, err = a.realmAhead(c)
	return in, body, err
}

// byAPT reports whether a call is one of those that an APT alone allows. reauth does not look at a management key beside it.
func (c *call) byAPT() bool {
	return c.pattern == "POST /v1/users/reauth" || c.pattern == "POST /v1/users" && c.showsAPT()
}

// repeatableByAPT returns a call with an APT, and its body. The APT is no part of what tells one call from another, as each
// repetition needs one that was not used before.
func (a *API) repeatableByAPT(w http.ResponseWriter, c *call) (in core.Repeatable, body []byte, err error) {
	if body, err = c.readText(w); err != nil {
		return in, nil, err
	}
	read := *c
	read.Request = c.WithContext(c.Context())
	read.Body = io.NopCloser(bytes.NewReader(body))
	apt, err := read.apt(w)
	if err != nil {
		return in, nil, err
	}
	if in.APT, err = a.core.APTs.Vouch(c.Context(), apt, c.pattern == "POST /v1/users/reauth"); err != nil {
		return in, nil, err
	}
	in.Name, err = c.idempotencyKey()
	return in, body, err
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
		c.Header.Get("Content-Type"), c.wants.Answer, c.wants.Problems})
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
		return d.encode(), isKept(d.status, in)
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

// isKept reports whether the answer to a call is kept. Of a call with an APT a refusal is not: it changes nothing, and nothing but the
// users and sessions that an APT may make bounds how many of them there are.
func isKept(status int, in core.Repeatable) bool {
	if in.APT != nil {
		return status < 300
	}
	return status < 500 && status != http.StatusConflict && status != http.StatusTooManyRequests
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
