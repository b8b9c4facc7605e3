package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/jose"
	"github.com/postern-auth/postern/internal/proctest"
	"github.com/postern-auth/postern/redisstore"
)

// redisServer is a Redis of our own.
type redisServer struct {
	*process
	addr string
}

// startRedis starts a Redis that keeps what it is told: the one that scripts/fetch-redis fetched, or the one on PATH.
func (b *bench) startRedis() (*redisServer, error) {
	program, _ := filepath.Abs(filepath.Join(".cache", "redis", "redis-server"))
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("redis-server"); err != nil {
			return nil, fmt.Errorf("a Redis server is %w: run scripts/fetch-redis", errMissing)
		}
	}
	addr, err := proctest.FreeAddress()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(b.dir, "redis-")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	p, err := b.launch(anyCore, nil, nil, program, "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "", "--appendonly", "yes",
		"--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0", "--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, err
	}
	return &redisServer{p, addr}, p.Await(func() bool { return proctest.Listens(addr) })
}

// url returns where it is.
func (r *redisServer) url() string { return "redis://" + r.addr }

// copied starts another Redis that holds the same, and knows the scripts.
func (r *redisServer) copied(ctx context.Context, b *bench) (*redisServer, error) {
	other, err := b.startRedis()
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: other.addr})
	defer func() { _ = client.Close() }()
	host, port, _ := net.SplitHostPort(r.addr)
	if err := client.ReplicaOf(ctx, host, port).Err(); err != nil {
		return nil, err
	}
	if err := other.Await(func() bool {
		return strings.Contains(client.Info(ctx, "replication").Val(), "master_link_status:up")
	}); err != nil {
		return nil, err
	}
	if err := client.ReplicaOf(ctx, "NO", "ONE").Err(); err != nil {
		return nil, err
	}
	store, err := redisstore.Open(ctx, redisstore.Options{URL: other.url()})
	if err != nil {
		return nil, err
	}
	none := core.Key{Name: "none"}
	_, readErr := store.Get(ctx, none)
	_, writeErr := store.Apply(ctx, &core.Transaction{ID: "scripts", Now: time.Now(), Delete: []string{none.Name}})
	return other, errors.Join(readErr, writeErr, store.Close())
}

// pause stops Redis as it is: connections stay, answers do not come.
func (r *redisServer) pause() error { return r.Process.Signal(syscall.SIGSTOP) }

// resume ends a pause.
func (r *redisServer) resume() error { return r.Process.Signal(syscall.SIGCONT) }

// population is a realm with signed-in users.
type population struct {
	realm         core.RealmID
	masterKeyFile string
	managementKey string
	tokens        []string
	sessions      []core.SessionID
}

// liveTokens is how many users are signed in at once.
const liveTokens = 100_000

// populate starts Redis and signs users in, once a run.
func (b *bench) populate(ctx context.Context) (err error) {
	if b.crowd == nil {
		b.redis, b.crowd, err = b.populateRedis(ctx, liveTokens)
	}
	return err
}

// populateRedis starts a Redis and signs n users in.
func (b *bench) populateRedis(ctx context.Context, n int) (*redisServer, *population, error) {
	redis, err := b.startRedis()
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp(b.dir, "population-")
	if err != nil {
		return nil, nil, err
	}
	store, err := redisstore.Open(ctx, redisstore.Options{URL: redis.url(), CallTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	crowd, err := signIn(ctx, store, folder, n)
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, nil, err
	}
	return redis, crowd, nil
}

// populateFile signs users in over the embedded store in a folder, and returns their tokens.
func populateFile(ctx context.Context, folder string, n int) ([]string, error) {
	crowd, err := populateFolder(ctx, folder, n)
	if err != nil {
		return nil, err
	}
	return crowd.tokens, nil
}

// populateFolder is populateFile, and returns all that is known of the users.
func populateFolder(ctx context.Context, folder string, n int) (*population, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(folder, "postern.db")})
	if err != nil {
		return nil, err
	}
	crowd, err := signIn(ctx, store, folder, n)
	return crowd, errors.Join(err, store.Close())
}

// assembled returns a Postern over a store, with a master key of its own in a folder.
func assembled(store core.Store, folder string) (*assembly.Assembly, error) {
	file := filepath.Join(folder, assembly.MasterKeyFile)
	if err := assembly.EnsureMasterKey(file); err != nil {
		return nil, err
	}
	master, err := assembly.ReadMasterKey(file)
	if err != nil {
		return nil, err
	}
	return assembly.New(assembly.Options{Store: store, MasterKey: master})
}

// signIn sets a store up and makes n users, each with a session.
func signIn(ctx context.Context, store core.Store, folder string, n int) (*population, error) {
	parts, err := assembled(store, folder)
	if err != nil {
		return nil, err
	}
	work, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { parts.Run(work) })
	defer background.Wait()
	defer stop()
	realm, err := parts.SetUp(ctx, folder)
	if err != nil {
		return nil, err
	}
	p := &population{realm: realm.ID, masterKeyFile: filepath.Join(folder, assembly.MasterKeyFile), tokens: make([]string, n), sessions: make([]core.SessionID, n)}
	secret, err := os.ReadFile(filepath.Join(folder, assembly.FirstKeyFile))
	if err != nil {
		return nil, err
	}
	p.managementKey = strings.TrimSpace(string(secret))
	_, private, err := parts.Core.APTKeys.Generate(ctx, realm.ID, "bench", jose.EdDSA, core.Request{})
	if err != nil {
		return nil, err
	}
	signer, err := client.NewAPTSigner(private, realm.EnvironmentGUID)
	if err != nil {
		return nil, err
	}
	return p, p.enter(ctx, parts.Core.APTs, signer)
}

// enter creates and signs in one user for each place, several at once.
func (p *population) enter(ctx context.Context, apts *core.APTs, signer *client.APTSigner) error {
	errs := make([]error, 16*runtime.NumCPU())
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < len(p.tokens); i += len(errs) {
				id := fmt.Sprintf("account-%08d", i)
				apt, err := signer.Sign(id, 0)
				if err != nil {
					errs[w] = err
					return
				}
				in, err := apts.Create(ctx, core.APTCall{Token: apt, ArbitraryID: &id})
				if err != nil {
					errs[w] = err
					return
				}
				p.tokens[i], p.sessions[i] = in.Token, in.Session.ID
			}
		})
	}
	all.Wait()
	return cmp.Or(errs...) // one says enough
}
