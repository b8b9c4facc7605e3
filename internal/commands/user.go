package commands

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postern-auth/postern/client"
)

// User is 'postern user'. usualAPI is as in Export.
func User(usualAPI string) *cobra.Command {
	return family(&cobra.Command{Use: "user", Short: "Make a user, or give one a new password"}, userAdd(usualAPI), userPassword(usualAPI))
}

// userAdd is 'postern user add'.
func userAdd(usualAPI string) *cobra.Command {
	var a api
	in := client.UserCreate{UserType: "human"}
	c := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Make a user, who can then sign in",
		Long: `Make a user, who can then sign in with the address, or the username, and the password.

The password is asked for on a terminal, else it is the first line of standard input.`,
		Example: `  postern user add ann@example.com --username ann --key-file postern-data/management.key`,
		Args:    Takes(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.client()
			if err != nil {
				return err
			}
			if in.Password, err = newPassword(c, args[0]); err != nil {
				return err
			}
			in.Email = args[0]
			in.Username = cmp.Or(in.Username, in.Email)
			user, err := api.Users.Create(c.Context(), in)
			if err != nil {
				return plainly(err)
			}
			return Print(c, fmt.Sprintf("%s can sign in as %s. Their id is %s.", args[0], user.Username, user.ID), nil)
		},
	}
	a.flags(c, usualAPI)
	c.Flags().StringVar(&in.Username, "username", "", "what else they sign in with (default the address)")
	c.Flags().StringVar(&in.FirstName, "first-name", "", "their first name")
	c.Flags().StringVar(&in.LastName, "last-name", "", "their last name")
	return c
}

// userPassword is 'postern user password'.
func userPassword(usualAPI string) *cobra.Command {
	var a api
	c := &cobra.Command{
		Use:   "password USER",
		Short: "Give a user a new password, which ends all their sessions",
		Long: `Give a user, named by id, username or e-mail address, a new password. All their sessions end.

The password is asked for on a terminal, else it is the first line of standard input.`,
		Example: `  postern user password ann --key-file postern-data/management.key`,
		Args:    Takes(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.client()
			if err != nil {
				return err
			}
			password, err := newPassword(c, args[0])
			if err != nil {
				return err
			}
			if _, err := api.Users.Update(c.Context(), args[0], client.UserUpdate{Password: &password}); err != nil {
				return plainly(err)
			}
			return Print(c, args[0]+" has a new password. All their sessions have ended.", nil)
		},
	}
	a.flags(c, usualAPI)
	return c
}

// client returns what calls the API. The address may be plain HTTP, as for an import: whoever names it knows the way there.
func (a *api) client() (*client.Client, error) {
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{URL: a.url, Key: key, Realm: a.realm, AllowPlainHTTP: true})
}

// plainly leaves of an error what is for somebody who typed a command: what is wrong, and not with which call.
func plainly(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status == 0 {
		return err
	}
	if len(e.Fields) == 0 {
		return errors.New(e.Detail)
	}
	var all []string
	for _, field := range e.Fields {
		all = append(all, field.Message)
	}
	return errors.New(strings.Join(all, "; "))
}

// newPassword asks for somebody's new password: on a terminal twice, unseen, else it is the first line of standard input.
func newPassword(c *cobra.Command, whose string) (string, error) {
	terminal, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return firstLine(c, "a password")
	}
	var typed [2]string
	for i, prompt := range []string{"New password of " + whose + ": ", "Once more: "} {
		fmt.Fprint(c.ErrOrStderr(), prompt)
		text, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		if err != nil {
			return "", err
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same; nothing was done")
	}
	return typed[0], nil
}
