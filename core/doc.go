// Package core holds the rules of Postern: what a realm, a user, a credential, an account provider
// token (APT), a session and a session token are, and what may be done with them.
//
// It is called by the hosts through guard, httpapi and pages, and calls a Store, which keeps what it
// decides. It knows no HTTP, no Redis and no log: it returns an *Error for what the outside may
// hear, any other error for what is our own fault, and appends an event with each change.
//
// A Core is made once and shared. Its parts are small services over the same store, clock and keys:
//
//	Realms          isolated sets of users, with their settings and signing keys
//	LoginPolicies   what a realm keeps for those who show sign-in pages of their own
//	ManagementKeys  the secrets of back ends
//	APTKeys         the public keys of account providers
//	APTs            what an account provider may do with an APT: create, reissue, delete
//	Users           create, find, list, change, delete, import
//	Orgs            groups of users
//	Memberships     who is in which org, and what they may do there
//	Credentials     what users prove to be themselves with, of every kind
//	APIKeys         the secrets that programs show with each request
//	SecondFactors   one-time codes, recovery codes, and sign-ins that wait for one
//	Passwords       sign in with a password, change and reset it
//	Sessions        what a sign-in lives in: resolve a token, refresh, list, end
//	Feed            news of what is no longer true, for whoever remembers a verdict
//	Events          what happened, under seals
//	AppHooks        who is told of it: webhooks and e-mails
//	Repeats         answers to calls that may be sent again
//
// Begin at Store for what a database must do, at record.go for how records are read and changed, and at keys.go for where each lies.
package core
