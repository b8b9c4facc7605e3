package commands

import (
	"github.com/spf13/cobra"
)

// Backup is 'postern backup'.
func Backup(locate Locate) *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all data of the embedded store to a file, also while the server runs",
		Long: `Write all data of the embedded store to a file, as it is at one moment, also while the server runs.

FILE is replaced if it is there, once the new one is whole, and only its owner may read it; - is standard output. It is of use only with
the master key, of which you need a copy too. To restore it, stop the server and put it in the place of postern.db in the data folder.

Redis has means of its own.`,
		Example: `  postern backup postern-backup.db
  postern backup - | age -r "$RECIPIENT" > postern-backup.db.age`,
		Args: Takes(1),
	}
	find := locate(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		data, err := find()
		if err != nil {
			return err
		}
		if args[0] == "-" {
			return data.WriteBackup(c.Context(), c.OutOrStdout())
		}
		said, err := data.Backup(c.Context(), args[0])
		return Print(c, said, err)
	}
	return c
}
