package commands

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// api is where a command calls the API, and as whom.
type api struct {
	url, keyFile, realm string
}

// flags gives a command the flags that say so. usual is the address where none is given; "" = one must be.
func (a *api) flags(c *cobra.Command, usual string) {
	f := c.Flags()
	f.StringVar(&a.url, "api", usual, "address of the API, with or without its /v1")
	if usual == "" {
		_ = c.MarkFlagRequired("api") // it is there
	}
	f.StringVar(&a.keyFile, "key-file", "", "file with a management key that may manage (default the environment's POSTERN_MANAGEMENT_KEY)")
	f.StringVar(&a.realm, "realm", "default", "the realm, by id or name")
}

// key returns the management key to call with.
func (a *api) key() (string, error) {
	key := os.Getenv("POSTERN_MANAGEMENT_KEY")
	if a.keyFile != "" {
		text, err := os.ReadFile(a.keyFile)
		if err != nil {
			return "", fmt.Errorf("cannot read the management key: %w", err)
		}
		key = string(text)
	}
	if key = strings.TrimSpace(key); key == "" {
		return "", errors.New("a management key is needed: --key-file, or POSTERN_MANAGEMENT_KEY in the environment")
	}
	return key, nil
}

// call sends a request about the users in bulk. An answer with an error becomes one.
func (a *api) call(ctx context.Context, method string, query url.Values, body io.Reader) (*http.Response, error) {
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(strings.TrimRight(a.url, "/"), "/v1") // which package client needs not be told of either
	req, err := http.NewRequestWithContext(ctx, method, base+"/v1/bulk/users?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + key}, "X-Authrocket-Realm": {a.realm},
		"Content-Type": {"application/x-ndjson"}, "Accept": {"application/problem+json"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		var problem struct {
			Detail string `json:"detail"`
		}
		_ = json.NewDecoder(io.LimitReader(res.Body, 10<<10)).Decode(&problem) // the status says something too
		return nil, fmt.Errorf("the API answers %s. %s", res.Status, problem.Detail)
	}
	return res, nil
}

// onTerminal reports whether somebody looks at a terminal.
func onTerminal() bool { return term.IsTerminal(int(os.Stderr.Fd())) }

// bar returns a progress bar over size units (-1 = nobody knows), which is drawn on a terminal and nowhere else.
func bar(size int64, what string, bytes bool) *progressbar.ProgressBar {
	options := []progressbar.Option{progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100e6)}
	if !onTerminal() {
		options = append(options, progressbar.OptionSetVisibility(false))
	}
	return progressbar.NewOptions64(size, options...)
}

// exported are what an export has beside users where it is asked for, as the API calls them.
var exported = []struct{ name, usage string }{
	{"settings", "with the realm's own settings"},
	{"password_hashes", "with passwords, as they are kept: hashes"},
	{"memberships", "with orgs, and who is a member"},
	{"api_keys", "with API keys, by their digests, and those that the realm shows again sealed under the master key"},
	{"authenticators", "with authenticators, whose secrets are sealed under the master key"},
	{"recovery_codes", "with the recovery codes that are left, sealed under the master key"},
}

// Export is 'postern export'. usualAPI is where the API is, unless it is told otherwise; "" = it must be told.
func Export(usualAPI string) *cobra.Command {
	var a api
	parts := map[string]*bool{}
	var everything bool
	var to, after string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a realm's users, one a line, as 'postern import' reads them",
		Example: `  postern export --key-file management.key -o users.ndjson
  postern export --key-file management.key --everything -o realm.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			for name, wanted := range parts {
				if *wanted || everything {
					query.Set(name, "true")
				}
			}
			if after != "" {
				query.Set("after", after)
			}
			res, err := a.call(c.Context(), http.MethodGet, query, nil)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			return writeExport(c.OutOrStdout(), to, res.Body)
		},
	}
	a.flags(c, usualAPI)
	for _, p := range exported {
		parts[p.name] = c.Flags().Bool(strings.ReplaceAll(p.name, "_", "-"), false, p.usage)
	}
	c.Flags().BoolVar(&everything, "everything", false, "with all that can be asked for")
	c.Flags().StringVarP(&to, "output", "o", "", "write to this new file, which only its owner may read (default standard output)")
	c.Flags().StringVar(&after, "after", "", "go on after this user's id")
	return c
}

// writeExport copies an export to a file, or to out where none is named.
func writeExport(out io.Writer, to string, export io.Reader) (err error) {
	if to != "" {
		f, failed := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if failed != nil {
			return failed
		}
		defer func() { err = cmp.Or(err, f.Close()) }()
		out = f
	}
	progress := bar(-1, "exporting", true)
	last, err := copyLines(io.MultiWriter(out, progress), export)
	_ = progress.Finish() // before anything is said, which would stand behind it
	if err == nil {
		return nil
	}
	if !strings.HasPrefix(last, "usr_") {
		return fmt.Errorf("the export was cut short before its first user: %w", err)
	}
	return fmt.Errorf("the export was cut short; --after %s goes on: %w", last, err)
}

// copyLines copies lines, and of one that is cut off nothing. Where that fails it returns the id in the last line before.
func copyLines(to io.Writer, from io.Reader) (last string, err error) {
	var line struct {
		ID string `json:"id"`
	}
	var whole []byte
	for lines := bufio.NewReaderSize(from, 64<<10); ; {
		text, err := lines.ReadBytes('\n')
		if err == nil {
			_, err = to.Write(text)
		}
		switch {
		case err == nil:
			whole = text
		case errors.Is(err, io.EOF) && len(text) == 0:
			return "", nil
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
			fallthrough
		default:
			_ = json.Unmarshal(whole, &line) // there may be none
			return line.ID, err
		}
	}
}
