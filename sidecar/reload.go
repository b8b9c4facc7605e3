package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// changeable are the settings that a running server can take anew. The others say which addresses and which data are its own.
var changeable = []string{"upstream", "upstream_ca", "trusted_proxies", "api_mount", "access_log",
	"realm", "public", "require", "login_url", "origins", "assertion", "stale_ok", "pass_token", "pages", "title", "forgot_url", "sign_up_url"}

// Reload has the server go on with other options. No connection is dropped: requests under way finish as they began. Where
// o is not good, or asks for what takes a restart, nothing changes, and the error says what is wrong.
func (s *Sidecar) Reload(ctx context.Context, o Options) error {
	o.MakeMasterKey, o.AllowUnfit, o.Log = s.o.MakeMasterKey, s.o.AllowUnfit, s.o.Log
	if err := o.validate(); err != nil {
		return err
	}
	if fixed := s.fixed(&o); len(fixed) > 0 {
		return fmt.Errorf("%s cannot change while the server runs; restart it", strings.Join(fixed, ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	if err := s.findRealm(ctx, &o); err != nil {
		return err
	}
	next, err := newGeneration(&o, s.parts)
	if err != nil {
		return err
	}
	if s.certificate != nil {
		if err := s.certificate.load(); err != nil {
			next.retire()
			return err
		}
	}
	before := s.front.take(next)
	go before.retire()
	o.warn()
	s.o.Log.Info("goes on with new settings", zap.String("upstream", o.Upstream))
	return nil
}

// fixed returns the settings of o that differ from what the server runs with, and may not.
func (s *Sidecar) fixed(o *Options) []string {
	var names []string
	for _, setting := range Settings {
		if !slices.Contains(changeable, setting.Name) && setting.text(o) != setting.text(&s.o) {
			names = append(names, setting.Name)
		}
	}
	return names
}

// errNoFile says that there is nothing to load again.
var errNoFile = errors.New("no configuration file was given, so there is nothing to load again")

// Follow loads the options again whenever ask is told to, until ctx ends. What is wrong with them is logged.
func (s *Sidecar) Follow(ctx context.Context, from Source, ask <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ask:
		}
		o, err := Load(from)
		if from.File == "" {
			err = errNoFile
		}
		if err == nil {
			err = s.Reload(ctx, o)
		}
		if err != nil {
			s.o.Log.Error("the settings were not taken; the server goes on as it was", zap.Error(err))
		}
	}
}
