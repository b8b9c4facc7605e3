package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"

	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/sidecar"
)

// Where the data is unless --data says otherwise. dev has a folder of its own: it adds a demo provider to its data.
const (
	defaultData = sidecar.DefaultData
	devData     = "postern-dev"
)

// given is what a command line says of settings, by their names.
type given map[string]string

// flags gives a command the flags of settings; all that have one, or those that are named.
func (g given) flags(f *pflag.FlagSet, names ...string) {
	for _, s := range sidecar.Settings {
		if s.Flag == "" || len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		usage := fmt.Sprintf("%s (env %s)", s.Usage, s.Env())
		if s.Default != "" {
			usage = fmt.Sprintf("%s (default %s; env %s)", s.Usage, s.Default, s.Env())
		}
		set := func(text string) error {
			if _, twice := g[s.Name]; twice {
				return errors.New("it is there twice")
			}
			g[s.Name] = text
			return s.Set(&sidecar.Options{}, text) // so that what is wrong is said of the flag
		}
		if s.IsSwitch() {
			f.BoolFunc(s.Flag, usage, set)
		} else {
			f.Func(s.Flag, usage, set)
		}
	}
}

// dataFlags gives a command the flags that say where the data is.
func (g given) dataFlags(f *pflag.FlagSet) {
	g.flags(f, "data", "redis_url", "master_key_file", "durability", "wait_replicas")
}

// locate is where commands find the data.
func locate(f *pflag.FlagSet) func() (*assembly.Data, error) {
	g := given{}
	g.dataFlags(f)
	return func() (*assembly.Data, error) {
		o, err := g.options(defaultData)
		if err != nil {
			return nil, err
		}
		return o.CommandData(), nil
	}
}

// options returns what the environment and the command line say; data is the folder where neither names one.
func (g given) options(data string) (sidecar.Options, error) {
	return sidecar.Gather(sidecar.Source{Environ: append([]string{"POSTERN_DATA=" + data}, os.Environ()...), Given: g})
}

// devCommand is 'postern dev'.
func devCommand() *cobra.Command {
	g, asJSON := given{}, false
	c := &cobra.Command{
		Use:   "dev",
		Short: "Guard a demo app, and print how to use it",
		Example: `  postern dev
  postern dev --listen 127.0.0.1:9000 --redis redis://127.0.0.1:6379/0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := g.options(devData)
			if err != nil {
				return err
			}
			o.Log = newLog(zapcore.NewConsoleEncoder, zapcore.WarnLevel)
			return sidecar.Dev(c.Context(), sidecar.DevOptions{Options: o, Program: os.Args[0], JSON: asJSON}, c.OutOrStdout())
		},
	}
	g.flags(c.Flags(), "listen", "api_listen", "former_master_key_file")
	g.dataFlags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print the facts as one JSON object on the first line")
	return c
}

// source is where serve and check take settings from.
func (g given) source(f *pflag.FlagSet) *sidecar.Source {
	from := &sidecar.Source{Environ: os.Environ(), Given: g}
	f.StringVar(&from.File, "config", "", "configuration file (YAML); the environment and flags go before what it says")
	g.flags(f)
	return from
}

// serveCommand is 'postern serve'.
func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Guard an app and serve the /v1 API; SIGHUP has it read its configuration again",
		Example: `  postern serve --upstream http://127.0.0.1:3000
  postern serve --config /etc/postern.yaml`,
		Args: cobra.NoArgs,
	}
	from := given{}.source(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := sidecar.Load(*from)
		if err != nil {
			return err
		}
		o.Log = newLog(zapcore.NewJSONEncoder, zapcore.InfoLevel)
		asked := hangups(c.Context()) // from now on: a SIGHUP that nobody waits for ends the program
		s, err := sidecar.Open(c.Context(), o)
		if err != nil {
			return err
		}
		go s.Follow(c.Context(), *from, asked)
		return s.Run(c.Context())
	}
	return c
}

// checkCommand is 'postern check'.
func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "check",
		Short:   "Say all that is wrong with a configuration, without starting anything",
		Example: `  postern check --config /etc/postern.yaml`,
		Args:    cobra.NoArgs,
	}
	from := given{}.source(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := sidecar.Load(*from)
		if err = errors.Join(err, o.CheckFiles()); err != nil {
			return err
		}
		for _, text := range o.Warnings() {
			fmt.Fprintln(c.ErrOrStderr(), "Warning:", text)
		}
		fmt.Fprintln(c.OutOrStdout(), "The configuration is good.")
		return nil
	}
	return c
}

// hangups passes SIGHUP on until ctx ends. While the program stops, one changes nothing: it would end the requests under way if the signal were
// let go.
func hangups(ctx context.Context) <-chan struct{} {
	signals, ask := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case ask <- struct{}{}:
			}
		}
	}()
	return ask
}
