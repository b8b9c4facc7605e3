package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/control"
)

// listenToCommands lets commands come over the embedded store, which is ours alone: from before anybody is told that this server is there.
func (s *Sidecar) listenToCommands() {
	if s.o.RedisURL != "" {
		return
	}
	var err error
	if s.control, err = control.Listen(s.o.Data); err != nil {
		s.commandsWait(err)
	}
}

// takeCommands serves commands until ctx ends.
func (s *Sidecar) takeCommands(ctx context.Context) {
	commands := assembly.Commands(s.o.Data, func() []*assembly.Assembly { return []*assembly.Assembly{s.parts} })
	commands[commandExplain] = s.explain
	if err := control.Serve(ctx, s.control, commands, assembly.Streams(s.store)); err != nil {
		s.commandsWait(err)
	}
}

// commandsWait says why no commands are taken.
func (s *Sidecar) commandsWait(why error) {
	s.o.Log.Warn("commands must wait until this server has ended", zap.Error(why))
}

// CommandData says where the data is, for a command line. Options that concern listeners and the app are not looked at.
func (o *Options) CommandData() *assembly.Data {
	return &assembly.Data{
		Folder: o.Data, Embedded: o.RedisURL == "", File: filepath.Join(o.Data, storeFile), OwnKey: o.MasterKeyFile == "", PublicURL: o.PublicURL,
		Open: o.openStore, MasterKey: o.existingMasterKey, Unreachable: func(err error) error { return unreachable(o, err) },
	}
}

// holdsData reports whether the embedded store was made once.
func (o *Options) holdsData() bool {
	info, err := os.Stat(filepath.Join(o.Data, storeFile))
	return err == nil && info.Size() > 0
}

// existingMasterKey reads the master key.
func (o *Options) existingMasterKey() (*core.MasterKey, error) {
	if o.MasterKeyFile != "" {
		return assembly.ReadMasterKey(o.MasterKeyFile)
	}
	key, err := assembly.OwnMasterKey(o.Data)
	if errors.Is(err, fs.ErrNotExist) && o.holdsData() {
		return nil, assembly.LostMasterKey(filepath.Join(o.Data, assembly.MasterKeyFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no server runs over the folder %s, and it holds no data of Postern: name the folder with --data or POSTERN_DATA, or where the data is in Redis, that with --redis or POSTERN_REDIS_URL", o.Data)
	}
	return key, err
}
