package main

import (
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/commands"
)

// copyCommand is 'postern copy-to-redis'.
func copyCommand() *cobra.Command {
	g := given{}
	c := &cobra.Command{
		Use:   "copy-to-redis",
		Short: "Copy all data of the embedded store to an empty Redis, to go on there",
		Long: `Copy all data of the embedded store, the file in --data, to an empty Redis, --redis.

Stop the server first. Afterwards start it with Redis and the same master key: nobody is signed out, and no key has changed.`,
		Example: `  postern copy-to-redis --data postern-data --redis redis://127.0.0.1:6379/0`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := g.options(defaultData)
			if err != nil {
				return err
			}
			said, err := o.CopyToRedis(c.Context())
			return commands.Print(c, said, err)
		},
	}
	g.dataFlags(c.Flags())
	return c
}
