package redisstore

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var sources embed.FS

// The scripts. Each file's top lists its keys, arguments and reply.
var (
	applyScript = load("apply")
	getScript   = load("get")
	rangeScript = load("range")
	hitScript   = load("hit")
	tailScript  = load("tail")
)

// script is a Lua script and the digest that the server knows it by.
type script struct{ source, digest string }

// load reads a script that is part of this program.
func load(name string) *script {
	source, err := sources.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return &script{string(source), redis.NewScript(string(source)).Hash()}
}
