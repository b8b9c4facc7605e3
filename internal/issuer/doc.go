// Package issuer takes tokens of others: it holds the public keys of an issuer that is not Postern, and judges what that issuer
// signed. Guards call it, for users who live elsewhere.
//
// A Pool holds the keys of all issuers of a process. For each there is one goroutine that fetches them, and no request ever does:
// requests read the last good set, which a fetch that fails leaves in place. A set is fetched again on a schedule, and sooner where
// a token names a key that is not known, though never more often than every few seconds. Where no set was had yet, or none for days,
// nothing can be known about a token, which is not to say that it is bad.
//
// Where keys are fetched from is said by a configuration and by the documents that it leads to. They are reached over https, at
// public addresses unless the configuration allows others, without redirects, and within bounds of time and size.
package issuer
