package jose

import (
	"crypto/elliptic"
	"slices"
)

// Algorithms that issuers elsewhere may sign with, besides those that are ours.
const (
	Ed25519 Alg = "Ed25519" // EdDSA by the name that says which (RFC 9864 §2.2)
	ES384   Alg = "ES384"   // ECDSA on P-384 with SHA-384
	ES512   Alg = "ES512"   // ECDSA on P-521 with SHA-512
	RS384   Alg = "RS384"   // RSASSA-PKCS1-v1_5 with SHA-384
	RS512   Alg = "RS512"   // RSASSA-PKCS1-v1_5 with SHA-512
	PS384   Alg = "PS384"   // RSASSA-PSS with SHA-384
	PS512   Alg = "PS512"   // RSASSA-PSS with SHA-512
)

// foreign are the algorithms that issuers elsewhere may sign with.
var foreign = []Alg{EdDSA, Ed25519, ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512}

// ForeignAlgs returns the algorithms that issuers elsewhere may sign with. All are asymmetric.
func ForeignAlgs() []Alg { return slices.Clone(foreign) }

// Foreign reports whether an issuer elsewhere may sign with an algorithm.
func (a Alg) Foreign() bool { return slices.Contains(foreign, a) }

// Is reports whether two names are of one algorithm. EdDSA over Ed25519 has two, and who publishes a key by the older may name it in tokens by the newer,
// or the other way round (RFC 9864 §2.2).
func (a Alg) Is(other Alg) bool { return a == other || a.isEd25519() && other.isEd25519() }

// isEd25519 reports whether an algorithm takes Ed25519 keys.
func (a Alg) isEd25519() bool { return a == EdDSA || a == Ed25519 }

// curve returns the curve of an ECDSA algorithm (RFC 7518 §3.4), and nil for any other.
func (a Alg) curve() elliptic.Curve {
	switch a {
	case ES256:
		return elliptic.P256()
	case ES384:
		return elliptic.P384()
	case ES512:
		return elliptic.P521()
	}
	return nil
}

// isRSA reports whether an algorithm takes RSA keys.
func (a Alg) isRSA() bool { return a == RS256 || a == RS384 || a == RS512 || a.isPSS() }

// isPSS reports whether an algorithm is RSASSA-PSS.
func (a Alg) isPSS() bool { return a == PS256 || a == PS384 || a == PS512 }
