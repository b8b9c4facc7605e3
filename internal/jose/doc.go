// Package jose makes and checks the signed tokens that Postern lives by: session tokens, which it signs, and
// account provider tokens, which others do. It knows keys, bytes and claims, and nothing of users or realms.
//
// It is the one package that imports jwx. jwx encodes keys as JWKs and computes thumbprints. It does not judge
// tokens: jwx's parser takes several forms for one token, the last of two equal claims, claims of any JSON type,
// and headers that it should not. So a token passes a gate of our own first (Parse), which admits one way to write
// each token, and is then verified with the standard library's primitives under an algorithm that the key names,
// never the token (Token.Verify). Tests hold both against jwx: what jwx refuses with the same key, we refuse.
//
// Signing is by hand too, since it is the same three lines, and costs a fifth of jwx's allocations.
package jose
