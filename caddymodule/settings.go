package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/redisstore"
)

// storeFile is the embedded store's place in the data folder.
const storeFile = "postern.db"

// settings are an App's, with all placeholders resolved. They hold secrets: they are never logged.
type settings struct {
	redis        *redisstore.Options // nil = the embedded store
	files        [][]byte            // certificates that redis uses
	data         string
	masterKey    *core.MasterKey // nil = the embedded store's own, in the data folder
	formerKey    *core.MasterKey // nil = none
	publicURL    string
	apiRate      int
	maxStaleness time.Duration
	hashing      core.Hashing
	outgoing     outgoing
	refused      *core.PasswordList // nil = none
	refusedFrom  string             // tells it from another
}

// settings resolves the configuration, and returns all complaints at once.
func (a *App) settings() (*settings, error) {
	r := &resolver{replacer: caddy.NewReplacer()}
	s := &settings{
		data: r.text("data", a.Data), publicURL: r.text("public_url", a.PublicURL), apiRate: a.APIRate, maxStaleness: time.Duration(a.MaxStaleness),
		hashing:  core.Hashing{HashSlots: a.HashSlots, HashMemory: a.HashMemory, HashPasses: a.HashPasses},
		outgoing: a.Outgoing.resolve(r),
	}
	s.readPasswordList(r.text("password_list", a.PasswordList), r)
	if s.data == "" {
		s.data = filepath.Join(caddy.AppDataDir(), "postern")
	}
	folder, err := assembly.RealPath(s.data) // a store that is called by two names is one
	r.complain(err)
	s.data = folder
	s.resolveRedis(a.Redis, r)
	s.masterKey, s.formerKey = s.resolveMasterKey(a.MasterKey, r), decodeMasterKey("former_master_key", a.FormerMasterKey, r)
	if len(r.errs) == 0 {
		r.complain(s.rehearse())
	}
	if err := errors.Join(r.errs...); err != nil {
		return nil, fmt.Errorf("postern: %w", err)
	}
	return s, nil
}

// readPasswordList reads the list of passwords that nobody may choose, if there is one.
func (s *settings) readPasswordList(file string, r *resolver) {
	list, err := assembly.ReadPasswordList(file)
	r.complain(err)
	if s.refused = list; list == nil {
		return
	}
	info, err := os.Stat(file)
	if err != nil {
		r.complain(wrapped("password_list", err))
		return
	}
	s.refusedFrom = fmt.Sprint(file, " of ", info.Size(), " bytes at ", info.ModTime().UnixNano())
}

// resolveRedis takes Redis from the configuration, else from the environment.
func (s *settings) resolveRedis(c *Redis, r *resolver) {
	if c == nil {
		if os.Getenv("POSTERN_REDIS_URL") == "" {
			return
		}
		c = &Redis{URL: "{env.POSTERN_REDIS_URL}"}
	}
	o := c.options(r)
	s.redis, s.files = &o, r.files
}

// resolveMasterKey takes the master key from the configuration, else from where the environment says, else leaves it to the
// data folder, but not with Redis: a key made on one machine would lock out all others.
func (s *settings) resolveMasterKey(value string, r *resolver) *core.MasterKey {
	switch file := os.Getenv("POSTERN_MASTER_KEY_FILE"); {
	case value != "":
		return decodeMasterKey("master_key", value, r)
	case file != "":
		key, err := assembly.ReadMasterKey(file)
		r.complain(err)
		return key
	case s.redis != nil:
		r.complain(errors.New("master_key: with Redis, a master key is required: make one with" +
			" 'head -c 32 /dev/urandom | base64 > master.key; chmod 600 master.key' and name it as master_key {file./path/to/master.key}" +
			" or in POSTERN_MASTER_KEY_FILE; keep a copy, without it no data can be read"))
	}
	return nil
}

// decodeMasterKey returns the master key that a setting gives, nil for none.
func decodeMasterKey(name, value string, r *resolver) *core.MasterKey {
	text := r.secret(name, value)
	if text == "" {
		return nil
	}
	key, err := assembly.DecodeMasterKey([]byte(text))
	if err != nil {
		r.complain(fmt.Errorf("%s: %w", name, err))
	}
	return key
}

// rehearse finds what the store and core would complain about, without opening or reading anything.
func (s *settings) rehearse() error {
	var errs []error
	if s.redis != nil {
		if store, err := redisstore.Open(context.Background(), *s.redis); err != nil {
			errs = append(errs, wrapped("redis", err))
		} else {
			errs = append(errs, store.Close())
		}
	}
	anyKey, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	if err == nil {
		_, err = core.New(core.Options{Store: struct{ core.Store }{}, MasterKey: anyKey, PublicURL: s.publicURL, LinkBase: s.outgoing.links, MaxStaleness: s.maxStaleness, Hashing: s.hashing})
	}
	return errors.Join(append(errs, err, httpapi.CheckKeyRate(s.apiRate), s.outgoing.rehearse())...)
}

// key identifies settings: two that are alike share an engine. Master keys count by what they are, wherever they come from; the
// embedded store's own is replaced by the engine itself.
func (s *settings) key() string {
	var master [2]string
	for i, key := range []*core.MasterKey{s.masterKey, s.formerKey} {
		if key != nil {
			master[i] = key.ID()
		}
	}
	return hash(s.storeKey(), s.data, master, s.publicURL, s.apiRate, s.maxStaleness, s.hashing, s.refusedFrom, s.outgoing.Options, s.outgoing.links, s.outgoing.ca)
}

// storeKey identifies the store: two settings that mean the same one in the same way share it, however they are spelled.
func (s *settings) storeKey() string {
	if s.redis == nil {
		return hash("bolt", s.data)
	}
	return hash("redis", s.redis.Meaning(), s.files)
}

// hash returns a digest of values, which tells nothing of secrets among them.
func hash(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // all are texts, numbers and bytes
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// openStore opens the store. Redis is not reached for yet.
func (s *settings) openStore(ctx context.Context) (core.Store, error) {
	if s.redis != nil {
		return opened(redisstore.Open(ctx, *s.redis))
	}
	file := filepath.Join(s.data, storeFile)
	if err := assembly.CheckEmptied(s.data, file); err != nil {
		return nil, err
	}
	return opened(boltstore.Open(boltstore.Options{Path: file}))
}

// opened keeps a store that is not there from looking like one.
func opened[S core.Store](store S, err error) (core.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

// readMasterKey returns the master key, and whether it is the embedded store's own, which is made where there is none.
func (s *settings) readMasterKey(ctx context.Context, store core.Store) (key *core.MasterKey, own bool, err error) {
	if own = s.masterKey == nil; own {
		empty, err := core.IsEmpty(ctx, store)
		if err == nil {
			err = assembly.FirstMasterKey(s.data, empty)
		}
		if err != nil {
			return nil, own, err
		}
	}
	key, err = s.existingMasterKey()
	return key, own, err
}

// existingMasterKey returns the master key, and makes none.
func (s *settings) existingMasterKey() (key *core.MasterKey, err error) {
	if key = s.masterKey; key == nil {
		if key, err = assembly.OwnMasterKey(s.data); err != nil {
			return nil, err
		}
	}
	if s.formerKey != nil {
		key = key.Replacing(s.formerKey)
	}
	return key, nil
}
