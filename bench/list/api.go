package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// answer keeps what the API answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the status.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write keeps some of the body.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// query is what a client asks for, to get the page.
func (r reader) query() string {
	q := url.Values{"max_results": {strconv.Itoa(r.in.Limit)}, "sort": {string(r.in.Sort)}}
	if r.in.Reference != nil {
		q.Set("reference", *r.in.Reference)
	}
	for name, value := range map[string]string{"state": string(r.in.State), "user_type": string(r.in.Type), "after": string(r.in.After)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// request returns the request for the page, as a server has read it from a client.
func (r reader) request(ctx context.Context) (*http.Request, error) {
	text := fmt.Sprintf("GET /v1/users?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nX-Authrocket-Api-Key: %s\r\nX-Authrocket-Realm: %s\r\n\r\n",
		r.query(), r.key, r.realm)
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil, err
	}
	request.RemoteAddr = "127.0.0.1:50000"
	return request.WithContext(ctx), nil
}

// call asks the API for the page once. What reading the request and keeping the answer take is not counted: it is not ours.
func (r reader) call(ctx context.Context) (time.Duration, error) {
	request, err := r.request(ctx)
	if err != nil {
		return 0, err
	}
	r.answer.header, r.answer.status = http.Header{}, http.StatusOK
	r.answer.body.Reset()
	begun := time.Now()
	r.api.ServeHTTP(&r.answer, request)
	took := time.Since(begun)
	if r.answer.status != http.StatusOK {
		return 0, fmt.Errorf("GET /v1/users?%s = %d: %s", r.query(), r.answer.status, &r.answer.body)
	}
	return took, nil
}

// check holds that the API shows a whole page, of the users that core lists.
func (r reader) check(ctx context.Context) error {
	if _, err := r.call(ctx); err != nil {
		return err
	}
	var shown struct{ Collection []struct{ ID core.UserID } }
	if err := json.Unmarshal(r.answer.body.Bytes(), &shown); err != nil {
		return err
	}
	page, err := r.users.List(ctx, r.realm, r.in)
	if err != nil {
		return err
	}
	var got, want []core.UserID
	for _, u := range shown.Collection {
		got = append(got, u.ID)
	}
	for _, u := range page.Users {
		want = append(want, u.ID)
	}
	if len(got) != pageSize || !slices.Equal(got, want) {
		return fmt.Errorf("GET /v1/users?%s shows the %d users %q; core lists the %d %q", r.query(), len(got), got, len(want), want)
	}
	return nil
}
