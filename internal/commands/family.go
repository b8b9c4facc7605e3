package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// family makes c the parent of commands, without which it only shows its help. A name that none of them has is refused: cobra
// would show the help for it and call that a success.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.AddCommand(members...)
	c.DisableFlagsInUseLine = true
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var names []string
		for _, member := range members {
			names = append(names, member.Name())
		}
		return fmt.Errorf("unknown command %q for %q; it has %s", args[0], c.CommandPath(), strings.Join(names, ", "))
	}
	return c
}

// Takes has a command take n arguments, which the first line of its help names.
func Takes(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("use it as: %s; %q says more", c.UseLine(), c.CommandPath()+" --help")
		}
		return nil
	}
}
