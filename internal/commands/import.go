package commands

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/userfiles"
)

// importing is 'postern import'.
type importing struct {
	api                      api
	from                     string
	hashFile, firebaseConfig string
	dry                      bool
	skip                     int

	orgs  int    // among those that were made
	realm string // what became of the realm's settings; "" = the file has none

	fed   chan error  // what is wrong with the file, or nil, once all of it that can be is sent
	sent  atomic.Bool // whether any of it is
	mu    sync.Mutex  // of what follows: whoever is read from and whoever is written to may both have something to say
	errs  io.Writer
	asked []string // whom no answer has come about yet, by the names that they had, where they come from elsewhere
}

// Import is 'postern import'. usualAPI is as in Export.
func Import(usualAPI string) *cobra.Command {
	var in importing
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Make users of a file: an export of ours, or of another system with --from",
		Long: `Make users of a file: an export of ours, or of another system with --from.

What is wrong with a user is said, and stops no other. An import that was interrupted can be repeated: who is there
already stays as they are. FILE may be - for standard input.`,
		Example: `  postern import --key-file management.key --dry-run users.ndjson
  postern import --key-file management.key --from auth0 --hashes hashes.ndjson users.ndjson`,
		Args: Takes(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.errs = c.ErrOrStderr()
			return in.run(c, args[0])
		},
	}
	in.api.flags(c, usualAPI)
	f := c.Flags()
	f.StringVar(&in.from, "from", "", "the system that the file is of: "+strings.Join(userfiles.Formats(), ", ")+" (default ours)")
	f.StringVar(&in.hashFile, "hashes", "", "with --from auth0, the file of password hashes that its support makes")
	f.StringVar(&in.firebaseConfig, "firebase-hash-config", "", "with --from firebase, a file with the hash_config that its console shows")
	f.BoolVar(&in.dry, "dry-run", false, "say what would be made and what is wrong, and write nothing")
	f.IntVar(&in.skip, "skip", 0, "pass over this many users at the start of the file")
	return c
}

// run imports a file.
func (in *importing) run(c *cobra.Command, name string) error {
	o, err := in.options()
	if err != nil {
		return err
	}
	file, size, err := openInput(c.InOrStdin(), name)
	if err != nil {
		return err
	}
	defer file.Close()
	progress := bar(size, "importing", true)
	read, write := io.Pipe()
	in.fed = make(chan error, 1)
	go func() {
		err := in.feed(io.TeeReader(file, progress), o, write)
		in.fed <- err
		write.CloseWithError(err)
	}()
	query := url.Values{}
	if in.dry {
		query.Set("dry_run", "true")
	}
	res, err := in.api.call(c.Context(), http.MethodPost, query, read)
	if err != nil {
		_ = progress.Finish() // before anything is said, which would stand behind it
		err = cmp.Or(in.endedBy(), err)
		read.CloseWithError(err) // so that feed ends
		return err
	}
	defer res.Body.Close()
	sum, err := in.follow(res.Body)
	read.Close()
	_ = progress.Finish()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.OutOrStdout(), in.conclusion(sum)); err != nil || sum.Failed == 0 {
		return err
	}
	return errors.New("some users failed")
}

// endedBy returns what was wrong with the file where that ended the import, or nil.
func (in *importing) endedBy() error {
	wrong := in.wrong()
	if wrong != nil && in.sent.Load() { // the server may have made users before its answer was cut off
		return fmt.Errorf("the import ended early, and can be repeated: %w", wrong)
	}
	return wrong
}

// wrong returns what is wrong with the file, where that is why a call failed: it says more than that the call did not end well.
func (in *importing) wrong() error {
	select {
	case wrong := <-in.fed:
		if errors.Is(wrong, io.ErrClosedPipe) { // whoever was sent the file has gone, and there is more to say of that
			return nil
		}
		return wrong
	default:
		return nil
	}
}

// options opens what else --from takes.
func (in *importing) options() (userfiles.Options, error) {
	var o userfiles.Options
	if in.hashFile != "" {
		f, err := os.Open(in.hashFile)
		if err != nil {
			return o, err
		}
		if o.Hashes, err = unpacked(f); err != nil { // read to its end, once, and closed with the program
			return o, fmt.Errorf("%s: %w", in.hashFile, err)
		}
	}
	if in.firebaseConfig != "" {
		text, err := os.ReadFile(in.firebaseConfig)
		if err != nil {
			return o, err
		}
		if o.Firebase, err = userfiles.ParseFirebaseHashes(string(text)); err != nil {
			return o, fmt.Errorf("%s: %w", in.firebaseConfig, err)
		}
	}
	return o, nil
}

// openInput opens a file, and says how large it is; -1 where nobody knows.
func openInput(stdin io.Reader, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(stdin), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// unpacked reads what is packed with gzip, as Auth0's exports are, and anything else as it is.
func unpacked(file io.Reader) (io.Reader, error) {
	b := bufio.NewReader(file)
	if start, _ := b.Peek(2); string(start) != "\x1f\x8b" {
		return b, nil
	}
	return gzip.NewReader(b)
}

// feed writes the users of a file as lines.
func (in *importing) feed(file io.Reader, o userfiles.Options, to io.Writer) error {
	file, err := unpacked(file)
	if err != nil {
		return err
	}
	seen := 0
	if in.from != "" {
		e := json.NewEncoder(to)
		return userfiles.Read(in.from, file, o, func(user wire.UserLine, note string) error {
			if seen++; seen <= in.skip {
				return nil
			}
			if note != "" {
				in.say("%s: %s", user.Source, note)
			}
			in.ask(user.Source)
			in.sent.Store(true)
			return e.Encode(user)
		})
	}
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadSlice('\n')
		if seen >= in.skip {
			in.sent.Store(true)
			if _, err := to.Write(line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err == nil:
			seen++
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// follow says what is wrong with users, and returns the summary.
func (in *importing) follow(answer io.Reader) (sum wire.ImportSummary, err error) {
	done := 0
	for d := json.NewDecoder(answer); ; {
		var line struct {
			wire.ImportLine
			wire.ImportSummary
			Error string `json:"error"` // of a wire.ImportEnded
		}
		err := d.Decode(&line)
		if line.Object == "error" {
			err = errors.New(line.Error)
		}
		if err != nil {
			return sum, fmt.Errorf("the import ended after %d users, and can be repeated: %w", in.skip+done, cmp.Or(in.wrong(), err))
		}
		if line.Object == "import" {
			return line.ImportSummary, nil
		}
		source := in.answered()
		if done++; line.Status == "failed" {
			in.say("user %d%s: %s", in.skip+line.Line, source, strings.Join(line.Errors, "; "))
		} else if line.Status == "created" && strings.HasPrefix(line.ID, "org_") {
			in.orgs++
		} else if strings.HasPrefix(line.ID, "rl_") {
			in.realm = line.Status
		}
	}
}

// ask notes whom the next answer but those that are still to come will be about.
func (in *importing) ask(source string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asked = append(in.asked, source)
}

// answered returns whom an answer is about, in brackets; "" where the file's own lines say it.
func (in *importing) answered() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.asked) == 0 {
		return ""
	}
	source := in.asked[0]
	in.asked = in.asked[1:]
	return " (" + source + ")"
}

// overBar begins a line in the place of the progress bar, which is drawn anew below it.
const overBar = "\r\x1b[K"

// say writes a line about a user.
func (in *importing) say(format string, args ...any) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if onTerminal() {
		format = overBar + format
	}
	fmt.Fprintf(in.errs, format+"\n", args...)
}

// conclusion says what became of an import.
func (in *importing) conclusion(sum wire.ImportSummary) string {
	made := "made"
	if in.dry {
		made = "would be made"
	}
	what := fmt.Sprintf("%d users", sum.Created-in.orgs)
	if in.orgs > 0 {
		what += fmt.Sprintf(" and %d orgs", in.orgs)
	}
	settings := ""
	switch in.realm {
	case "exists":
		sum.Exists--
	case "updated":
		settings = "The realm's settings " + map[bool]string{false: "were", true: "would be"}[in.dry] + " set. "
	}
	return fmt.Sprintf("%s%s %s, %d were there already, %d failed.", settings, what, made, sum.Exists, sum.Failed)
}
