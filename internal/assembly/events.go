package assembly

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// sealLine begins the line of what VerifyEvents says that stands for all events.
const sealLine = "seal: "

// VerifyEvents holds the events of a realm, named by id or name, or with "" those of all and of none, against their seals, and
// returns a line for each, with one at the end that stands for all these events. since is what an earlier call returned, whose
// events must be the same still; "" for none. Where events are not what was written, the error says which.
func (d *Data) VerifyEvents(ctx context.Context, realm, since string) (string, error) {
	marks, err := marksIn(since)
	if err != nil {
		return "", err
	}
	arguments := url.Values{"realm": {realm}, "since": {core.FormatEventMarks(marks)}}
	return d.Command(ctx, CommandVerifyEvents, arguments, func(c *core.Core) (string, error) {
		return VerifyEvents(ctx, c, realm, marks)
	})
}

// VerifyEvents is Data.VerifyEvents of a Core that is open, since an answer that had these marks.
func VerifyEvents(ctx context.Context, c *core.Core, realm string, since []core.EventMark) (string, error) {
	realms := []*core.Realm{{Name: "no realm"}} // what concerns none
	if realm != "" {
		found, err := c.Realms.Find(ctx, realm)
		if err != nil {
			return "", err
		}
		return verifyEvents(ctx, c, []*core.Realm{found}, since)
	}
	realms, err := allRealms(ctx, c, realms)
	if err != nil {
		return "", err
	}
	said, err := verifyEvents(ctx, c, realms, since)
	if err = errors.Join(append(missing(realms, since), err)...); err != nil {
		return "", err
	}
	return said, nil
}

// verifyEvents holds the events of some realms against their seals.
func verifyEvents(ctx context.Context, c *core.Core, realms []*core.Realm, since []core.EventMark) (string, error) {
	var lines []string
	var marks []core.EventMark
	var flaws []error
	for _, r := range realms {
		proof, err := c.Events.Verify(ctx, r.ID, since)
		if flaw, ok := errors.AsType[*core.EventsFlaw](err); ok {
			flaws = append(flaws, fmt.Errorf("%s: %w", r.Name, flaw))
			continue
		} else if err != nil {
			return "", err
		}
		lines = append(lines, r.Name+": "+intact(proof))
		marks = append(marks, proof.Marks...)
	}
	return strings.Join(append(lines, sealLine+core.FormatEventMarks(marks)), "\n"), errors.Join(flaws...)
}

// marksIn returns the marks in what an earlier call of VerifyEvents said.
func marksIn(said string) ([]core.EventMark, error) {
	if said == "" {
		return nil, nil
	}
	for line := range strings.Lines(said) {
		if marks, ok := strings.CutPrefix(line, sealLine); ok {
			return core.ParseEventMarks(marks)
		}
	}
	return nil, fmt.Errorf("there is no line that begins with %q in what an earlier call is to have said", sealLine)
}

// allRealms adds all realms, by name.
func allRealms(ctx context.Context, c *core.Core, realms []*core.Realm) ([]*core.Realm, error) {
	in := core.ListRealms{Limit: core.MaxRange}
	for {
		page, more, err := c.Realms.List(ctx, in)
		if err != nil {
			return nil, err
		}
		if realms = append(realms, page...); !more {
			return realms, nil
		}
		in.After = page[len(page)-1].ID
	}
}

// missing says which realms that had events are gone.
func missing(realms []*core.Realm, marks []core.EventMark) []error {
	var gone []core.RealmID
	for _, m := range marks {
		if !slices.ContainsFunc(realms, func(r *core.Realm) bool { return r.ID == m.Realm }) && !slices.Contains(gone, m.Realm) {
			gone = append(gone, m.Realm)
		}
	}
	var flaws []error
	for _, id := range gone {
		flaws = append(flaws, fmt.Errorf("%s: the realm is gone, with its events", id))
	}
	return flaws
}

// intact says what a proof shows.
func intact(proof *core.EventsProof) string {
	said := "no events that are sealed"
	if proof.Events > 0 {
		said = fmt.Sprintf("all %d as written, from %s to %s, the last %s", proof.Events,
			proof.First.At.UTC().Format(time.RFC3339), proof.Last.At.UTC().Format(time.RFC3339), proof.Last.ID)
	}
	if proof.Earlier > 0 {
		said += fmt.Sprintf("; %d without a seal, from before there were any", proof.Earlier)
	}
	return said
}
