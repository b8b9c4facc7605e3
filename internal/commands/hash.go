package commands

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/core"
)

// Hash is 'postern hash'.
func Hash() *cobra.Command {
	return family(&cobra.Command{Use: "hash", Short: "Password hashes"}, hashCalibrateCommand())
}

// hashCalibrateCommand is 'postern hash calibrate'.
func hashCalibrateCommand() *cobra.Command {
	var longest time.Duration
	c := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure what password hashes cost on this machine, and recommend settings",
		Long: `Measure what password hashes cost on this machine, and recommend settings.

More memory makes a stolen hash dearer to guess, and a sign-in slower. Run it where the server runs, while little else
does. Who signs in next gets a hash of the new cost; nobody need change a password.`,
		Example: `  postern hash calibrate --longest 50ms`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if longest < time.Millisecond || longest > 10*time.Second {
				return fmt.Errorf("--longest must be from 1ms to 10s")
			}
			return calibrate(c.OutOrStdout(), longest)
		},
	}
	c.Flags().DurationVar(&longest, "longest", 100*time.Millisecond, "how long one hash may take")
	return c
}

// calibrate prints what was measured, and what to set.
func calibrate(out io.Writer, longest time.Duration) error {
	costs := core.CalibrateHashing(longest)
	fmt.Fprintf(out, "%d cores; %d passwords hashed at once.\n\n", runtime.NumCPU(), costs[0].HashSlots)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "memory\tpasses\tone hash\tsign-ins/s\t")
	for _, c := range costs {
		fmt.Fprintf(w, "%d MiB\t%d\t%d ms\t%.0f\t\n", c.HashMemory>>10, c.HashPasses, c.Took.Milliseconds(), c.PerSecond())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	best := costs[len(costs)-1]
	if best.Took > longest {
		fmt.Fprintf(out, "\nThis machine takes longer than %s even for the least that is recommended. Keep the least.\n", longest)
	}
	_, err := fmt.Fprintf(out, `
Recommended for hashes of at most %s:

  postern serve --hash-memory %d --hash-passes %d --hash-slots %d

  in a file:       hash_memory: %[2]d
                   hash_passes: %[3]d
                   hash_slots: %[4]d
  in a Caddyfile:  hash_memory %[2]d
                   hash_passes %[3]d
                   hash_slots %[4]d
`, longest, best.HashMemory, best.HashPasses, best.HashSlots)
	return err
}
