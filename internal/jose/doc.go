// Package jose makes and checks the tokens that Postern lives by: session tokens, which it signs, and account provider
// tokens (APT), which others sign and may encrypt. It knows keys, bytes and claims, and nothing of users or realms.
// Core calls it, and the client's APT signer.
//
// A token goes through three doors, in this order:
//
//   - Parse is the gate. It admits one way to write each token and refuses what readers could disagree about.
//   - Token.Verify checks the signature under the algorithm that the key names, never the token.
//   - Claims gives values of the type that was asked for, or nothing.
//
// What a token means (its typ, issuer, audience, times, and whether it was revoked) is for the caller to judge.
//
// # By hand, and with jwx
//
// This is the one package that imports jwx. jwx reads and writes JWKs, computes thumbprints, and encrypts and decrypts.
// It does not judge tokens: its parser takes several forms for one token, the last of two equal claims, claims of any
// JSON type, and headers that it should not. So the gate is by hand.
//
// Verification is by hand too, with the primitives of the standard library: a new EdDSA token costs 1.06 times its bare
// signature check and 16 allocations (BenchmarkVerify), where jwx costs 1.7 times and 300. So is signing, since the
// header must be ours byte for byte: it adds 2 µs and 7 allocations to the bare signature, jwx 6 µs and 78
// (BenchmarkSign). Tests and fuzz targets hold both to jwx: what jwx refuses with the same key, we refuse, and what we
// sign, jwx accepts.
//
// Never accepted, on purpose: JSON serialisation, detached payloads, none, key material or crit in a header, keys
// fetched over the network, PBES2, RSA1_5, compression.
package jose
