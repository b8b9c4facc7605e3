package argon2

import (
	"bytes"
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/argon2"
)

// TestReference holds Key to what the reference implementation's program (Debian's argon2 0~20190702) prints for
// "password" and "somesalt", three passes over 256 KiB.
func TestReference(t *testing.T) {
	tests := []struct {
		kind    Kind
		version int
		lanes   uint32
		want    string
	}{
		{D, Version10, 1, "aagypjAQEGnZyxl6NsXXrZrHP0V9IWGqzZWy3jyTitA"},
		{D, Version10, 4, "QNHw7h27TwYvWidi7hAqk/WhDE8XzUvCjtsAZr41+AI"},
		{D, Version13, 1, "C4HDqoDeOZUE9sDeh2cX0IzXRkkObcRzv3XgHRwP9Ew"},
		{D, Version13, 4, "eOoPY25APY65SHJUDvgth7Gv1jkq4pgrf6DloCGpo/Y"},
		{I, Version10, 1, "1imBhplce+SzbjbBeuZlDvWaIN6TtKeFhmzaeaboWhg"},
		{I, Version10, 4, "p7R4Zbcwl7SxBbhE5GGViiTDST7aAaXJ2R2onLYBc5c"},
		{I, Version13, 1, "PBoa8mph1GgOP5sS08zwcXY1UQ5unu4HA9NtqGHDBdU"},
		{I, Version13, 4, "mDzscI3J6Lv1tPizflGGL/VA3OmMOzLxFRZouDNpwo8"},
		{ID, Version10, 1, "g3LQ8NMZ95gSrKumQvJx5bf7FpDVQH7HhyqBa0wodns"},
		{ID, Version10, 4, "dqfmp+rsLwqwC8KNx2nMkQ7iNSF3mR1t2PF8LGBb790"},
		{ID, Version13, 1, "r/jQo2A4r3sBv/Oaif2lRlL2faQE99qHdjJPSikx15Q"},
		{ID, Version13, 4, "B59jkTJeWr0XanFFMmBrhjFO78urVoN93P8KTf17BDY"},
	}
	var m Memory // of all, so that each meets what the last one left
	for _, tt := range tests {
		p := Params{tt.kind, tt.version, 256, 3, tt.lanes}
		got := base64.RawStdEncoding.EncodeToString(m.Key(p, []byte("password"), []byte("somesalt"), 32))
		if got != tt.want {
			t.Errorf("Key(%+v) = %s; want %s", p, got, tt.want)
		}
	}
}

// FuzzKey compares with golang.org/x/crypto/argon2, which computes Argon2i and Argon2id of version 13.
func FuzzKey(f *testing.F) {
	f.Add([]byte("password"), []byte("somesalt"), true, uint8(2), uint16(64), uint8(1), uint8(32))
	f.Add([]byte(""), []byte(""), false, uint8(1), uint16(8), uint8(3), uint8(65))
	f.Add([]byte("p"), []byte("0123456789abcdef"), true, uint8(3), uint16(1031), uint8(5), uint8(200))
	var m Memory
	f.Fuzz(func(t *testing.T, password, salt []byte, hybrid bool, passes uint8, memory uint16, lanes, length uint8) {
		p := Params{I, Version13, uint32(memory)%2048 + 1, uint32(passes)%4 + 1, uint32(lanes)%8 + 1}
		n := uint32(length) + 4
		want := argon2.Key
		if hybrid {
			p.Kind, want = ID, argon2.IDKey
		}
		got := m.Key(p, password, salt, n)
		if want := want(password, salt, p.Passes, p.Memory, uint8(p.Lanes), n); !bytes.Equal(got, want) {
			t.Errorf("Key(%+v, %q, %q, %d) = %x; want %x", p, password, salt, n, got, want)
		}
	})
}

// TestMemoryIsUsedAgain holds what the package is for.
func TestMemoryIsUsedAgain(t *testing.T) {
	var m Memory
	p := Params{ID, Version13, 1024, 1, 1}
	m.Key(p, nil, nil, 32)
	before := &m.blocks[0]
	p.Memory = 512
	m.Key(p, nil, nil, 32)
	if &m.blocks[0] != before {
		t.Error("Key took new memory for a smaller hash")
	}
}

// TestPause holds that a hash is computed in short stretches: what else a core has to do waits for the end of one, not of a hash.
func TestPause(t *testing.T) {
	p := Params{ID, Version13, 19 << 10, 2, 1}
	var plain Memory
	pauses := 0
	pausing := Memory{Pause: func() { pauses++ }}
	if want, got := plain.Key(p, []byte("password"), []byte("somesalt"), 32), pausing.Key(p, []byte("password"), []byte("somesalt"), 32); !bytes.Equal(got, want) {
		t.Errorf("Key with pauses = %x; want %x", got, want)
	}
	if want := 2 * (19 << 10) / pauseEvery; pauses != want {
		t.Errorf("Key of two passes over 19 MiB made %d pauses; want %d", pauses, want)
	}
}

func BenchmarkKey(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		var m Memory
		for b.Loop() {
			m.Key(Params{ID, Version13, 19 << 10, 2, 1}, []byte("password"), []byte("0123456789abcdef"), 32)
		}
	})
	b.Run("x-crypto", func(b *testing.B) {
		for b.Loop() {
			argon2.IDKey([]byte("password"), []byte("0123456789abcdef"), 2, 19<<10, 1, 32)
		}
	})
}
