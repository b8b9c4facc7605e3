// Package client is what a back end written in Go needs of Postern: a typed client of its API, and what an account provider
// needs besides, which is a signer of account provider tokens (APT) and the Account that keeps a fresh session token with them. For applications
// behind a guard there is AssertionVerifier.
//
// A Client holds a service for each resource: c.Users, c.Sessions, c.Orgs and so on. What a call answers with is in package
// httpapi/wire, under the same names here. What a call is to set is in structs of this package, in which a field that is nil
// leaves things as they are; see UserUpdate for how one is cleared.
//
// Each call fails with an *Error, whose Kind is the API's own, and errors.Is tells kinds apart: errors.Is(err,
// client.ErrNotFound). Calls are tried again where that is safe and may help; Options says how often. Lists come in
// pages, as List, and whole, as an iterator, All.
//
// It imports neither core nor a store.
package client
