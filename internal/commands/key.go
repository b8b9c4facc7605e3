package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/internal/assembly"
)

// Locate gives a command the flags that say where the data is, and returns what finds it by them once they are read.
type Locate func(*pflag.FlagSet) func() (*assembly.Data, error)

// on makes c a command that does something with the data, and prints what comes of it.
func (locate Locate) on(c *cobra.Command, do func(context.Context, *assembly.Data) (string, error)) *cobra.Command {
	find := locate(c.Flags())
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		data, err := find()
		if err != nil {
			return err
		}
		said, err := do(c.Context(), data)
		return Print(c, said, err)
	}
	return c
}

// Key is 'postern key'.
func Key(locate Locate) *cobra.Command {
	return family(&cobra.Command{Use: "key", Short: "Signing keys, management keys and the master key"},
		keyRotate(locate), keyRotateMaster(locate), keyManagement(locate))
}

// keyRotate is 'postern key rotate'.
func keyRotate(locate Locate) *cobra.Command {
	var realm string
	c := locate.on(&cobra.Command{
		Use:     "rotate",
		Short:   "Give a realm new signing keys; nobody is signed out",
		Example: `  postern key rotate --realm staff`,
	}, func(ctx context.Context, data *assembly.Data) (string, error) { return data.RotateKeys(ctx, realm) })
	c.Flags().StringVar(&realm, "realm", "default", "the realm, by id or name")
	return c
}

// keyRotateMaster is 'postern key rotate-master'.
func keyRotateMaster(locate Locate) *cobra.Command {
	var newFile string
	c := locate.on(&cobra.Command{
		Use:   "rotate-master",
		Short: "Seal all that is sealed under a new master key",
		Long: `Seal all that is sealed under a new master key.

With the embedded store, the new key is made and put in the place of the former one, by the server if one is running.

With Redis, or with a key that you keep yourself, make a key, start every server with it and with the former one
(--former-master-key-file; in Caddy former_master_key), and then call this with both.`,
		Example: `  postern key rotate-master`,
	}, func(ctx context.Context, data *assembly.Data) (string, error) { return data.RotateMaster(ctx, newFile) })
	c.Flags().StringVar(&newFile, "new-master-key-file", "", "file with the new master key; with the embedded store one is made")
	return c
}

// keyManagement is 'postern key management'.
func keyManagement(locate Locate) *cobra.Command {
	var name string
	c := locate.on(&cobra.Command{
		Use:     "management",
		Short:   "Make a management key for all realms and print it, for whoever has lost the first one",
		Example: `  postern key management --name "for the new back end"`,
	}, func(ctx context.Context, data *assembly.Data) (string, error) {
		return data.NewManagementKey(ctx, name)
	})
	c.Flags().StringVar(&name, "name", "made by command", "what to call it in lists")
	return c
}

// Print writes what a command has to say, unless err says that it failed.
func Print(c *cobra.Command, said string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), said)
	return err
}
