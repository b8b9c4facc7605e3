package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/proctest"
)

// calledUsers are the users that are asked for.
const calledUsers = 1000

// newNames is how many names there are for users to be made: more than a run makes.
const newNames = 1_000_000

// measureCalls is goal P7.
func measureCalls(ctx context.Context, b *bench) error {
	server, crowd, err := b.populateRedis(ctx, calledUsers)
	if err != nil {
		return err
	}
	defer server.Kill()
	names := make([]string, newNames)
	for i := range names {
		names[i] = newName(nameOf(i))
	}
	g, err := b.startGenerator(names)
	if err != nil {
		return err
	}
	defer g.Kill()
	p, _, api, err := b.startSidecarOf(ctx, crowd, serverCore, server.url(), g.upstream, crowd.tokens[0])
	if err != nil {
		return err
	}
	defer p.Kill()
	ids, err := crowd.users()
	if err != nil {
		return err
	}
	if err := g.use(b, foreignSet, ids); err != nil {
		return err
	}
	return b.compareWithBare(ctx, g, server, crowd, &contender{process: p, addr: api}, ids[0])
}

// compareWithBare has a bare handler do what the API does for each kind of call, and compares them. subject is a user to get.
func (b *bench) compareWithBare(ctx context.Context, g *generator, server *redisServer, crowd *population, api *contender, subject string) error {
	shown := fmt.Sprintf("Host: %s\r\nUser-Agent: bench\r\nAccept: */*\r\nX-Authrocket-Api-Key: %s\r\nX-Authrocket-Realm: %s\r\n", api.addr, crowd.managementKey, crowd.realm)
	kinds := []callKind{
		{name: "get a user by id", method: http.MethodGet, path: "/v1/users/", atLeast: 0.8, set: foreignSet, head: shown},
		{name: "create a user without a password", method: http.MethodPost, path: "/v1/users", atLeast: 0.7, set: liveSet, head: shown},
	}
	calls := map[string]spied{}
	for i := range kinds {
		s, err := kinds[i].spy(ctx, server, crowd, api.addr, subject)
		if err != nil {
			return err
		}
		calls[kinds[i].method] = s
	}
	bare, err := b.startBare(ctx, server, calls)
	if err != nil {
		return err
	}
	defer bare.Kill()
	again, err := b.startBare(ctx, server, calls)
	if err != nil {
		return err
	}
	defer again.Kill()
	for _, k := range kinds {
		all := [3]*contender{
			{name: "the API: " + k.name, process: api.process, addr: api.addr},
			{name: "a bare handler: " + k.name, process: bare.process, addr: bare.addr},
			{name: "another one", process: again.process, addr: again.addr},
		}
		if err := b.compareCalls(ctx, g, k, all); err != nil {
			return err
		}
	}
	return nil
}

// compareCalls holds the API, which comes first, against a bare handler and its twin.
func (b *bench) compareCalls(ctx context.Context, g *generator, k callKind, all [3]*contender) error {
	for _, c := range all {
		c.set, c.before, c.after = k.set, k.before(), k.after()
		if _, err := g.sample(c, 300*time.Millisecond); err != nil { // warms it
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	// A turn is long beside the 50 ms that events of it may be left for later, when nobody counts.
	if err := contest(ctx, g, b.rounds(15, 31), time.Duration(b.rounds(600, 1000))*time.Millisecond, all[:]...); err != nil {
		return err
	}
	if err := contestAlone(ctx, g, b.rounds(9, 31), all[:]...); err != nil {
		return err
	}
	ours, yardstick, twin := all[0], all[1], all[2]
	ratio := ours.against(yardstick, rateRatio)
	byCPU := ours.against(yardstick, func(a, b sample) float64 { return b.cpu / a.cpu })
	noise := twin.against(yardstick, rateRatio)
	b.judge(ratio.median >= k.atLeast, line{What: k.name + ": the API / a bare handler", Value: ratio.median, Limit: ">= " + number(k.atLeast),
		Detail: fmt.Sprintf("%s; by CPU %s (%s)", ratio, number(byCPU.median), byCPU)})
	b.add(line{What: "the bare handler / itself (noise floor)", Value: noise.median, Detail: noise.String()})
	b.absolute(ours, yardstick)
	return nil
}

// users returns the ids of the crowd's users, as their tokens name them.
func (p *population) users() ([]string, error) {
	ids := make([]string, len(p.tokens))
	for i, token := range p.tokens {
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			return nil, err
		}
		var said struct{ Sub string }
		if err := json.Unmarshal(claims, &said); err != nil {
			return nil, err
		}
		ids[i] = said.Sub
	}
	return ids, nil
}

// callKind is a call that is measured. A token of the set stands at its end, or in its body.
type callKind struct {
	name, method, path string
	atLeast            float64
	set                int
	head               string
}

// The body of a POST, around what differs.
const (
	bodyBefore = `{"user":{"user_type":"human","first_name":"Ann","last_name":"Example",`
	bodyAfter  = `}}`
)

// nameOf is the name of the i-th user to be made.
func nameOf(i int) string { return fmt.Sprintf("user-%08d", i) }

// nameAt is the name of the n-th user that the load asks for, at first: it walks through all of them.
func nameAt(n uint64) string { return nameOf(int(n * walkStep % newNames)) }

// newName is what differs: as long for every name that is.
func newName(name string) string {
	return fmt.Sprintf(`"username":%q,"email":"%s@example.com"`, name, name)
}

func (k *callKind) before() string {
	if k.method == http.MethodGet {
		return "GET " + k.path
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", k.method, k.path, k.head,
		len(bodyBefore)+len(newName("user-00000000"))+len(bodyAfter), bodyBefore)
}

func (k *callKind) after() string {
	if k.method == http.MethodGet {
		return " HTTP/1.1\r\n" + k.head + "\r\n"
	}
	return bodyAfter
}

// names22 are the digests in names of claims, and an operation's id.
var names22 = regexp.MustCompile(`\}(?:r:n|o):([0-9A-Za-z_-]{22})`)

// spy makes the call once, for the bare handler to do alike.
func (k *callKind) spy(ctx context.Context, server *redisServer, crowd *population, api, subject string) (spied, error) {
	path, body, sign := k.path, "", "r:u:"+subject // the record; events of the same user are read in the background
	if k.method == http.MethodPost {
		subject = "user-spied-on" // as long as the others
		body, sign = bodyBefore+newName(subject)+bodyAfter, subject
	} else {
		path += subject
	}
	r, err := http.NewRequestWithContext(ctx, k.method, "http://"+api+path, strings.NewReader(body))
	if err != nil {
		return spied{}, err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Authrocket-Api-Key": {crowd.managementKey}, "X-Authrocket-Realm": {string(crowd.realm)}}
	s, err := spy(ctx, server, r, sign)
	if err != nil || k.method == http.MethodGet {
		return s, err
	}
	var made struct{ ID core.UserID }
	if err := json.Unmarshal([]byte(s.Body), &made); err != nil || s.Status != http.StatusCreated {
		return spied{}, fmt.Errorf("create a user: %d, %s, %w", s.Status, s.Body, err)
	}
	differ := []string{strings.TrimPrefix(string(made.ID), "usr_")}
	for _, argument := range s.Command {
		for _, m := range names22.FindAllStringSubmatch(argument, -1) {
			differ = append(differ, m[1])
		}
	}
	s.vary(differ...)
	s.mark(subject, named)
	return s, s.hush()
}

// bareServer is a bare handler in a process of its own.
type bareServer struct {
	*process
	addr  string
	redis *redisServer
}

// startBare starts one, with a copy of a Redis for itself: all who are compared write into stores that are alike.
func (b *bench) startBare(ctx context.Context, server *redisServer, calls map[string]spied) (*bareServer, error) {
	own, err := server.copied(ctx, b)
	if err != nil {
		return nil, err
	}
	addr, err := proctest.FreeAddress()
	if err != nil {
		return nil, err
	}
	script, err := json.Marshal(bareScript{own.addr, calls})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, fmt.Sprintf("bare-%d.json", own.Process.Pid))
	if err := os.WriteFile(file, script, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := b.launch(serverCore, nil, nil, self, "-role", "barecalls", addr, file)
	if err != nil {
		return nil, err
	}
	return &bareServer{p, addr, own}, p.await(ctx, "http://"+addr+"/", "")
}

// Kill ends it, and its Redis.
func (s *bareServer) Kill() {
	s.process.Kill()
	s.redis.Kill()
}
