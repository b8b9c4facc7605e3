package teststore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// Where a process that is to be killed finds the store, and how many users there are to delete: 2,000 unless it is said.
const (
	placeVariable = "POSTERN_TEST_DEMOLISH"
	manyVariable  = "POSTERN_TEST_MANY"
)

func TestMain(m *testing.M) {
	if at := os.Getenv(placeVariable); at != "" {
		demolish(at)
		return
	}
	os.Exit(redistest.Main(m))
}

// demolish does the jobs of a store until it is killed, and says a line after each write.
func demolish(at string) {
	store, err := site(at).open()
	if err == nil {
		err = newCore(&loud{store}, time.Now).RunJobs(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loud is a store that says a line after each write.
type loud struct{ core.Store }

func (l *loud) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	out, err := l.Store.Apply(ctx, tx)
	fmt.Println("written")
	return out, err
}

// site is where a store is: the URL of a Redis, a space and the prefix of keys; or the path of a file.
type site string

func (s site) open() (core.Store, error) {
	if url, prefix, isRedis := strings.Cut(string(s), " "); isRedis {
		return redisstore.Open(context.Background(), redisstore.Options{URL: url, KeyPrefix: prefix, DialTimeout: 10 * time.Second,
			ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, CallTimeout: 20 * time.Second})
	}
	return boltstore.Open(boltstore.Options{Path: string(s)})
}

// newCore returns a core that nothing keeps current, so that jobs are done when they are asked for.
func newCore(store core.Store, now func() time.Time) *core.Core {
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	if err != nil {
		panic(err)
	}
	c, err := core.New(core.Options{Store: store, MasterKey: master, Now: now})
	if err != nil {
		panic(err)
	}
	return c
}

// TestLargeDeletions deletes an org with many members and then the realm with its many users, by jobs in processes that are
// killed under way. Another process finishes, and what is then in the database, looked at without the store, is none of theirs; of
// the org's members, the users stay. 'make large' does it with 100,000.
func TestLargeDeletions(t *testing.T) {
	many := 2000
	if text := os.Getenv(manyVariable); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil || many < 2000 {
			t.Fatalf("%s = %q; want a number of at least 2000", manyVariable, text)
		}
	}
	t.Run("bolt", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "postern.db")
		demolition(t, site(file), many, func(realm core.RealmID) map[string]int { return leftInFile(t, file, realm) })
	})
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		prefix := fmt.Sprintf("large-%d:", time.Now().UnixNano())
		demolition(t, site(server.URL()+" "+prefix), many, func(realm core.RealmID) map[string]int { return leftInRedis(t, server, prefix, realm) })
	})
}

// demolition is the story over one store.
func demolition(t *testing.T, at site, many int, left func(core.RealmID) map[string]int) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := at.open()
	must(err)
	c := newCore(store, time.Now)
	secret, err := c.ManagementKeys.NewSecret()
	must(err)
	must(c.SetUp(t.Context(), secret))
	realm, err := c.Realms.Create(t.Context(), core.NewRealm{Name: "large"}, core.Request{})
	must(err)
	org, err := c.Orgs.Create(t.Context(), realm.ID, core.OrgChange{Name: new("large")}, core.Request{})
	must(err)
	begun := time.Now()
	must(populate(t.Context(), c, realm.ID, org.ID, many))
	t.Logf("%d users made, and members of an org, in %v", many, time.Since(begun))

	must(c.Orgs.Delete(t.Context(), realm.ID, org.ID, core.Request{}))
	must(store.Close())
	killedTwice(t, at)
	store, err = at.open()
	must(err)
	begun = time.Now()
	must(newCore(store, later).RunJobs(t.Context()))
	t.Logf("the rest of the org deleted in %v", time.Since(begun))
	kept := left(realm.ID)
	for what, want := range map[string]int{"index ms": 0, "index om:" + string(org.ID): 0, "records b": 0, "records uo": 0, "records o": 0, "records u": many} {
		if kept[what] != want {
			t.Errorf("%d of %s are there after the org was deleted; want %d", kept[what], what, want)
		}
	}

	must(newCore(store, time.Now).Realms.Delete(t.Context(), realm.ID, core.Request{}))
	must(store.Close())
	killedTwice(t, at)
	store, err = at.open()
	must(err)
	begun = time.Now()
	must(newCore(store, later).RunJobs(t.Context()))
	t.Logf("the rest of the realm deleted in %v", time.Since(begun))
	must(store.Close())
	for what, kept := range left(realm.ID) {
		t.Errorf("%d of %s are left of the realm", kept, what)
	}
}

// later is when what waits for a while after a deletion is due.
func later() time.Time { return time.Now().Add(3 * time.Minute) }

// populate makes users who are members of an org, many at once.
func populate(ctx context.Context, c *core.Core, realm core.RealmID, org core.OrgID, many int) error {
	errs := make([]error, 16*runtime.NumCPU())
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < many && errs[w] == nil; i += len(errs) {
				name := fmt.Sprintf("user-%08d", i)
				_, _, errs[w] = c.Users.Import(ctx, realm, core.UserImport{UserChange: core.UserChange{Username: &name, Email: new(name + "@example.com"),
					Reference: new(fmt.Sprint("customer-", i/10))}, UserParts: core.UserParts{Memberships: []*core.Membership{{Org: org}}}}, false, core.Request{})
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// killedTwice has two processes, one after the other, do jobs, and kills each in the middle of them.
func killedTwice(t *testing.T, at site) {
	t.Helper()
	for _, writes := range []int{5, 11} {
		p := exec.Command(os.Args[0])
		p.Env = append(os.Environ(), placeVariable+"="+string(at))
		p.Stderr = os.Stderr
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(5*time.Minute, func() { _ = p.Process.Kill() })
		lines, seen := bufio.NewScanner(out), 0
		for seen < writes && lines.Scan() {
			seen++
		}
		late.Stop()
		_ = p.Process.Kill()
		if err := p.Wait(); err == nil || seen < writes {
			t.Fatalf("the process ended by itself after %d writes, %v; want it killed under way", seen, err)
		}
	}
}

// leftInRedis counts what does not expire of a realm's, by scanning.
func leftInRedis(t *testing.T, server *redistest.Server, prefix string, realm core.RealmID) map[string]int {
	t.Helper()
	o, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer func() { _ = client.Close() }()
	left := map[string]int{}
	keys := client.Scan(t.Context(), 0, prefix+"{"+string(realm)+":*", 10_000).Iterator()
	for keys.Next(t.Context()) {
		_, name, _ := strings.Cut(keys.Val(), "}")
		kind, name, _ := strings.Cut(name, ":")
		switch {
		case kind == "v" || kind == "l" || kind == "b" || kind == "o":
		case kind == "i":
			left["index "+name] = int(client.ZCard(t.Context(), keys.Val()).Val())
		case client.TTL(t.Context(), keys.Val()).Val() < 0:
			first, _, _ := strings.Cut(name, ":")
			left["records "+first]++
		}
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return left
}

// leftInFile is leftInRedis for a file, of which the store may be open: then a copy is looked at.
func leftInFile(t *testing.T, file string, realm core.RealmID) map[string]int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	replica := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(replica, text, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(replica, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	left := map[string]int{}
	err = db.View(func(tx *bbolt.Tx) error {
		of := func(bucket string, see func(name string, value []byte)) error {
			return tx.Bucket([]byte(bucket)).ForEach(func(key, value []byte) error {
				if name, ours := strings.CutPrefix(string(key), string(realm)+":"); ours {
					_, name, _ = strings.Cut(name, "\x00")
					see(name, value)
				}
				return nil
			})
		}
		if err := of("records", func(name string, value []byte) {
			const deadlineAt = 4 + 8 + 2 + 8 // after the checksum, the version, the schema and the expiry
			if binary.BigEndian.Uint64(value[deadlineAt:]) == 0 {
				first, _, _ := strings.Cut(name, ":")
				left["records "+first]++
			}
		}); err != nil {
			return err
		}
		return of("indexes", func(name string, _ []byte) {
			index, _, _ := strings.Cut(name, "\x00")
			left["index "+index]++
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}
