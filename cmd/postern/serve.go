package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/postern-auth/postern/sidecar"
)

// serverFlags are the flags that dev and serve share.
func serverFlags(f *pflag.FlagSet, o *sidecar.Options, data string) {
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "guarded address; port 0 takes a free one, for the API too")
	f.StringVar(&o.APIListen, "api-listen", "", "address of the /v1 API (default 127.0.0.1:8081)")
	f.StringVar(&o.FormerMasterKeyFile, "former-master-key-file", "", "file with the master key before, while it is being replaced")
	dataFlags(f, o, data)
}

// Where the data is unless --data says otherwise. dev has a folder of its own: it adds a demo provider to its data.
const (
	defaultData = "postern-data"
	devData     = "postern-dev"
)

// dataFlags are the flags that say where the data is.
func dataFlags(f *pflag.FlagSet, o *sidecar.Options, data string) {
	f.StringVar(&o.Data, "data", data, "folder for the data and the keys")
	f.StringVar(&o.RedisURL, "redis", os.Getenv("POSTERN_REDIS_URL"), "keep the data in this Redis: redis://user:password@host:6379/0 (env POSTERN_REDIS_URL)")
	f.StringVar(&o.MasterKeyFile, "master-key-file", os.Getenv("POSTERN_MASTER_KEY_FILE"), "file with the master key (env POSTERN_MASTER_KEY_FILE)")
	f.StringVar(&o.Durability, "durability", "default", "with Redis, what revocations and the like must have outlived: default, none, replicas (WAIT) or disk (WAITAOF)")
	f.IntVar(&o.WaitReplicas, "wait-replicas", 0, "with --durability replicas or disk, on how many replicas")
	f.Lookup("redis").DefValue = "" // a URL may hold a password, which help must not show
}

// devCommand is 'postern dev'.
func devCommand() *cobra.Command {
	o := sidecar.DevOptions{Program: os.Args[0]}
	c := &cobra.Command{
		Use:   "dev",
		Short: "Guard a demo app, and print how to use it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = newLog(zapcore.NewConsoleEncoder, zapcore.WarnLevel)
			return sidecar.Dev(c.Context(), o, c.OutOrStdout())
		},
	}
	serverFlags(c.Flags(), &o.Options, devData)
	c.Flags().BoolVar(&o.JSON, "json", false, "print the facts as one JSON object on the first line")
	return c
}

// serveCommand is 'postern serve'.
func serveCommand() *cobra.Command {
	var o sidecar.Options
	c := &cobra.Command{
		Use:   "serve",
		Short: "Guard an app and serve the /v1 API",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = newLog(zapcore.NewJSONEncoder, zapcore.InfoLevel)
			s, err := sidecar.Open(c.Context(), o)
			if err != nil {
				return err
			}
			return s.Run(c.Context())
		},
	}
	serverFlags(c.Flags(), &o, defaultData)
	c.Flags().StringVar(&o.Upstream, "upstream", "", "URL of the app to guard: http://127.0.0.1:3000")
	c.Flags().StringVar(&o.Realm, "realm", "default", "realm whose users get in, by id or name")
	c.Flags().StringVar(&o.PublicURL, "public-url", "", "where the outside reaches the API, without /v1; part of the issuer of new realms")
	_ = c.MarkFlagRequired("upstream")
	return c
}

// newLog returns a log to standard error, with constant messages: JSON lines for programs, console lines for people.
func newLog(encoder func(zapcore.EncoderConfig) zapcore.Encoder, level zapcore.Level) *zap.Logger {
	c := zap.NewProductionEncoderConfig()
	c.EncodeTime = zapcore.RFC3339TimeEncoder
	return zap.New(zapcore.NewCore(encoder(c), zapcore.Lock(os.Stderr), level))
}
