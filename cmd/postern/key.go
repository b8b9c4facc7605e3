package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/sidecar"
)

// keyCommand is 'postern key'.
func keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Signing keys, management keys and the master key"}
	c.AddCommand(keyRotateCommand(), keyRotateMasterCommand(), keyManagementCommand())
	return c
}

// keyRotateCommand is 'postern key rotate'.
func keyRotateCommand() *cobra.Command {
	g := given{}
	var realm string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give a realm new signing keys; nobody is signed out",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := g.options(defaultData)
			if err != nil {
				return err
			}
			said, err := sidecar.RotateKeys(c.Context(), o, realm)
			return print(c, said, err)
		},
	}
	g.dataFlags(c.Flags())
	c.Flags().StringVar(&realm, "realm", "default", "the realm, by id or name")
	return c
}

// keyRotateMasterCommand is 'postern key rotate-master'.
func keyRotateMasterCommand() *cobra.Command {
	g := given{}
	var newFile string
	c := &cobra.Command{
		Use:   "rotate-master",
		Short: "Seal all that is sealed under a new master key",
		Long: `Seal all that is sealed under a new master key.

With the embedded store, the new key is made and put in the place of the former one, by the server if one is running.

With Redis, or with a key that you keep yourself, make a key, start every server with it and with the former one
(--former-master-key-file; in Caddy former_master_key), and then call this with both.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := g.options(defaultData)
			if err != nil {
				return err
			}
			said, err := sidecar.RotateMaster(c.Context(), o, newFile)
			return print(c, said, err)
		},
	}
	g.dataFlags(c.Flags())
	c.Flags().StringVar(&newFile, "new-master-key-file", "", "file with the new master key; with the embedded store one is made")
	return c
}

// keyManagementCommand is 'postern key management'.
func keyManagementCommand() *cobra.Command {
	g := given{}
	var name string
	c := &cobra.Command{
		Use:   "management",
		Short: "Make a management key for all realms and print it, for whoever has lost the first one",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := g.options(defaultData)
			if err != nil {
				return err
			}
			secret, err := sidecar.NewManagementKey(c.Context(), o, name)
			return print(c, secret, err)
		},
	}
	g.dataFlags(c.Flags())
	c.Flags().StringVar(&name, "name", "made by command", "what to call it in lists")
	return c
}

// print writes what a command has to say.
func print(c *cobra.Command, said string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), said)
	return err
}
