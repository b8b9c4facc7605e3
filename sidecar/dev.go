package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/demo"
)

// DevOptions configures Dev.
type DevOptions struct {
	Options        // without Upstream, which is the demo app
	JSON    bool   // print the facts as one JSON object, instead of the walk
	Program string // how the walk calls postern; default "postern"
}

// aptKeyFile is the demo provider's private key, in the data folder.
const aptKeyFile = "provider.pem"

// Dev guards a demo app, prints how to use it to out, and serves until ctx ends.
func Dev(ctx context.Context, o DevOptions, out io.Writer) error {
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot listen for the demo app: %w", err)
	}
	server := &http.Server{Handler: demo.App(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(app) }()
	defer server.Close()

	o.Upstream = "http://" + app.Addr().String()
	o.MakeMasterKey, o.AllowUnfit = true, true
	s, err := Open(ctx, o.Options)
	if err != nil {
		return err
	}
	if err := s.introduce(ctx, o, out); err != nil {
		s.close()
		return err
	}
	return s.Run(ctx)
}

// introduce prepares the demo provider and prints what to know. The management key's file goes once it is printed.
func (s *Sidecar) introduce(ctx context.Context, o DevOptions, out io.Writer) error {
	secret, err := s.parts.FirstKey(ctx, o.Data)
	if err != nil {
		return err
	}
	keyFile := filepath.Join(o.Data, aptKeyFile)
	if _, err := os.Stat(keyFile); errors.Is(err, os.ErrNotExist) && secret == "" {
		return errors.New("this data was set up by something else than 'postern dev', which would add a demo account provider to it; " +
			"use 'postern serve', or name an empty Redis or another data folder")
	}
	if err := s.addProvider(ctx, keyFile); err != nil {
		return err
	}
	if err := s.print(o, keyFile, secret, out); err != nil {
		return fmt.Errorf("cannot print how to use it: %w", err)
	}
	return assembly.DropFirstKey(o.Data)
}

// print prints the facts, or the walk.
func (s *Sidecar) print(o DevOptions, keyFile, secret string, out io.Writer) error {
	facts := demo.Facts{
		GuardURL: s.GuardURL(), APIURL: s.APIURL(), RealmID: string(s.realm.ID), EnvironmentGUID: s.realm.EnvironmentGUID,
		APTKeyFile: keyFile, Program: o.Program, Folder: o.Data, Redis: s.o.RedisURL != "",
		ArbitraryID: "user_" + strconv.FormatInt(time.Now().Unix()%1_000_000, 36),
	}
	if facts.Program == "" {
		facts.Program = "postern"
	}
	if secret != "" {
		facts.ManagementKey = &secret
	}
	if o.JSON {
		return json.NewEncoder(out).Encode(facts)
	}
	return demo.WriteWalk(out, facts)
}

// addProvider makes a key pair for the demo provider, unless there is one, and makes its public half known.
func (s *Sidecar) addProvider(ctx context.Context, keyFile string) error {
	private, err := os.ReadFile(keyFile)
	if errors.Is(err, os.ErrNotExist) {
		if private, _, err = client.GenerateAPTKey(); err != nil {
			return err
		}
		err = assembly.WriteSecretFile(keyFile, private)
	}
	if err != nil {
		return fmt.Errorf("the demo provider's key: %w", err)
	}
	public, err := client.APTPublicKey(private)
	if err != nil {
		return fmt.Errorf("the demo provider's key %s cannot be used (%w); remove it to get a new one", keyFile, err)
	}
	_, err = s.parts.Core.APTKeys.Add(ctx, s.realm.ID, "demo provider", public, "", core.Request{})
	return err
}
