package main

import (
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/commands"
	"github.com/postern-auth/postern/sidecar"
)

// explainCommand is 'postern explain'.
func explainCommand() *cobra.Command {
	var shown commands.Shown
	c := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say what the guard makes of a request: which rule decides, and why",
		Long: `Say what the guard makes of a request: which rule decides, and why.

A server that runs over the embedded store answers by the settings that it runs with. Over Redis, give the
configuration that the server has.`,
		Example: `  postern explain GET /reports/1 --token - < token.txt
  postern explain DELETE /reports/1 --token "$TOKEN" --config /etc/postern.yaml`,
		Args: commands.Takes(2),
	}
	from := given{}.source(c.Flags())
	shown.Flag(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := sidecar.Gather(*from)
		if err != nil {
			return err
		}
		if o.Data == "" {
			o.Data = sidecar.DefaultData
		}
		token, err := shown.Read(c)
		if err != nil {
			return err
		}
		said, err := sidecar.Explain(c.Context(), o, args[0], args[1], token)
		return commands.Print(c, said, err)
	}
	return c
}
