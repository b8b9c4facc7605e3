package httpapi

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/failure"
	"github.com/postern-auth/postern/internal/fastjson"
)

// mediaNDJSON is that of bulk: a JSON object a line.
const mediaNDJSON = "application/x-ndjson"

// exportPage is how many users are read at once.
const exportPage = 200

// switched returns a switch in a query, which is off where it is missing.
func (f *fields) switched(values url.Values, name string) bool {
	on := values.Get(name)
	if !slices.Contains([]string{"", "true", "false"}, on) {
		f.complain(name, "must be true or false")
	}
	return on == "true"
}

// exportQuery reads what an export is to have, and behind whom it begins; settings says whether the realm's own are in it.
func (c *call) exportQuery() (want core.ExportParts, settings bool, after core.UserID, err error) {
	values, err := c.parameters("after", "settings", "password_hashes", "memberships", "api_keys", "authenticators", "recovery_codes")
	if err != nil {
		return want, false, "", err
	}
	q := fields{}
	want = core.ExportParts{Passwords: q.switched(values, "password_hashes"), Memberships: q.switched(values, "memberships"),
		APIKeys: q.switched(values, "api_keys"), Authenticators: q.switched(values, "authenticators"), RecoveryCodes: q.switched(values, "recovery_codes")}
	settings = q.switched(values, "settings")
	return want, settings, core.UserID(values.Get("after")), q.wrong()
}

// dryRun reads whether an import is to write nothing.
func (c *call) dryRun() (bool, error) {
	values, err := c.parameters("dry_run")
	if err != nil {
		return false, err
	}
	q := fields{}
	return q.switched(values, "dry_run"), q.wrong()
}

// exportUsers serves GET /v1/bulk/users: all users of a realm in the order of their ids, a line each, from the one after
// ?after on. What else is theirs is in it with ?password_hashes=true and its like alone; the settings and orgs
// come first. An answer that is cut short was not finished.
func (a *API) exportUsers(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	want, settings, after, err := c.exportQuery()
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // there is nothing to read, and else the call would end with the time for that
	about, err := a.core.Realms.Get(c.Context(), realm)
	if err != nil {
		return err
	}
	users, more, err := a.core.Users.Export(c.Context(), realm, after, exportPage, want)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaNDJSON)
	if after == "" {
		if err := a.exportFirst(w, c, about, settings, want.Memberships); err != nil {
			return err
		}
	}
	for {
		for _, u := range users {
			line := userLine(u)
			line.ChosenKeys = about.ChosenKeys && len(line.APIKeys) > 0
			writeLine(w, line)
			after = u.ID
		}
		if !more {
			return nil
		}
		_ = http.NewResponseController(w).Flush() // where that cannot be, the answer comes later
		if users, more, err = a.core.Users.Export(c.Context(), realm, after, exportPage, want); err != nil {
			a.cutShort(c, err)
		}
	}
}

// exportFirst writes what comes before all users: the realm's settings and its orgs, as far as they are asked for.
func (a *API) exportFirst(w http.ResponseWriter, c *call, realm *core.Realm, settings, orgs bool) error {
	if settings {
		if err := a.exportSettings(w, c, realm); err != nil {
			return err
		}
	}
	if orgs {
		a.exportOrgs(w, c, realm.ID)
	}
	return nil
}

// exportOrgs writes a line for each org of a realm.
func (a *API) exportOrgs(w http.ResponseWriter, c *call, realm core.RealmID) {
	in := core.ListOrgs{Limit: exportPage, Sort: core.OrgByID}
	for {
		page, err := a.core.Orgs.List(c.Context(), realm, in)
		if err != nil {
			a.cutShort(c, err)
		}
		for _, o := range page.Orgs {
			writeLine(w, wire.UserLine{Object: "org", ID: string(o.ID), Name: o.Name, State: string(o.State), Reference: o.Reference, Custom: o.Custom,
				CreatedAt: wire.Time{Time: o.CreatedAt.Time}})
			in.After = o.ID
		}
		if !page.More {
			return
		}
	}
}

// cutShort ends an answer that has begun so that whoever reads it notices.
func (a *API) cutShort(c *call, err error) {
	if c.Context().Err() != nil {
		a.leaveOff(c, err)
	}
	a.log.Error("answer cut short", zap.String("route", c.pattern), zap.String("request_id", c.id), zap.Error(err))
	panic(http.ErrAbortHandler)
}

// leaveOff ends an answer to a caller who has gone, or sends nothing more, which nobody need look into.
func (a *API) leaveOff(c *call, err error) {
	a.log.Info("the caller left off", zap.String("route", c.pattern), zap.String("request_id", c.id), zap.Error(err))
	panic(http.ErrAbortHandler)
}

// writeLine writes a line of NDJSON. That the caller has gone is noticed elsewhere.
func writeLine(w io.Writer, v any) {
	line, err := fastjson.Marshal(v)
	if err != nil {
		panic(err) // a wire type that cannot be encoded
	}
	_, _ = w.Write(append(line, '\n'))
}

// userLine returns a user as an export has one.
func userLine(u core.ExportedUser) wire.UserLine {
	line := wire.UserLine{
		ID: string(u.ID), UserType: string(u.Type), State: string(u.State), Username: u.Username, Email: u.Email,
		EmailVerification: string(u.EmailVerification), EmailChanged: u.EmailChanged, FirstName: u.FirstName, LastName: u.LastName, Name: u.APIName,
		Reference: u.Reference, ArbitraryID: u.ArbitraryID, Custom: u.Custom,
		CreatedAt: wire.Time{Time: u.CreatedAt.Time}, LastLoginAt: wire.Time{Time: u.LastLoginAt.Time},
	}
	if p := u.Password; p != nil {
		line.Password = &wire.PasswordLine{Hash: p.Hash, Own: !p.Imported, CreatedAt: wire.Time{Time: p.CreatedAt.Time}}
	}
	for _, m := range u.UserParts.Memberships {
		line.Memberships = append(line.Memberships, wire.MembershipLine{ID: string(m.ID), OrgID: string(m.Org), Permissions: m.Permissions,
			ExpiresAt: wire.Time{Time: m.ExpiresAt.Time}, Custom: m.Custom, CreatedAt: wire.Time{Time: m.CreatedAt.Time}})
	}
	for _, k := range u.APIKeys {
		key := wire.APIKeyLine{ID: string(k.ID), Digest: k.APIKey.Digest, Sealed: k.Sealed, Name: k.Name, Permissions: k.APIKey.Permissions,
			ExpiresAt: wire.Time{Time: k.APIKey.ExpiresAt.Time}, CreatedAt: wire.Time{Time: k.CreatedAt.Time}, LastUsedAt: wire.Time{Time: k.LastUsedAt.Time}}
		for _, from := range k.APIKey.Addresses {
			key.Addresses = append(key.Addresses, from.String())
		}
		line.APIKeys = append(line.APIKeys, key)
	}
	for _, t := range u.Authenticators {
		line.Authenticators = append(line.Authenticators, wire.AuthenticatorLine{ID: string(t.ID), Name: t.Name, Sealed: t.Sealed, LastStep: t.Step, New: t.New,
			CreatedAt: wire.Time{Time: t.CreatedAt.Time}, LastUsedAt: wire.Time{Time: t.LastUsedAt.Time}})
	}
	if r := u.RecoveryCodes; r != nil {
		line.RecoveryCodes = &wire.RecoveryLine{ID: string(r.ID), Sealed: r.Sealed, CreatedAt: wire.Time{Time: r.CreatedAt.Time}, LastUsedAt: wire.Time{Time: r.LastUsedAt.Time}}
	}
	return line
}

// importUsers serves POST /v1/bulk/users: a user a line, as an export has them, of which each is made or not by itself. The
// answer has a line for each, in order, and a summary at the end. With ?dry_run=true nothing is written.
func (a *API) importUsers(w http.ResponseWriter, c *call) error {
	in, err := a.newImporter(c)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 needs none
	in.lines = bufio.NewReaderSize(&steadyBody{c.Body, control}, maxLine+1)
	defer in.once.leave(c)
	if err := in.takeUp(); err != nil {
		passOver(control, c.Body)
		return err
	}
	w.Header().Set("Content-Type", mediaNDJSON)
	for _, line := range in.once.done(w) {
		writeLine(w, line)
	}
	ended := in.once.over()
	if ended {
		passOver(control, c.Body)
	}
	for !ended {
		batch, err := in.read()
		if ended = errors.Is(err, io.EOF); err != nil && !ended {
			a.leaveOff(c, err)
		}
		results, err := in.carryOut(batch)
		if err == nil {
			err = in.note(results, ended)
		}
		for _, result := range results {
			writeLine(w, result)
		}
		if err != nil {
			a.endImport(w, c, err)
		}
		_ = control.Flush()
	}
	writeLine(w, in.sum)
	return nil
}

// newImporter returns an import that a call may make.
func (a *API) newImporter(c *call) (*importer, error) {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return nil, err
	}
	in := &importer{api: a, call: c}
	if in.realm, err = a.realm(c, key); err != nil {
		return nil, err
	}
	if in.dry, err = c.dryRun(); err != nil {
		return nil, err
	}
	if isCoded(c.Header) {
		return nil, errCoded
	}
	in.sum.DryRun, in.sum.Object = in.dry, "import"
	in.once, err = a.importOnce(c, key, in.realm)
	return in, err
}

// lastWords is for how long whoever imports may go on sending what nobody looks at any more.
const lastWords = 2 * time.Second

// passOver lets in what is still being sent, for a while. Where a connection is closed at once, what was said on it may be lost; and where a
// body that is answered while it comes ends only when the call has been answered, net/http reads the next call twice at once, and panics.
func passOver(control *http.ResponseController, body io.Reader) {
	_ = control.SetReadDeadline(time.Now().Add(lastWords)) // a writer that cannot has limits of its own
	_, _ = io.Copy(io.Discard, body)
}

// endImport says why an import cannot go on, and cuts the answer short.
func (a *API) endImport(w http.ResponseWriter, c *call, err error) {
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Kind == core.KindInternal {
		e = core.ErrInternal
	}
	writeLine(w, wire.ImportEnded{Error: failure.Sentence(e.Detail), Code: e.Code, Object: "error"})
	control := http.NewResponseController(w)
	_ = control.Flush()
	passOver(control, c.Body)
	a.cutShort(c, err)
}

// bulkSilence is for how long an import may send nothing.
const bulkSilence = time.Minute

// steadyBody is a body that may take hours, as long as something of it arrives.
type steadyBody struct {
	body    io.Reader
	control *http.ResponseController
}

func (b *steadyBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(bulkSilence)) // a writer that cannot has limits of its own
	n, err := b.body.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // the server waits for the client to leave, which would end the call
	}
	return n, err
}
