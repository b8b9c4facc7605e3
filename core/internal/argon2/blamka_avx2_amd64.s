//go:build amd64 && gc && !purego

#include "textflag.h"

// A block is 8 rows of 16 words. The permutation of Argon2 (RFC 9106 §3.5) runs over each row, then over each of the 8
// columns, which are 2 words wide. A run takes 16 words, v0 to v15, as a square of 4 lines of 4, and mixes first its columns,
// then its diagonals. A register holds 4 words, so 8 registers hold 2 squares, which are mixed side by side:
//
//	        two rows of the block            two columns of the block
//	A0      v0  v1  v2  v3   of the one      v0  v1   of the one    v0  v1   of the other
//	A1      v0  v1  v2  v3   of the other    v2  v3   of the one    v2  v3   of the other
//	B0, B1  v4  v5  v6  v7                   v4  v5,  v6  v7
//	C0, C1  v8  v9  v10 v11                  v8  v9,  v10 v11
//	D0, D1  v12 v13 v14 v15                  v12 v13, v14 v15
//
// Either way they are loaded as they lie in memory, and a word meets only words in its own place of other registers until
// lines are turned.
#define A0 Y0
#define A1 Y1
#define B0 Y2
#define B1 Y3
#define C0 Y4
#define C1 Y5
#define D0 Y6
#define D1 Y7
#define T0 Y8
#define T1 Y9
#define TURN24 Y10
#define TURN16 Y11

// ADD is x += y + 2*lo(x)*lo(y), twice, where lo are the lower 32 bits.
#define ADD(x0, y0, x1, y1) \
	VPMULUDQ x0, y0, T0; \
	VPMULUDQ x1, y1, T1; \
	VPADDQ   y0, x0, x0; \
	VPADDQ   y1, x1, x1; \
	VPADDQ   T0, T0, T0; \
	VPADDQ   T1, T1, T1; \
	VPADDQ   T0, x0, x0; \
	VPADDQ   T1, x1, x1

// XOR is x ^= y, twice.
#define XOR(x0, y0, x1, y1) \
	VPXOR y0, x0, x0; \
	VPXOR y1, x1, x1

// TURN1 turns the bits of each word of x to the left by 1, which is to the right by 63.
#define TURN1(x, t) \
	VPADDQ x, x, t;   \
	VPSRLQ $63, x, x; \
	VPXOR  t, x, x

// MIX is the function G of BLAKE2b with ADD for its additions, over the columns of both squares.
#define MIX(d0, d1) \
	ADD(A0, B0, A1, B1);    \
	XOR(d0, A0, d1, A1);    \
	VPSHUFD $0xB1, d0, d0;  \
	VPSHUFD $0xB1, d1, d1;  \
	ADD(C0, d0, C1, d1);    \
	XOR(B0, C0, B1, C1);    \
	VPSHUFB TURN24, B0, B0; \
	VPSHUFB TURN24, B1, B1; \
	ADD(A0, B0, A1, B1);    \
	XOR(d0, A0, d1, A1);    \
	VPSHUFB TURN16, d0, d0; \
	VPSHUFB TURN16, d1, d1; \
	ADD(C0, d0, C1, d1);    \
	XOR(B0, C0, B1, C1);    \
	TURN1(B0, T0);          \
	TURN1(B1, T1)

// The diagonals of a square are its columns once each line is turned by one word more than the line above it. B stays where it
// is and the others turn around it, A to the right, C to the left and D by half: the next MIX waits for B.

// LEFT, RIGHT and HALF turn a line of a row by one word or by two.
#define LEFT(x) VPERMQ $0x39, x, x
#define RIGHT(x) VPERMQ $0x93, x, x
#define HALF(x) VPERMQ $0x4E, x, x

// LEFT2 and RIGHT2 turn the same line of two columns by one word. By two it is turned when x and y change places.
#define LEFT2(x, y) \
	VPALIGNR $8, x, y, T0; \
	VPALIGNR $8, y, x, y;  \
	VMOVDQA  T0, x

#define RIGHT2(x, y) \
	VPALIGNR $8, y, x, T0; \
	VPALIGNR $8, x, y, y;  \
	VMOVDQA  T0, x

// ROWS permutes two rows.
#define ROWS \
	MIX(D0, D1);          \
	RIGHT(A0); RIGHT(A1); \
	LEFT(C0); LEFT(C1);   \
	HALF(D0); HALF(D1);   \
	MIX(D0, D1);          \
	LEFT(A0); LEFT(A1);   \
	RIGHT(C0); RIGHT(C1); \
	HALF(D0); HALF(D1)

// COLUMNS permutes two columns.
#define COLUMNS \
	MIX(D0, D1);    \
	RIGHT2(A0, A1); \
	LEFT2(C0, C1);  \
	MIX(D1, D0);    \
	LEFT2(A0, A1);  \
	RIGHT2(C0, C1)

// BOTH sets x to 32 bytes of in1 ^ in2.
#define BOTH(at, x) \
	VMOVDQU at(AX)(CX*1), x; \
	VPXOR   at(BX)(CX*1), x, x

// DONE makes x, 32 bytes of the permuted block, those of the result.
#define DONE(at, x) \
	VPXOR   at(AX)(CX*1), x, x; \
	VPXOR   at(BX)(CX*1), x, x; \
	VMOVDQU x, at(DX)(CX*1)

// func processBlockAVX2(out, in1, in2 *block, xor bool)
// Requires: AVX2
//
// Between rows and columns the block lies on the stack, at SI: 1 KiB, and 32 bytes so that it can begin at a multiple of 32.
// That is more than a NOSPLIT function may have.
TEXT ·processBlockAVX2(SB), 0, $1056-25
	MOVQ           out+0(FP), DX
	MOVQ           in1+8(FP), AX
	MOVQ           in2+16(FP), BX
	MOVBLZX        xor+24(FP), DI
	LEAQ           31(SP), SI
	ANDQ           $~31, SI
	VBROADCASTI128 turn24<>(SB), TURN24
	VBROADCASTI128 turn16<>(SB), TURN16
	XORQ           CX, CX

rows: // two at a time, those at CX
	BOTH(0, A0)
	BOTH(32, B0)
	BOTH(64, C0)
	BOTH(96, D0)
	BOTH(128, A1)
	BOTH(160, B1)
	BOTH(192, C1)
	BOTH(224, D1)
	ROWS
	VMOVDQA A0, 0(SI)(CX*1)
	VMOVDQA B0, 32(SI)(CX*1)
	VMOVDQA C0, 64(SI)(CX*1)
	VMOVDQA D0, 96(SI)(CX*1)
	VMOVDQA A1, 128(SI)(CX*1)
	VMOVDQA B1, 160(SI)(CX*1)
	VMOVDQA C1, 192(SI)(CX*1)
	VMOVDQA D1, 224(SI)(CX*1)
	ADDQ    $256, CX
	CMPQ    CX, $1024
	JNE     rows
	XORQ    CX, CX

columns: // two at a time, those at CX in each row
	VMOVDQA 0(SI)(CX*1), A0
	VMOVDQA 128(SI)(CX*1), A1
	VMOVDQA 256(SI)(CX*1), B0
	VMOVDQA 384(SI)(CX*1), B1
	VMOVDQA 512(SI)(CX*1), C0
	VMOVDQA 640(SI)(CX*1), C1
	VMOVDQA 768(SI)(CX*1), D0
	VMOVDQA 896(SI)(CX*1), D1
	COLUMNS
	TESTL   DI, DI
	JEQ     done
	VPXOR   0(DX)(CX*1), A0, A0
	VPXOR   128(DX)(CX*1), A1, A1
	VPXOR   256(DX)(CX*1), B0, B0
	VPXOR   384(DX)(CX*1), B1, B1
	VPXOR   512(DX)(CX*1), C0, C0
	VPXOR   640(DX)(CX*1), C1, C1
	VPXOR   768(DX)(CX*1), D0, D0
	VPXOR   896(DX)(CX*1), D1, D1

done:
	DONE(0, A0)
	DONE(128, A1)
	DONE(256, B0)
	DONE(384, B1)
	DONE(512, C0)
	DONE(640, C1)
	DONE(768, D0)
	DONE(896, D1)
	ADDQ $32, CX
	CMPQ CX, $128
	JNE  columns
	VZEROUPPER
	RET

// Which byte goes where when two words turn to the right by 24 and by 16 bits.
DATA turn24<>+0(SB)/8, $0x0201000706050403
DATA turn24<>+8(SB)/8, $0x0A09080F0E0D0C0B
GLOBL turn24<>(SB), RODATA|NOPTR, $16

DATA turn16<>+0(SB)/8, $0x0100070605040302
DATA turn16<>+8(SB)/8, $0x09080F0E0D0C0B0A
GLOBL turn16<>(SB), RODATA|NOPTR, $16
