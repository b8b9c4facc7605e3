package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// An import with an Idempotency-Key can be sent again, whole, by whoever did not hear how it ended. Neither what it was sent nor what it
// answered is ever there as a whole, and so neither is kept. What is kept, after each few lines, is how many of them are done, their digest,
// the summary so far, and what was wrong with the first that failed. A repetition reads on to where the import had come, and answers
// only if those lines are what they were then; it does the others. Lines that were done and not noted, as the process died in
// between, are done again. That is like once, since whoever has an id is there already, and who comes without one gets one here
// that is the same each time.

// What is kept of lines that failed.
const (
	keptFailures     = 100
	keptFailureBytes = 32 << 10 // as JSON
)

// renewEvery is after how many lines that were done before it is said that the import is under way, as reading them may take longer than
// an import is waited for that is not heard of.
const renewEvery = 10_000

// onceImport is how far an import with an Idempotency-Key has come. Of nil, which stands for an import without, nothing is kept.
type onceImport struct {
	*core.Undertaking
	seen hash.Hash // of the lines that were read
	importProgress
	size int // of Failures, in bytes
}

// importProgress is what is kept of an import.
type importProgress struct {
	Lines    int                `json:"lines"`   // that were read, blank ones among them
	Digest   []byte             `json:"digest"`  // of these
	Summary  wire.ImportSummary `json:"summary"` // so far
	Failures []wire.ImportLine  `json:"failures,omitempty"`
}

// importOnce makes an import that names itself by an Idempotency-Key this process's to carry out.
func (a *API) importOnce(c *call, key *core.ManagementKey, realm core.RealmID) (*onceImport, error) {
	if _, sent := c.Header["Idempotency-Key"]; !sent {
		return nil, nil
	}
	name, err := c.idempotencyKey()
	if err != nil {
		return nil, err
	}
	u, err := a.core.Repeats.Undertake(c.Context(), core.Repeatable{Key: key, Realm: realm, Name: name, Request: c.fingerprint(nil)})
	if err != nil {
		return nil, err
	}
	o := &onceImport{Undertaking: u, seen: sha256.New()}
	if len(u.Kept) == 0 {
		return o, nil
	}
	return o, json.Unmarshal(u.Kept, &o.importProgress)
}

// saw notes what was read.
func (o *onceImport) saw(text []byte) {
	if o != nil {
		_, _ = o.seen.Write(text)
	}
}

// takeUp reads what was done before, and goes on from there. It fails with core.ErrRepeatDiffers where that was something else.
func (in *importer) takeUp() error {
	o := in.once
	if o == nil || o.Lines == 0 && !o.Over {
		return nil
	}
	var err error
	for in.at < o.Lines && err == nil {
		if _, err = in.next(); in.at%renewEvery == 0 && !o.Over {
			err = errors.Join(err, o.Note(in.call.Context(), o.Kept, false))
		}
	}
	if err == nil && o.Over {
		if _, err = in.next(); err == nil {
			return core.ErrRepeatDiffers // there is more
		}
	}
	if _, refused := errors.AsType[*core.Error](err); refused {
		return err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return errBadRequest
	}
	if in.at != o.Lines || subtle.ConstantTimeCompare(o.seen.Sum(nil), o.Digest) != 1 {
		return core.ErrRepeatDiffers
	}
	in.sum = o.Summary
	for _, line := range o.Failures {
		o.size += sizeOf(line)
	}
	return nil
}

// done returns what is told of the lines that were done before: of those that failed, as far as it is kept.
func (o *onceImport) done(w http.ResponseWriter) []wire.ImportLine {
	if o == nil {
		return nil
	}
	if o.Over {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return o.Failures
}

// over reports whether nothing is left to do.
func (o *onceImport) over() bool { return o != nil && o.Over }

// note keeps how far the import has come. A dry run does nothing that a repetition could take up, and begins anew.
func (in *importer) note(results []wire.ImportLine, ended bool) error {
	o := in.once
	if o == nil {
		return nil
	}
	for _, line := range results {
		if size := sizeOf(line); line.Status == "failed" && len(o.Failures) < keptFailures && o.size+size <= keptFailureBytes {
			o.Failures, o.size = append(o.Failures, line), o.size+size
		}
	}
	if in.dry && !ended {
		return o.Note(in.call.Context(), nil, false)
	}
	o.Lines, o.Digest, o.Summary = in.at, o.seen.Sum(nil), in.sum
	text, err := json.Marshal(o.importProgress)
	if err != nil { // our own types
		panic(err)
	}
	return o.Note(in.call.Context(), text, ended)
}

// sizeOf returns how long a line of an answer is, in bytes.
func sizeOf(line wire.ImportLine) int {
	text, err := json.Marshal(line)
	if err != nil { // our own types
		panic(err)
	}
	return len(text)
}

// leave lets a repetition take the import up at once, if it did not come to its end.
func (o *onceImport) leave(c *call) {
	if o != nil {
		o.Leave(c.Context())
	}
}

// name names a user who comes without an id, after the line that they are in, so that who was made already is found again.
func (o *onceImport) name(user *core.UserImport, line importLine) {
	if o == nil || user == nil || user.ID != "" || user.Source != "" {
		return
	}
	sum := sha256.Sum256(line.text)
	user.Source = "call:" + o.Sum() + ":" + strconv.Itoa(line.number) + ":" + string(sum[:])
}
