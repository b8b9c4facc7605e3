package commands

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/client"
)

// usualLimit is how long an APT may live in a realm that says nothing else.
const usualLimit = 5 * time.Minute

// APT is 'postern apt'.
func APT() *cobra.Command {
	return family(&cobra.Command{Use: "apt", Short: "Account provider tokens"}, aptSignCommand())
}

// aptSignCommand is 'postern apt sign'.
func aptSignCommand() *cobra.Command {
	var keyFile, environment, arbitraryID, alg string
	var lifetime time.Duration
	c := &cobra.Command{
		Use:     "sign",
		Short:   "Sign an account provider token and print it",
		Example: `  postern apt sign --key provider.pem --environment "$ENVIRONMENT_GUID" --arbitrary-id user_a3rb`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			signer, err := aptSigner(keyFile, environment, alg)
			if err != nil {
				return err
			}
			apt, err := signer.Sign(arbitraryID, lifetime)
			if err != nil {
				return err
			}
			if lifetime > usualLimit {
				fmt.Fprintf(c.ErrOrStderr(), "postern: note that a realm refuses an APT that lives longer than %s, unless its apt_lifetime says otherwise\n", usualLimit)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), apt)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&keyFile, "key", "", "the environment's private key, PEM")
	f.StringVar(&environment, "environment", "", "the environment_guid")
	f.StringVar(&alg, "alg", "", "RS256, PS256, ES256 or EdDSA; default what fits the key, for RSA RS256")
	f.StringVar(&arbitraryID, "arbitrary-id", "", "the user it is for; may be left out to create one")
	f.DurationVar(&lifetime, "lifetime", client.DefaultAPTLifetime, "how long it is good")
	_ = c.MarkFlagRequired("key")
	_ = c.MarkFlagRequired("environment")
	return c
}

// aptSigner returns what signs by the private key in a file; alg "" is what fits the key.
func aptSigner(keyFile, environment, alg string) (*client.APTSigner, error) {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	signer, err := client.NewAPTSigner(key, environment)
	if err == nil && alg != "" {
		signer, err = signer.Using(alg)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return signer, nil
}
