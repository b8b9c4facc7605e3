// Package httpapi serves /v1: it decodes a call, asks core, and encodes the answer. Both hosts mount it. It knows
// no store.
//
// Two families of clients are served by the same routes, told apart by their media types: those of the Users API
// (application/json) and those of Work-API (application/vnd.api+json). What a caller may do depends on the
// credential alone: a management key, an account provider token, or a user's session token.
package httpapi
