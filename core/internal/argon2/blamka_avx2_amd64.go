//go:build amd64 && gc && !purego

package argon2

import "golang.org/x/sys/cpu"

// useAVX2 is whether the processor has AVX2 and the operating system keeps its registers.
var useAVX2 = cpu.X86.HasAVX2

// processBlockAVX2 sets out to P(x) ^ x, where x is in1 ^ in2 and P the permutation of Argon2 (RFC 9106 §3.5); with xor,
// to that ^ out. out may be in1 or in2.
//
//go:noescape
func processBlockAVX2(out, in1, in2 *block, xor bool)
