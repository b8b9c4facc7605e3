package demo

import (
	_ "embed" // the walk
	"io"
	"regexp"
	"strings"
)

// Facts are what whoever started the demo needs to use it. They are also what 'postern dev --json' prints.
type Facts struct {
	GuardURL        string  `json:"guard_url"`
	APIURL          string  `json:"api_url"`        // with its /v1
	ManagementKey   *string `json:"management_key"` // null where it was shown before
	RealmID         string  `json:"realm_id"`
	EnvironmentGUID string  `json:"environment_guid"`
	APTKeyFile      string  `json:"apt_key_file"`

	Program     string `json:"-"` // how to call postern again
	ArbitraryID string `json:"-"` // of the user that the walk makes
	Folder      string `json:"-"` // with the data, or what goes with it
	Redis       bool   `json:"-"` // the data is in Redis
}

// walk has names in braces where facts go.
//
//go:embed walk.txt
var walk string

// WriteWalk writes the facts, and numbered commands that walk the main job.
func WriteWalk(w io.Writer, f Facts) error {
	key, keyAsShown := "the-management-key-you-noted", "shown at the first start; only its hash is kept"
	if f.ManagementKey != nil {
		key, keyAsShown = *f.ManagementKey, *f.ManagementKey+"   <- shown this once, note it"
	}
	data, removal := f.Folder, "remove "+f.Folder
	if f.Redis {
		data, removal = "Redis, and "+f.Folder, "empty that Redis database and remove "+f.Folder
	}
	_, err := strings.NewReplacer(
		"{GuardURL}", f.GuardURL, "{APIURL}", f.APIURL, "{Key}", key, "{KeyAsShown}", keyAsShown,
		"{RealmID}", f.RealmID, "{EnvironmentGUID}", f.EnvironmentGUID, "{ArbitraryID}", f.ArbitraryID,
		"{APTKeyFile}", f.APTKeyFile, "{APTKeyFile quoted}", quote(f.APTKeyFile), "{Program quoted}", quote(f.Program),
		"{Data}", data, "{Removal}", removal,
	).WriteString(w, walk)
	return err
}

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:-]+$`)

// quote returns s as a shell takes it for one word.
func quote(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
