//go:build amd64 && gc && !purego

package argon2

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sys/cpu"
)

// way is one of the block functions that a processor may be given.
type way struct {
	name       string
	avx2, sse4 bool
}

// ways returns those that the processor at hand knows, the Go one among them.
func ways() []way {
	all := []way{{name: "Go"}}
	if cpu.X86.HasSSE41 {
		all = append(all, way{name: "SSE4", sse4: true})
	}
	if cpu.X86.HasAVX2 {
		all = append(all, way{name: "AVX2", avx2: true, sse4: true})
	}
	return all
}

// use makes w the way of all hashes until the test ends.
func (w way) use(tb testing.TB) {
	avx2, sse4 := useAVX2, useSSE4
	tb.Cleanup(func() { useAVX2, useSSE4 = avx2, sse4 })
	useAVX2, useSSE4 = w.avx2, w.sse4
}

// TestBestWay holds that a processor is given the fastest way it knows.
func TestBestWay(t *testing.T) {
	if useAVX2 != cpu.X86.HasAVX2 || useSSE4 != cpu.X86.HasSSE41 {
		t.Errorf("uses AVX2 %t, SSE4 %t; the processor has %t, %t", useAVX2, useSSE4, cpu.X86.HasAVX2, cpu.X86.HasSSE41)
	}
}

// TestKeyEachWay compares each way with golang.org/x/crypto/argon2.
func TestKeyEachWay(t *testing.T) {
	tests := []struct {
		p      Params
		length uint32
	}{
		{Params{ID, Version13, 8, 1, 1}, 32},
		{Params{ID, Version13, 19 << 10, 2, 1}, 32}, // the default
		{Params{ID, Version13, 1031, 3, 4}, 64},
		{Params{ID, Version13, 4096, 1, 8}, 16},
		{Params{I, Version13, 64, 1, 2}, 4},
		{Params{I, Version13, 2048, 4, 1}, 65},
		{Params{I, Version13, 777, 3, 3}, 200},
	}
	password, salt := []byte("correct horse battery staple"), []byte("0123456789abcdef")
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			w.use(t)
			var m Memory
			for _, tt := range tests {
				want := argon2.IDKey
				if tt.p.Kind == I {
					want = argon2.Key
				}
				got := m.Key(tt.p, password, salt, tt.length)
				if want := want(password, salt, tt.p.Passes, tt.p.Memory, uint8(tt.p.Lanes), tt.length); !bytes.Equal(got, want) {
					t.Errorf("Key(%+v) = %x; want %x", tt.p, got, want)
				}
			}
		})
	}
}

// compareBlocks holds that each way makes of three blocks, out, in1 and in2, what the Go function makes of them, also where
// out is one of the others, as it is for addresses.
func compareBlocks(t *testing.T, blocks [3]block) {
	t.Helper()
	functions := []struct {
		name    string
		xor     bool
		process func(out, in1, in2 *block)
	}{
		{"processBlock", false, processBlock},
		{"processBlockXOR", true, processBlockXOR},
	}
	for _, w := range ways() {
		w.use(t)
		for _, f := range functions {
			for out := range blocks {
				got, want := blocks, blocks
				f.process(&got[out], &got[1], &got[2])
				processBlockGeneric(&want[out], &blocks[1], &blocks[2], f.xor)
				if got != want {
					t.Fatalf("%s: %s into block %d of %x made %x; want %x", w.name, f.name, out, blocks, got, want)
				}
			}
		}
	}
}

// TestBlock compares random blocks, and such whose sums and products carry everywhere or nowhere.
func TestBlock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(word func(i int) uint64) (b block) {
		for i := range b {
			b[i] = word(i)
		}
		return b
	}
	chosen := []block{
		{},
		fill(func(int) uint64 { return 1<<64 - 1 }),
		fill(func(int) uint64 { return 1<<32 - 1 }),
		fill(func(int) uint64 { return (1<<32 - 1) << 32 }),
		fill(func(i int) uint64 { return uint64(i) }),
		fill(func(i int) uint64 { return 1 << (i % 64) }),
	}
	for _, in1 := range chosen {
		for _, in2 := range chosen {
			compareBlocks(t, [3]block{chosen[4], in1, in2})
		}
	}
	for range 200 {
		word := func(int) uint64 { return random.Uint64() }
		compareBlocks(t, [3]block{fill(word), fill(word), fill(word)})
	}
}

// FuzzBlock is TestBlock for what a fuzzer thinks of: bytes are a block's words in their order, then those of the next.
func FuzzBlock(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff, 0, 0x80, 1}, 3*8*blockLength/4))
	f.Fuzz(func(t *testing.T, text []byte) {
		var blocks [3]block
		for i := 0; i+8 <= min(len(text), 3*8*blockLength); i += 8 {
			blocks[i/8/blockLength][i/8%blockLength] = binary.LittleEndian.Uint64(text[i:])
		}
		compareBlocks(t, blocks)
	})
}

// TestStackGrows holds that blocks on a stack are found again where it has to grow, and so moves, as a way begins: that is at
// another depth for each size of a stack.
func TestStackGrows(t *testing.T) {
	start := [3]block{{7, 8, 9}, {1, 2, 3}, {4, 5, 6}}
	want := start
	processBlockGeneric(&want[0], &want[1], &want[2], true)
	for _, w := range ways() {
		w.use(t)
		for depth := range 512 {
			got := make(chan [3]block)
			go func() {
				blocks := start
				processDeep(depth, &blocks)
				got <- blocks
			}()
			if got := <-got; got != want {
				t.Fatalf("%s: at depth %d processBlockXOR made %x of %x; want %x", w.name, depth, got, start, want)
			}
		}
	}
}

// processDeep calls processBlockXOR so many calls further down, each of which takes some bytes of the stack.
//
//go:noinline
func processDeep(depth int, blocks *[3]block) {
	if depth > 0 {
		processDeep(depth-1, blocks)
		return
	}
	processBlockXOR(&blocks[0], &blocks[1], &blocks[2])
}

func BenchmarkWays(b *testing.B) {
	for _, w := range ways() {
		b.Run(w.name, func(b *testing.B) {
			w.use(b)
			var m Memory
			for b.Loop() {
				m.Key(Params{ID, Version13, 19 << 10, 2, 1}, []byte("password"), []byte("0123456789abcdef"), 32)
			}
		})
	}
}
