# Postern's front door. 'make' alone lists what can be made.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What 'postern --version' and 'caddy postern status' say; a copy without git history calls itself development.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# Static, stripped, the same bytes whichever folder it is built in. The checks compile in the same way, so that
# what one has compiled serves the others.
STATIC := CGO_ENABLED=0 GOFLAGS="$${GOFLAGS:-} -trimpath -buildvcs=false"
BUILD := $(STATIC) go build -ldflags '-s -w -X main.version=$(VERSION) -X github.com/postern-auth/postern/caddymodule.built=$(VERSION)'
PKG ?= ./...

# Modules of their own, for what only benchmarks and tests need.
MODULES := bench/yardstick e2e/attack e2e/browser e2e/hooks e2e/proxies e2e/vulndb
FUZZTIME ?= 10s

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: build ## build the sidecar and try it: guards a demo app and prints how to use it (ARGS=...)
	@exec bin/postern dev $(ARGS)

.PHONY: build
build: ## build the sidecar: bin/postern
	@mkdir -p bin
	$(BUILD) -o bin/postern ./cmd/postern

.PHONY: caddy
caddy: ## build Caddy with Postern in it: bin/caddy
	@mkdir -p bin
	$(BUILD) -tags nobadger,nomysql,nopgx -o bin/caddy ./cmd/caddy

.PHONY: xcaddy
xcaddy: ## prove the line in xcaddy.txt by building with it (minutes)
	@scripts/xcaddy-check

.PHONY: binaries
binaries: ## build every program under cmd into bin
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/...

.PHONY: test
test: ## run all tests, with the race detector and a real Redis (PKG=./core/...)
	@scripts/test $(PKG)

.PHONY: check
check: format text vet staticcheck tidy generated test ## all that a change must pass

.PHONY: format
format: ## refuse Go code that gofmt would change
	@bad=$$(gofmt -l .); [[ -z $$bad ]] || { printf 'gofmt would change (gofmt -w .):\n%s\n' "$$bad" >&2; exit 1; }

.PHONY: text
text: ## refuse paths of one machine, hosts of package registries and unfinished ends
	@scripts/check-text

.PHONY: vet
vet: ## go vet
	@$(STATIC) go vet ./...
	@for module in $(MODULES); do (cd $$module && $(STATIC) go vet ./...); done

.PHONY: staticcheck
staticcheck: ## staticcheck, at the version that tools/go.mod names
	@$(STATIC) go tool -modfile=tools/go.mod staticcheck ./...

.PHONY: vuln
vuln: ## look for known vulnerabilities in what Postern is built from (minutes)
	@$(STATIC) scripts/vuln

.PHONY: tidy
tidy: ## refuse go.mod and go.sum that 'go mod tidy' would change
	@go mod tidy -diff
	@cd tools && go mod tidy -diff
	@for module in $(MODULES); do (cd $$module && go mod tidy -diff); done

.PHONY: generated
generated: ## refuse generated files that 'go generate' would change
	@scripts/check-generated

.PHONY: fuzz
fuzz: ## run every fuzz target for a while (FUZZTIME=10s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## measure against yardsticks, as docs/performance.md says (BENCH=full, ONLY=P1,P2)
	@mkdir -p bin
	@scripts/fetch-redis >/dev/null || true
	$(STATIC) go build -o bin/bench ./bench
	@bin/bench $(if $(filter full,$(BENCH)),-full) $(if $(ONLY),-only $(ONLY))

.PHONY: profile
profile: ## make anew what the compiler goes by to make the sidecar faster (cmd/postern/default.pgo)
	@scripts/profile

.PHONY: walk
walk: ## walk the README's walk, from a fresh clone of the last commit
	@scripts/walk

.PHONY: interop
interop: build ## check tokens both ways with npm's jose and Debian's PyJWT, OpenID providers, and the OpenAPI document
	@scripts/interop bin/postern

.PHONY: hooks
hooks: ## try hooks against Standard Webhooks' own library and a real mail conversation
	@cd e2e/hooks && $(STATIC) go test -count=1 ./...

.PHONY: proxies
proxies: build caddy ## run the snippets for forward auth with the real nginx, Caddy and Traefik; call gRPC through both hosts, and Caddy over HTTP/3
	@scripts/proxies bin/postern bin/caddy
	@$(STATIC) go test -count=1 -run OverHTTP3 ./caddymodule | grep -v '^{'

.PHONY: reloads
reloads: ## reload Caddy a hundred times under 500 requests a second (two minutes)
	@POSTERN_TEST_RELOADS=100 $(STATIC) go test -count=1 -timeout 30m -v -run TestReloadsFailNobody ./caddymodule | grep -v '^{'

.PHONY: large
large: ## delete an org of 100,000 and a realm of 100,000, over each store, with the processes that do it killed (minutes)
	@scripts/fetch-redis >/dev/null || true
	@POSTERN_TEST_MANY=100000 $(STATIC) go test -count=1 -timeout 1h -v -run TestLargeDeletions ./internal/teststore

.PHONY: faults
faults: ## ask a server while its Redis stops, lags, breaks off and fails over: no answer may be a lie (COUNT=1000000)
	@scripts/fetch-redis >/dev/null || true
	@POSTERN_TEST_FAULTS=$(or $(COUNT),1000000) $(STATIC) go test -count=1 -timeout 4h -v -run 'MakeNobodyLie$$' ./sidecar | grep -v '^{'

.PHONY: attack
attack: build caddy ## attack both hosts over both stores, as a stranger would
	@scripts/attack bin/postern bin/caddy

.PHONY: clients
clients: build caddy ## walk the API as its Ruby, PHP and Work-API clients do, through both hosts, over both stores
	@scripts/clients bin/postern bin/caddy

.PHONY: browser
browser: build caddy ## walk the hosted pages in a real Chromium (SHOTS=FOLDER for pictures)
	@scripts/browser bin/postern bin/caddy

.PHONY: clean
clean: ## remove what was built, and what was fetched
	@rm -rf bin .cache e2e/jwks/node_modules
