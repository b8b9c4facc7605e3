package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// measureSidecar is goal P2.
func measureSidecar(ctx context.Context, b *bench) error {
	if err := b.populate(ctx); err != nil {
		return err
	}
	live := b.rounds(10_000, liveTokens)
	g, err := b.startGenerator(b.crowd.tokens[:live])
	if err != nil {
		return err
	}
	defer g.Kill()
	p, addr, _, err := b.startSidecar(ctx, serverCore, b.redis.url(), g.upstream, b.crowd.tokens[0])
	if err != nil {
		return err
	}
	defer p.Kill()
	sidecar := &contender{name: fmt.Sprintf("the sidecar, %d live tokens", live), process: p, addr: addr}
	if err := g.warm(ctx, sidecar, live); err != nil {
		return err
	}
	yardsticks := b.yardsticks()
	defer killAll(yardsticks)
	all := append([]*contender{sidecar}, startAll(ctx, g, yardsticks)...)
	again, err := b.httputil(ctx, g, "bare httputil.ReverseProxy, another one")
	if err != nil {
		return err
	}
	defer again.process.Kill()
	all = append(all, again)
	upstream := &contender{name: "the app, reached directly: the load generator's ceiling", addr: g.upstream}
	if err := b.contestAll(ctx, g, upstream, all); err != nil {
		return err
	}
	b.judgeSidecar(sidecar, again, yardsticks)
	b.absolute(append([]*contender{upstream}, all...)...)
	return nil
}

// yardstick is what the sidecar is compared with.
type yardstick struct {
	name    string
	atLeast float64 // the goal: the sidecar's requests a second / its
	start   func(ctx context.Context, g *generator, name string) (*contender, error)
	failed  error
	*contender
}

// yardsticks returns all of them, the bare proxy second.
func (b *bench) yardsticks() []yardstick {
	return []yardstick{
		{name: "plain Caddy", atLeast: 1.7, start: b.plainCaddy},
		{name: "bare httputil.ReverseProxy", atLeast: 0.96, start: b.httputil},
		{name: "Caddy with forward_auth to a server that says yes for nothing", atLeast: 4.5, start: b.forwardAuth},
		{name: "oauth2-proxy, RS256 bearer tokens", atLeast: 6, start: b.oauth2Proxy},
	}
}

// startAll starts yardsticks and returns those that are ready. Of the others it notes why.
func startAll(ctx context.Context, g *generator, yardsticks []yardstick) (ready []*contender) {
	for i := range yardsticks {
		y := &yardsticks[i]
		if y.contender, y.failed = y.start(ctx, g, y.name); y.failed != nil {
			continue
		}
		if y.failed = g.warm(ctx, y.contender, 3000); y.failed == nil {
			ready = append(ready, y.contender)
		}
	}
	return ready
}

// killAll ends what was started of yardsticks, also where they did not become ready.
func killAll(yardsticks []yardstick) {
	for _, y := range yardsticks {
		if y.contender != nil && y.process != nil {
			y.process.Kill()
		}
	}
}

// contestAll loads the app by itself, and then all servers by turns, in numbers and one request at a time.
func (b *bench) contestAll(ctx context.Context, g *generator, app *contender, all []*contender) error {
	if err := contest(ctx, g, 3, 500*time.Millisecond, app); err != nil {
		return err
	}
	if err := contest(ctx, g, b.rounds(13, 31), b.turn(), all...); err != nil {
		return err
	}
	return contestAlone(ctx, g, b.rounds(9, 31), all...)
}

// judgeSidecar holds the sidecar against each yardstick, and the bare proxy against another one of its kind.
func (b *bench) judgeSidecar(sidecar, again *contender, yardsticks []yardstick) {
	for _, y := range yardsticks {
		b.judgeBy(y, sidecar)
	}
	if bare := yardsticks[1]; bare.failed == nil {
		noise := again.against(bare.contender, rateRatio)
		b.add(line{What: "httputil / itself (noise floor)", Value: noise.median, Detail: noise.String()})
	}
}

// judgeBy holds the sidecar against one yardstick.
func (b *bench) judgeBy(y yardstick, sidecar *contender) {
	l := line{What: "the sidecar / " + y.name, Limit: ">= " + number(y.atLeast)}
	if y.failed != nil {
		l.Verdict, l.Why = notMeasured, y.failed.Error()
		b.add(l)
		return
	}
	r, c := sidecar.against(y.contender, rateRatio), sidecar.against(y.contender, func(ours, base sample) float64 { return base.cpu / ours.cpu })
	l.Value, l.Detail = r.median, fmt.Sprintf("%s; by CPU %s (%s)", r, number(c.median), c)
	b.judge(r.median >= y.atLeast, l)
}

// plainCaddy is Caddy's reverse_proxy.
func (b *bench) plainCaddy(ctx context.Context, g *generator, name string) (*contender, error) {
	p, addr, err := b.startCaddy(ctx, serverCore, caddyConfig{program: "plain", upstream: g.upstream}, "any")
	return &contender{name: name, process: p, addr: addr}, err
}

// forwardAuth is Caddy that asks another server about each request. That server's own work is not counted.
func (b *bench) forwardAuth(ctx context.Context, g *generator, name string) (*contender, error) {
	p, addr, err := b.startCaddy(ctx, serverCore, caddyConfig{program: "plain", upstream: g.upstream,
		guard: "forward_auth " + g.upstream + " {\n uri /auth\n }"}, "any")
	return &contender{name: name, process: p, addr: addr}, err
}

// httputil is the standard library's proxy.
func (b *bench) httputil(ctx context.Context, g *generator, name string) (*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := proctest.FreeAddress()
	if err != nil {
		return nil, err
	}
	p, err := b.launch(serverCore, nil, nil, self, "-role", "httputil", addr, g.upstream)
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, "http://"+addr+"/", "any")
	return &contender{name: name, process: p, addr: addr}, err
}

// oauth2Proxy verifies bearer tokens with a key that it has in a file.
func (b *bench) oauth2Proxy(ctx context.Context, g *generator, name string) (*contender, error) {
	program, err := b.build(ctx, "oauth2-proxy")
	if err != nil {
		return nil, err
	}
	keyFile, tokens, err := b.foreignTokens(100)
	if err != nil {
		return nil, err
	}
	if err := g.use(b, foreignSet, tokens); err != nil {
		return nil, err
	}
	addr, err := proctest.FreeAddress()
	if err != nil {
		return nil, err
	}
	p, err := b.launch(serverCore, nil, nil, program, "--provider=oidc", "--oidc-issuer-url="+foreignIssuer, "--skip-oidc-discovery",
		"--login-url="+foreignIssuer+"/login", "--redeem-url="+foreignIssuer+"/token", "--oidc-public-key-file="+keyFile,
		"--client-id=bench", "--client-secret=bench", "--cookie-secret=0123456789abcdef", "--email-domain=*", "--http-address="+addr,
		"--upstream=http://"+g.upstream, "--skip-jwt-bearer-tokens", "--request-logging=false", "--auth-logging=false", "--standard-logging=false")
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, "http://"+addr+"/", tokens[0])
	return &contender{name: name, process: p, addr: addr, set: foreignSet}, err
}

// foreignIssuer is who signs the tokens for oauth2-proxy. Nobody is there.
const foreignIssuer = "http://127.0.0.1:1"

// foreignTokens makes RS256 tokens of the length that ours have, and returns the file with their key.
func (b *bench) foreignTokens(n int) (keyFile string, tokens []string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", nil, err
	}
	keyFile = filepath.Join(b.dir, "foreign.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600); err != nil {
		return "", nil, err
	}
	for i := range n {
		claims, err := json.Marshal(map[string]any{"iss": foreignIssuer, "aud": "bench", "sub": fmt.Sprintf("user-%08d", i),
			"email": fmt.Sprintf("user-%08d@example.com", i), "email_verified": true,
			"iat": time.Now().Unix(), "exp": time.Now().Add(6 * time.Hour).Unix()})
		if err != nil {
			return "", nil, err
		}
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			return "", nil, err
		}
		tokens = append(tokens, text+"."+base64.RawURLEncoding.EncodeToString(signature))
	}
	return keyFile, tokens, nil
}
