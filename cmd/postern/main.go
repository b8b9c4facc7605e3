// Command postern guards an app and serves the /v1 API.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/commands"
)

// usualAPI is where a sidecar serves /v1 unless it is told otherwise.
const usualAPI = "http://127.0.0.1:8081/v1"

// version is stamped by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	root := &cobra.Command{
		Use:   "postern",
		Short: "Authentication that stands beside your app",
		Long: `Authentication that stands beside your app.

Begin with 'postern dev', which guards a demo app and prints what to try. Every setting is a word in a
configuration file and a variable of the environment, and the most usual are flags too; a flag goes before the environment, and that
before the file.

Exit codes: 0 for success, 1 for any failure, which standard error tells. 'import' and 'events verify' also end with
1 where a user failed or an event is not as it was written.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())
	})
	cobra.EnableCommandSorting = false // a newcomer reads from the top
	group(root, "Begin:", devCommand(), serveCommand(), checkCommand(), explainCommand())
	group(root, "Users, and the data as a whole:", commands.User(usualAPI), commands.Import(usualAPI), commands.Export(usualAPI), commands.Backup(locate), copyCommand(), commands.Events(locate))
	group(root, "Keys and passwords:", commands.Key(locate), commands.APT(), commands.Hash())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "postern:", strings.TrimPrefix(err.Error(), "postern: ")) // as those of package client begin
		os.Exit(1)
	}
}

// group adds commands that stand together in the help.
func group(root *cobra.Command, title string, all ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range all {
		c.GroupID = title
		root.AddCommand(c)
	}
}
