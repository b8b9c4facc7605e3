package commands_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/commands"
)

// TestShown reads a token from the command line, or from standard input.
func TestShown(t *testing.T) {
	for _, tt := range []struct {
		args        []string
		input, want string
		complaint   string
	}{
		{nil, "unread", "", ""},
		{[]string{"--token", "abc"}, "unread", "abc", ""},
		{[]string{"--token", "-"}, "abc\r\nrest", "abc", ""},
		{[]string{"--token", "-"}, "abc", "abc", ""},
		{[]string{"--token", "-"}, "\nabc", "", "a token is needed"},
		{[]string{"--token", "-"}, "", "", "a token is needed"},
	} {
		var shown commands.Shown
		got := ""
		c := &cobra.Command{Use: "explain", SilenceUsage: true, SilenceErrors: true, RunE: func(c *cobra.Command, _ []string) (err error) {
			got, err = shown.Read(c)
			return err
		}}
		shown.Flag(c.Flags())
		c.SetArgs(tt.args)
		c.SetIn(strings.NewReader(tt.input))
		c.SetOut(new(bytes.Buffer))
		err := c.Execute()
		if got != tt.want || (err == nil) != (tt.complaint == "") || err != nil && !strings.Contains(err.Error(), tt.complaint) {
			t.Errorf("%v with %q on standard input = %q, %v; want %q, %q", tt.args, tt.input, got, err, tt.want, tt.complaint)
		}
	}
}
