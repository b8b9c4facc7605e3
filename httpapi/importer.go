package httpapi

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/failure"
)

// importBatch is how many lines of an import are carried out at once, and held in memory.
const importBatch = 32

// maxLine bounds a line of an import, in bytes: room for a user with as much as a user can have, where each character of HTML is written in
// six, as exports do.
const maxLine = 512 << 10

// importer is an import under way.
type importer struct {
	api   *API
	call  *call
	realm core.RealmID
	dry   bool
	lines *bufio.Reader // as large as the longest line
	at    int           // lines read
	sum   wire.ImportSummary
	once  *onceImport // nil where the call has no Idempotency-Key

	before core.Rehearsal // of a dry import
	mu     sync.Mutex
	orgsOf map[core.OrgID]bool // orgs that a dry import would have made
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
		line, err := in.next()
		if len(line.text) > 0 {
			batch = append(batch, line)
		}
		if err != nil {
			return batch, err
		}
	}
	return batch, nil
}

// next returns the next line, which may be blank. It returns io.EOF with the last of them, or after it.
func (in *importer) next() (importLine, error) {
	text, err := in.lines.ReadSlice('\n')
	line := importLine{number: in.at + 1, text: bytes.TrimSpace(bytes.Clone(text))}
	if in.at == 0 {
		line.text = bytes.TrimSpace(bytes.TrimPrefix(line.text, []byte("\ufeff"))) // editors on Windows begin a file with it
	}
	if len(text) > 0 {
		in.at++
	}
	in.once.saw(text)
	for errors.Is(err, bufio.ErrBufferFull) {
		line.tooLong = true
		text, err = in.lines.ReadSlice('\n')
		in.once.saw(text)
	}
	return line, err
}

// carryOut does what lines ask for, all at once, and returns what became of them in their order. It fails with what
// stands in the way of all: then some of the lines may have been carried out, and an import can be repeated.
func (in *importer) carryOut(batch []importLine) ([]wire.ImportLine, error) {
	results, errs := make([]wire.ImportLine, len(batch)), make([]error, len(batch))
	lines := make([]parsedLine, len(batch))
	for i, line := range batch {
		lines[i] = parseLine(line)
		in.once.name(lines[i].user, line)
	}
	turns, most := turnsOf(lines)
	for turn := range most + 1 {
		var all sync.WaitGroup
		for i, line := range lines {
			if turns[i] == turn {
				all.Go(func() { results[i], errs[i] = in.one(batch[i].number, line) })
			}
		}
		all.Wait()
	}
	if err := cmp.Or(errs...); err != nil { // each says the same
		return nil, err
	}
	for _, result := range results {
		in.sum.Lines++
		switch result.Status {
		case "created":
			in.sum.Created++
		case "updated":
			in.sum.Updated++
		case "exists":
			in.sum.Exists++
		default:
			in.sum.Failed++
		}
	}
	return results, nil
}

// one does what one line asks for.
func (in *importer) one(number int, line parsedLine) (wire.ImportLine, error) {
	result, made, err := wire.ImportLine{Line: number, Status: "exists"}, false, line.err
	switch {
	case err != nil:
	case line.realm != nil:
		result.ID = string(in.realm)
		var changed bool
		if changed, err = in.api.core.Realms.Import(in.call.Context(), in.realm, *line.realm, in.dry, core.Request{}); changed {
			result.Status = "updated"
		}
	case line.org != nil:
		result.ID = string(line.org.ID)
		if made, err = in.api.core.Orgs.Import(in.call.Context(), in.realm, *line.org, in.dry, core.Request{}); made {
			made = in.madeOrg(line.org.ID)
		}
	default:
		var id core.UserID
		if in.dry {
			in.presume(line.user)
		}
		id, made, err = in.api.core.Users.Import(in.call.Context(), in.realm, *line.user, in.dry, core.Request{})
		result.ID = string(id)
	}
	if made {
		result.Status = "created"
	}
	if err != nil {
		return failed(number, err)
	}
	return result, nil
}

// failed says what is wrong with a line. What is not the line's fault ends the import.
func failed(number int, err error) (wire.ImportLine, error) {
	result := wire.ImportLine{Line: number}
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Kind != core.KindInvalid && e.Kind != core.KindMalformed && e.Kind != core.KindConflict {
		return result, err
	}
	result.Status = "failed"
	for _, f := range e.Fields {
		result.Errors = append(result.Errors, f.Message)
	}
	if len(e.Fields) == 0 {
		result.Errors = []string{failure.Sentence(e.Detail)}
	}
	return result, nil
}

// madeOrg notes an org that a dry import would have made, and reports whether it would have been made now and not before.
func (in *importer) madeOrg(id core.OrgID) bool {
	if !in.dry {
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.orgsOf == nil {
		in.orgsOf = map[core.OrgID]bool{}
	}
	first := !in.orgsOf[id]
	in.orgsOf[id] = true
	return first
}

// presume has a dry import take for granted whom it would have made before. Memberships in orgs that it would have made are taken from a
// user: they would not be in the way.
func (in *importer) presume(user *core.UserImport) {
	user.Before = &in.before
	in.mu.Lock()
	defer in.mu.Unlock()
	user.Memberships = slices.DeleteFunc(user.Memberships, func(m *core.Membership) bool { return in.orgsOf[m.Org] })
}

// parsedLine is what a line says: one of a realm's settings, an org and a user, or what is wrong with it.
type parsedLine struct {
	realm *core.RealmChange
	org   *core.OrgImport
	user  *core.UserImport
	err   error
}

// turnsOf returns when each line is carried out, among others that were read at once: a realm's settings first, and then orgs, since users may be
// members of them. Lines that want the same id or name, or the same id for a membership, come one after another: it goes to the first in the file.
func turnsOf(lines []parsedLine) (turns []int, most int) {
	turns = make([]int, len(lines))
	free := map[string]int{} // the turn in which a name may be asked for next
	place := func(i, first int, names ...string) {
		turns[i] = first
		for _, name := range names {
			turns[i] = max(turns[i], free[name])
		}
		for _, name := range names {
			free[name] = turns[i] + 1
		}
		most = max(most, turns[i])
	}
	for i, line := range lines {
		if line.org != nil {
			place(i, 1, string(line.org.ID))
		}
	}
	afterOrgs := most + 1
	for i, line := range lines {
		if line.user != nil {
			place(i, afterOrgs, namesOf(line.user)...)
		}
	}
	return turns, most
}

// namesOf returns what no two users may both have.
func namesOf(user *core.UserImport) (names []string) {
	for _, name := range []string{string(user.ID), user.Source, user.ArbitraryID, orEmpty(user.Username), orEmpty(user.Email)} {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names = append(names, name)
		}
	}
	for _, m := range user.Memberships {
		if m.ID != "" {
			names = append(names, string(m.ID))
		}
	}
	return names
}

// errLineTooLong says that a line is longer than any user is.
var errLineTooLong = errBadRequestWith("the line is longer than 512 KiB")

// parseLine reads a line of an import, as strictly as any body. What is wrong is KindMalformed or KindInvalid.
func parseLine(line importLine) parsedLine {
	if line.tooLong {
		return parsedLine{err: errLineTooLong}
	}
	members, err := parseObject(line.text)
	if err != nil {
		return parsedLine{err: err}
	}
	f := &fields{members: members}
	var read parsedLine
	switch orEmpty(f.text("object")) {
	case "realm":
		read.realm = f.realmLine()
	case "org":
		read.org = f.orgLine()
	default:
		read.user = f.userLine()
	}
	f.ignore("realm_id")
	if errs := f.rest(); len(errs) > 0 {
		return parsedLine{err: &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: errs}}
	}
	return read
}

// orgLine takes an org as exports have it.
func (f *fields) orgLine() *core.OrgImport {
	return &core.OrgImport{ID: f.orgNamed("id", "source"), CreatedAt: f.moment("created_at"), OrgChange: core.OrgChange{
		Name: f.text("name"), State: word[core.State](f, "state"), Reference: f.text("reference"), Custom: f.customLine()}}
}

// orgNamed takes the id of an org, or the name that it has in another system.
func (f *fields) orgNamed(id, source string) core.OrgID {
	org, name := orEmpty(f.text(id)), orEmpty(f.text(source))
	switch {
	case name == "":
		return core.OrgID(org)
	case org != "":
		f.complain(source, "must stand in the place of an id, and not beside it")
	}
	return core.OrgFromSource(name)
}

// userLine takes a user.
func (f *fields) userLine() *core.UserImport {
	in := &core.UserImport{
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
			Custom:            f.customLine(),
		},
		EmailChanged: f.flag("email_changed"), ChosenKeys: f.flag("chosen_keys"),
	}
	in.Password = f.passwordLine()
	for m := range f.objects("memberships") {
		one := &core.Membership{ID: core.MembershipID(orEmpty(m.text("id"))), Org: m.orgNamed("org_id", "org_source"),
			Permissions: m.texts("permissions"), ExpiresAt: core.Instant{Time: m.moment("expires_at")}, CreatedAt: core.Instant{Time: m.moment("created_at")}}
		if custom := m.customLine(); custom != nil {
			one.Custom = *custom
		}
		in.Memberships = append(in.Memberships, one)
	}
	for k := range f.objects("api_keys") {
		in.APIKeys = append(in.APIKeys, k.apiKeyLine())
	}
	for t := range f.objects("authenticators") {
		in.Authenticators = append(in.Authenticators, core.AuthenticatorCopy{ID: core.CredentialID(orEmpty(t.text("id"))), Name: orEmpty(t.text("name")),
			Sealed: orEmpty(t.text("sealed")), Step: t.whole("last_step"), New: t.flag("new"),
			CreatedAt: core.Instant{Time: t.moment("created_at")}, LastUsedAt: core.Instant{Time: t.moment("last_used_at")}})
	}
	in.RecoveryCodes = f.recoveryLine()
	return in
}

// apiKeyLine takes an API key.
func (f *fields) apiKeyLine() core.APIKeyCopy {
	key := &core.Credential{ID: core.CredentialID(orEmpty(f.text("id"))), Name: orEmpty(f.text("name")), CreatedAt: core.Instant{Time: f.moment("created_at")},
		LastUsedAt: core.Instant{Time: f.moment("last_used_at")},
		APIKey:     &core.APIKey{Digest: orEmpty(f.text("digest")), Permissions: f.texts("permissions"), ExpiresAt: core.Instant{Time: f.moment("expires_at")}}}
	for _, text := range f.texts("allowed_addresses") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			f.complain("allowed_addresses", "must be CIDRs like 192.0.2.0/24")
		}
		key.APIKey.Addresses = append(key.APIKey.Addresses, p)
	}
	return core.APIKeyCopy{Credential: key, Sealed: orEmpty(f.text("sealed"))}
}

// recoveryLine takes recovery codes; nil where they are missing.
func (f *fields) recoveryLine() *core.RecoveryCopy {
	r := f.inside("recovery_codes", "must be an object")
	if r == nil {
		return nil
	}
	codes := &core.RecoveryCopy{ID: core.CredentialID(orEmpty(r.text("id"))), Sealed: orEmpty(r.text("sealed")),
		CreatedAt: core.Instant{Time: r.moment("created_at")}, LastUsedAt: core.Instant{Time: r.moment("last_used_at")}}
	f.errs = append(f.errs, r.rest()...)
	return codes
}

// inside takes an object; nil where it is missing, null, or not as it must be.
func (f *fields) inside(name, must string) *fields {
	raw, there := f.take(name)
	if !there || string(raw) == "null" {
		return nil
	}
	inner := &fields{members: members(raw)}
	if inner.members == nil {
		f.complain(name, must)
		return nil
	}
	return inner
}

// whole takes a whole number; 0 where it is missing.
func (f *fields) whole(name string) (n int64) {
	raw, there := f.take(name)
	if there && json.Unmarshal(raw, &n) != nil {
		f.complain(name, "must be a whole number")
	}
	return n
}

// objects takes an array of objects, one after another. What is wrong with one is the whole's.
func (f *fields) objects(name string) iter.Seq[*fields] {
	return func(yield func(*fields) bool) {
		raw, there := f.take(name)
		if !there || string(raw) == "null" {
			return
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || slices.ContainsFunc(list, func(one json.RawMessage) bool { return members(one) == nil }) {
			f.complain(name, "must be an array of objects")
			return
		}
		for _, text := range list {
			one := &fields{members: members(text)}
			if !yield(one) {
				return
			}
			f.errs = append(f.errs, one.rest()...)
		}
	}
}

// customLine takes custom attributes; nil where they are missing.
func (f *fields) customLine() *core.Custom {
	raw, there := f.take("custom")
	if !there || string(raw) == "null" {
		return nil
	}
	custom := core.Custom{}
	if json.Unmarshal(raw, &custom) != nil {
		f.complain("custom", "must be an object")
	}
	return &custom
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
	p := f.inside("password", "must be an object with a hash; a password itself is not imported")
	if p == nil {
		return nil
	}
	copied := &core.PasswordCopy{Hash: orEmpty(p.text("hash")),
		Imported: !p.flag("own"), CreatedAt: core.Instant{Time: p.moment("created_at")}}
	f.errs = append(f.errs, p.rest()...)
	return copied
}
