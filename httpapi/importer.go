package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// importBatch is how many lines of an import are carried out at once, and held in memory.
const importBatch = 32

// importer is an import under way.
type importer struct {
	api   *API
	call  *call
	realm core.RealmID
	dry   bool
	lines *bufio.Reader // as large as the longest line
	at    int           // lines read
	sum   wire.ImportSummary
}

// importLine is a line of an import that is not blank.
type importLine struct {
	number  int
	text    []byte
	tooLong bool
}

// read returns the next lines: as many as are there already, at least one. It returns io.EOF with the last of them.
func (in *importer) read() ([]importLine, error) {
	var batch []importLine
	for len(batch) < importBatch && (len(batch) == 0 || in.lines.Buffered() > 0) {
		text, err := in.lines.ReadSlice('\n')
		line := importLine{number: in.at + 1, text: bytes.TrimSpace(bytes.Clone(text))}
		for errors.Is(err, bufio.ErrBufferFull) {
			line.tooLong = true
			_, err = in.lines.ReadSlice('\n')
		}
		if len(text) > 0 {
			in.at++
		}
		if len(line.text) > 0 {
			batch = append(batch, line)
		}
		if err != nil {
			return batch, err
		}
	}
	return batch, nil
}

// carryOut does what lines ask for, all at once, and returns what became of them in their order. It fails with what
// stands in the way of all: then some of the lines may have been carried out, and an import can be repeated.
func (in *importer) carryOut(batch []importLine) ([]wire.ImportLine, error) {
	results, errs := make([]wire.ImportLine, len(batch)), make([]error, len(batch))
	var all sync.WaitGroup
	for i, line := range batch {
		all.Go(func() { results[i], errs[i] = in.one(line) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, result := range results {
		in.sum.Lines++
		switch result.Status {
		case "created":
			in.sum.Created++
		case "exists":
			in.sum.Exists++
		default:
			in.sum.Failed++
		}
	}
	return results, nil
}

// one does what one line asks for.
func (in *importer) one(line importLine) (wire.ImportLine, error) {
	user, err := readUserLine(line)
	var id core.UserID
	made := false
	if err == nil {
		id, made, err = in.api.core.Users.Import(in.call.Context(), in.realm, user, in.dry, core.Request{})
	}
	result := wire.ImportLine{Line: line.number, Status: "exists", ID: string(id)}
	if made {
		result.Status = "created"
	}
	if err == nil {
		return result, nil
	}
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Kind != core.KindInvalid && e.Kind != core.KindMalformed && e.Kind != core.KindConflict {
		return result, err
	}
	result.Status = "failed"
	for _, f := range e.Fields {
		result.Errors = append(result.Errors, f.Message)
	}
	if len(e.Fields) == 0 {
		result.Errors = []string{sentence(e.Detail)}
	}
	return result, nil
}

// errLineTooLong says that a line is longer than any body may be.
var errLineTooLong = errBadRequestWith("the line is longer than 128 KiB")

// readUserLine reads a line of an import, as strictly as any body. It fails with KindMalformed and KindInvalid.
func readUserLine(line importLine) (core.UserImport, error) {
	if line.tooLong {
		return core.UserImport{}, errLineTooLong
	}
	members, err := parseObject(line.text)
	if err != nil {
		return core.UserImport{}, err
	}
	f := &fields{members: members}
	in := core.UserImport{
		ID: core.UserID(orEmpty(f.text("id"))), Source: orEmpty(f.text("source")), ArbitraryID: orEmpty(f.text("arbitrary_id")),
		CreatedAt: f.moment("created_at"), LastLoginAt: f.moment("last_login_at"),
		UserChange: core.UserChange{
			Type:              word[core.UserType](f, "user_type"),
			State:             word[core.State](f, "state"),
			Username:          f.text("username"),
			Email:             f.text("email"),
			EmailVerification: word[core.EmailVerification](f, "email_verification"),
			FirstName:         f.text("first_name"),
			LastName:          f.text("last_name"),
			Name:              f.text("name"),
			Reference:         f.text("reference"),
		},
	}
	if raw, there := f.take("custom"); there && string(raw) != "null" {
		custom := core.Custom{}
		if json.Unmarshal(raw, &custom) != nil {
			f.complain("custom", "must be an object")
		}
		in.Custom = &custom
	}
	in.Password = f.passwordLine()
	f.ignore("object", "realm_id")
	if errs := f.rest(); len(errs) > 0 {
		return core.UserImport{}, &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: errs}
	}
	return in, nil
}

// moment takes a time; the zero time where it is missing.
func (f *fields) moment(name string) time.Time {
	if t := f.time(name); t != nil {
		return *t
	}
	return time.Time{}
}

// passwordLine takes a password as exports have it; nil where it is missing.
func (f *fields) passwordLine() *core.PasswordCopy {
	raw, there := f.take("password")
	if !there || string(raw) == "null" {
		return nil
	}
	p := &fields{members: members(raw)}
	if p.members == nil {
		f.complain("password", "must be an object with a hash; a password itself is not imported")
		return nil
	}
	copied := &core.PasswordCopy{Hash: orEmpty(p.text("hash")),
		Imported: !p.flag("own"), CreatedAt: core.Instant{Time: p.moment("created_at")}}
	f.errs = append(f.errs, p.rest()...)
	return copied
}
