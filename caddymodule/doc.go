// Package caddymodule puts Postern into Caddy: the app postern, which owns the store, the directive postern_auth,
// which lets through only requests with a known user, postern_api, which serves /v1, and postern_pages, where people sign in.
//
//	app.example.com
//	postern_api /v1/*
//	postern_auth
//	reverse_proxy localhost:8080
//
// Who may pass is decided in guard and what the API does in httpapi; this package reads the configuration, chooses the
// store and looks after lifetimes. Nothing is opened while a configuration is provisioned, so that "caddy validate"
// works beside a running Caddy and while Redis is away. What was opened is shared by all that is configured
// alike, and outlives a reload: the store, the invalidation feed and the remembered verdicts.
//
// For operators there are metrics, events (herald.go), routes of the admin API (admin.go) and the commands of 'caddy postern'
// (command.go).
package caddymodule
