package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/commands"
)

// registerCommands makes 'caddy postern ...' of the commands of the program postern.
func registerCommands() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "postern",
		Usage: "<command>",
		Short: "Works on Postern: keys, users, and why a request is refused",
		Long: `
Works on Postern: keys, users, and why a request is refused.

Run it as the user that Caddy runs as, and with Caddy's environment: the configuration says where the data lies, and may
say it with placeholders. While Caddy runs over the embedded store, it carries 'backup' and the commands of 'key' out.

Exit codes: 0 for success, 1 for any failure. 'import' and 'events verify' also end with 1 where a user failed or an event is not
as it was written.`,
		CobraFunc: func(c *cobra.Command) {
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
			addCommands(c)
		},
	})
}

// addCommands adds the commands to 'caddy postern'.
func addCommands(c *cobra.Command) {
	c.AddCommand(commands.Key(locate), commands.Backup(locate), commands.Events(locate), explainCommand(), statusCommand(), commands.APT(), commands.User(""), commands.Import(""), commands.Export(""), commands.Hash())
	for _, member := range c.Commands() {
		showInCaddy(member)
	}
}

// asInCaddy makes of a call of the program postern what one types where the program is Caddy, which has no usual address of the API.
var asInCaddy = strings.NewReplacer("  postern ", "  caddy postern ", " --key-file postern-data/", anywhere+" --key-file ", " --key-file ", anywhere+" --key-file ")

const anywhere = " --api https://app.example.com/v1"

// showInCaddy has the examples of a command, and of those that it has, be calls of Caddy.
func showInCaddy(c *cobra.Command) {
	c.Example = asInCaddy.Replace(c.Example)
	for _, member := range c.Commands() {
		showInCaddy(member)
	}
}

// named is the configuration that a command line names.
type named struct{ file, adapter string }

// flags gives a command the flags that name it.
func (n *named) flags(f *pflag.FlagSet) {
	f.StringVarP(&n.file, "config", "c", "", "configuration file (default Caddyfile in this folder, if there is one)")
	f.StringVarP(&n.adapter, "adapter", "a", "", "name of the adapter for the configuration")
}

// locate finds the data by the app postern of a configuration.
func locate(f *pflag.FlagSet) func() (*assembly.Data, error) {
	var n named
	n.flags(f)
	return func() (*assembly.Data, error) {
		text, _, _, err := caddycmd.LoadConfig(n.file, n.adapter)
		if err != nil {
			return nil, err
		}
		var config struct {
			Apps struct {
				Postern App `json:"postern"`
			} `json:"apps"`
		}
		if len(text) > 0 {
			if err := json.Unmarshal(text, &config); err != nil {
				return nil, fmt.Errorf("the configuration: %w", err)
			}
		}
		s, err := config.Apps.Postern.settings()
		if err != nil {
			return nil, err
		}
		return s.commandData(), nil
	}
}

// commandData says where the data is, for a command line.
func (s *settings) commandData() *assembly.Data {
	return &assembly.Data{
		Folder: s.data, Embedded: s.redis == nil, File: filepath.Join(s.data, storeFile), OwnKey: s.masterKey == nil, Replacing: s.masterKey != nil && s.formerKey != nil, PublicURL: s.publicURL,
		Open: func(ctx context.Context) (core.Store, error) {
			if s.redis == nil {
				if _, err := os.Stat(s.data); err != nil {
					return nil, fmt.Errorf("there is no data yet: %w", err)
				}
			}
			return s.openStore(ctx)
		},
		MasterKey: s.existingMasterKey,
		Unreachable: func(err error) error {
			return fmt.Errorf("the store does not answer, or is not the one that the configuration means: %w", err)
		},
	}
}

// adminAddress is where a command finds the admin API of the running Caddy.
type adminAddress struct {
	named
	address string
}

// flags gives a command the flags that say so.
func (a *adminAddress) flags(f *pflag.FlagSet) {
	a.named.flags(f)
	f.StringVar(&a.address, "address", "", "address of Caddy's admin API (default what the configuration says, else "+caddy.DefaultAdminListen+")")
}

// ask asks the running Caddy.
func (a *adminAddress) ask(method, path string, body []byte) ([]byte, error) {
	config, file := []byte(nil), ""
	if a.address == "" {
		var err error
		if config, file, _, err = caddycmd.LoadConfig(a.file, a.adapter); err != nil {
			return nil, err
		}
	}
	address, err := caddycmd.DetermineAdminAPIAddress(a.address, config, file, a.adapter)
	if err != nil {
		return nil, err
	}
	var sent io.Reader
	if body != nil {
		sent = bytes.NewReader(body)
	}
	res, err := caddycmd.AdminAPIRequest(address, method, path, nil, sent)
	if err != nil {
		return nil, fmt.Errorf("this asks the admin API of the running Caddy: %w", err)
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// explainCommand is 'caddy postern explain'.
func explainCommand() *cobra.Command {
	var at adminAddress
	var shown commands.Shown
	c := &cobra.Command{
		Use:     "explain METHOD URL",
		Short:   "Say what the guards of the running Caddy make of a request: which rule decides, and why",
		Example: `  postern explain GET https://app.example.com/reports/1 --token - < token.txt`,
		Args:    commands.Takes(2),
		RunE: func(c *cobra.Command, args []string) error {
			token, err := shown.Read(c)
			if err != nil {
				return err
			}
			question, err := json.Marshal(map[string]string{"method": args[0], "url": args[1], "credential": token})
			if err != nil {
				return err
			}
			text, err := at.ask("POST", "/postern/explain", question)
			if err != nil {
				return err
			}
			var said struct{ Explanation string }
			err = json.Unmarshal(text, &said)
			return commands.Print(c, said.Explanation, err)
		},
	}
	at.flags(c.Flags())
	shown.Flag(c.Flags())
	return c
}

// statusCommand is 'caddy postern status'.
func statusCommand() *cobra.Command {
	var at adminAddress
	c := &cobra.Command{
		Use:     "status",
		Short:   "Say how the store, the news of revocations and the guards of the running Caddy are",
		Example: `  postern status --address localhost:2019`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := at.ask("GET", "/postern/status", nil)
			return commands.Print(c, string(bytes.TrimSpace(text)), err)
		},
	}
	at.flags(c.Flags())
	return c
}
