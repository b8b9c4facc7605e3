package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What exports and imports are made of.
type (
	UserLine          = wire.UserLine
	PasswordLine      = wire.PasswordLine
	MembershipLine    = wire.MembershipLine
	APIKeyLine        = wire.APIKeyLine
	AuthenticatorLine = wire.AuthenticatorLine
	RecoveryLine      = wire.RecoveryLine
	ImportLine        = wire.ImportLine
	ImportSummary     = wire.ImportSummary
)

// mediaNDJSON is a JSON object a line; maxLine bounds a line of an answer, in bytes.
const (
	mediaNDJSON = "application/x-ndjson"
	maxLine     = 1 << 20
)

// ExportOptions says what to export. The zero value is all users, without passwords.
type ExportOptions struct {
	After          string // the id of the last user of an export that was cut short; "" = from the beginning
	PasswordHashes bool   // with the hashes of passwords
	Memberships    bool   // with memberships and, where After is "", a line for each org before the users
	APIKeys        bool   // with API keys, as their digests; those that the realm shows again also sealed under the server's master key
	Authenticators bool   // with authenticators, whose secrets are sealed under the server's master key
	Settings       bool   // with the realm's own settings where After is "": a line before all others
	RecoveryCodes  bool   // with the recovery codes that are left, as hashes sealed under the server's master key
}

// ExportNDJSON returns all users of the realm in the order of their ids, a JSON object a line, to be read and closed. Where it ends
// with an error and not with io.EOF, it was cut short. It needs the manage permission.
func (s *Users) ExportNDJSON(ctx context.Context, o ExportOptions) (io.ReadCloser, error) {
	r := to("GET", "/v1/bulk/users")
	put(r.query, "after", o.After)
	for name, on := range map[string]bool{"password_hashes": o.PasswordHashes, "memberships": o.Memberships, "api_keys": o.APIKeys,
		"authenticators": o.Authenticators, "recovery_codes": o.RecoveryCodes, "settings": o.Settings} {
		if on {
			r.query.Set(name, "true")
		}
	}
	var body io.ReadCloser
	err := s.c.repeat(ctx, r, func() error {
		response, err := s.c.carry(ctx, r, nil, "")
		if err == nil {
			body = response.Body
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Export returns all users of the realm in the order of their ids. Where it ends with an error, it can be gone on with after the last
// one. It needs the manage permission.
func (s *Users) Export(ctx context.Context, o ExportOptions) iter.Seq2[*UserLine, error] {
	return func(yield func(*UserLine, error) bool) {
		body, err := s.ExportNDJSON(ctx, o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer body.Close()
		for line, err := range lines[UserLine](ctx, body, "GET /v1/bulk/users") {
			if !yield(line, err) {
				return
			}
		}
	}
}

// lines returns what an answer holds, a JSON object a line. What goes wrong ends it.
func lines[T any](ctx context.Context, body io.Reader, route string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		scanner := bufio.NewScanner(body)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			line := new(T)
			if json.Unmarshal(scanner.Bytes(), line) != nil { // its text may hold what is secret
				yield(nil, &Error{Kind: KindInternal, Code: CodeNotPostern, Route: route, Detail: "a line of the answer cannot be read"})
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			e := unanswered(ctx, err)
			e.Route, e.Detail = route, "the answer was cut short"
			yield(nil, e)
		}
	}
}

// ImportOptions says how to import.
type ImportOptions struct {
	DryRun bool             // nothing is written
	Each   func(ImportLine) // is told what became of each line, in order, while the import goes on; nil = nobody is

	// Name is an Idempotency-Key: sent again under it, with the same users, an import that was broken off goes on where it was, and one that
	// came to its end answers how. Of lines that were done before, Each is told of some that failed. "" = none
	Name string
}

// Import makes users of lines as exports have them (see UserLines): each is made or not by itself, and one that is there already is
// passed over, so that an import that fails in the middle may be made again. It returns how many were made. Lines that are not
// good are no error; Each is told of them. It is tried once, and needs the manage permission.
func (s *Users) Import(ctx context.Context, users io.Reader, o ImportOptions) (*ImportSummary, error) {
	r := to("POST", "/v1/bulk/users")
	if o.DryRun {
		r.query.Set("dry_run", "true")
	}
	if o.Name != "" {
		IdempotencyKey(o.Name)(r)
	}
	if strings.ContainsFunc(o.Name, notInHeader) {
		return nil, r.failed(&Error{Kind: KindMalformed, Code: CodeBadCall, Detail: "the name holds a character that cannot be sent"})
	}
	response, err := s.c.carry(ctx, r, users, mediaNDJSON)
	if err != nil {
		return nil, r.failed(err)
	}
	defer response.Body.Close()
	type line struct { // one of the three
		ImportLine
		ImportSummary
		Error string `json:"error"` // of an ImportEnded
	}
	for l, err := range lines[line](ctx, response.Body, "POST /v1/bulk/users") {
		switch {
		case err != nil:
			return nil, err
		case l.Object == "import":
			return &l.ImportSummary, nil
		case l.Object == "error":
			return nil, r.failed(&Error{Kind: KindUnavailable, Code: CodeOutcomeUnknown, Detail: "the import did not come to its end: " + l.Error})
		case o.Each != nil:
			o.Each(l.ImportLine)
		}
	}
	return nil, r.failed(&Error{Kind: KindUnavailable, Code: CodeOutcomeUnknown, Detail: "the import did not come to its end"})
}

// UserLines returns users as Import reads them. Import closes it.
func UserLines(users iter.Seq[*UserLine]) io.ReadCloser {
	next, stop := iter.Pull(users)
	return &lineReader{next: next, stop: stop}
}

// lineReader reads users as lines. Close may come while Read is under way.
type lineReader struct {
	mu   sync.Mutex
	next func() (*UserLine, bool)
	stop func()
	line bytes.Reader // what is left of the line that is being read
}

// Read returns a part of a line.
func (l *lineReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.Len() == 0 {
		user, more := l.next()
		if !more {
			return 0, io.EOF
		}
		text, err := json.Marshal(user)
		if err != nil {
			return 0, err
		}
		l.line.Reset(append(text, '\n'))
	}
	return l.line.Read(p)
}

// Close ends the users.
func (l *lineReader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	return nil
}
