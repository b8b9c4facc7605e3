package commands

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/assembly"
)

// maxSaid bounds what is read of an earlier answer, in bytes.
const maxSaid = 1 << 20

// Events is 'postern events'.
func Events(locate Locate) *cobra.Command {
	return family(&cobra.Command{Use: "events", Short: "The record of what happened"}, eventsVerify(locate))
}

// eventsVerify is 'postern events verify'.
func eventsVerify(locate Locate) *cobra.Command {
	var realm, since string
	var c *cobra.Command
	c = locate.on(&cobra.Command{
		Use:   "verify",
		Short: "Hold all events against their seals: was one altered, removed or inserted?",
		Long: `Hold all events against their seals, and fail where one was altered, removed or inserted in the data since it was written.

What it prints ends with a line that stands for all events up to now. Keep that where nobody who can reach the data can change it, and give
it to --since later: then it is also found when the data was put back to what it was earlier, or written anew with the master key.`,
		Example: `  postern events verify > /mnt/elsewhere/events-2026-11-27
  postern events verify --since /mnt/elsewhere/events-2026-11-27`,
	}, func(ctx context.Context, data *assembly.Data) (string, error) {
		said, err := earlier(c, since)
		if err != nil {
			return "", err
		}
		return data.VerifyEvents(ctx, realm, said)
	})
	c.Flags().StringVar(&realm, "realm", "", "the realm, by id or name; without it all, and what concerns none")
	c.Flags().StringVar(&since, "since", "", "file with what an earlier call printed; - is standard input")
	return c
}

// earlier reads what an earlier call printed; "" for no file.
func earlier(c *cobra.Command, file string) (string, error) {
	in := c.InOrStdin()
	switch file {
	case "":
		return "", nil
	case "-":
	default:
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	said, err := io.ReadAll(io.LimitReader(in, maxSaid))
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", file, err)
	}
	if len(said) == 0 {
		return "", fmt.Errorf("%s is empty", file)
	}
	return string(said), nil
}
