// Package client is what a back end written in Go needs to be an account provider: a signer of account
// provider tokens (APT), which create users, reissue their tokens and delete them at Postern's /v1.
//
// It knows neither core nor a store, and holds no connection.
package client
