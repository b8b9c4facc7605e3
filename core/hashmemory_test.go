package core

import (
	"crypto/rand"
	"sync"
	"testing"
)

// waitedFor returns when somebody waits for memory.
func waitedFor(t *testing.T, s *sharedMemory) {
	t.Helper()
	(&line{T: t}).becomes(func() bool {
		open := s.door.TryLock()
		if open {
			s.door.Unlock()
		}
		return !open
	})
}

// TestSharedMemory takes memory until there is too little left: who comes then waits for who came before.
func TestSharedMemory(t *testing.T) {
	s := newSharedMemory(1, params{memory: 8})
	first, second := s.take(s.all/2), s.take(s.all/2)
	took := make(chan int, 1)
	var give func()
	go func() {
		give = s.take(2 * s.all) // more than there is: alone
		took <- s.taken
	}()
	waitedFor(t, s)
	first()
	select {
	case n := <-took:
		t.Fatalf("take of all returned, with %d taken, while another has half", n)
	default:
	}
	second()
	(&line{T: t}).becomes(func() bool { return len(took) > 0 })
	if n := <-took; n != s.all {
		t.Errorf("taken = %d; want all, %d", n, s.all)
	}
	give()
	if s.taken != 0 {
		t.Errorf("taken = %d after all was given back; want 0", s.taken)
	}
}

// TestImportedHashesShareMemory compares passwords with many dear hashes at once, in more slots than there is memory for.
func TestImportedHashesShareMemory(t *testing.T) {
	h := newHasher(8, params{memory: 8, passes: 1}, func(bool) {}, rand.Reader)
	h.shared.all = 8 << 10
	for name, kept := range map[string]password{
		"imported":             {Hash: `$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`, Imported: true},
		"our own, from before": {Hash: phc{params: params{memory: 4096, passes: 1}, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}.String()},
		"scrypt":               {Hash: `$scrypt$ln=12,r=8,p=1$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`, Imported: true},
	} {
		t.Run(name, func(t *testing.T) {
			others := h.shared.take(h.shared.all) // so that all meet
			var all sync.WaitGroup
			done := make(chan struct{}, 1)
			for range 8 {
				all.Go(func() {
					if ok, _, err := h.verify(&kept, "wrong", []byte("wrong")); ok || err != nil {
						t.Errorf("verify = %t, %v; want a refusal", ok, err)
					}
				})
			}
			go func() { all.Wait(); done <- struct{}{} }()
			waitedFor(t, h.shared)
			select {
			case <-done:
				t.Fatal("hashes were computed without memory to share")
			default:
			}
			others()
			(&line{T: t}).becomes(func() bool { return len(done) > 0 })
			<-done
			if h.shared.taken != 0 {
				t.Errorf("%d KiB are taken after all; want none", h.shared.taken)
			}
		})
	}
}

// TestMemoryOfHashes holds what a hash is said to take against what is known of its kind.
func TestMemoryOfHashes(t *testing.T) {
	for text, want := range map[string]int{
		`$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$6hKEVlhj1lrNpHWsReK0rVd0HIkoL20a`:                  64 << 10,
		`$scrypt$ln=17,r=8,p=1$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`:     128<<10 + 2,
		`$scrypt$ln=1,r=1,p=524288$pBQCYEwJwdi7915LKSXEmA$q4oAvjt8S3bQ9lugDt3nPiApnH7tfJ+p0EkvLQZHXGY`: 64<<10 + 1,
		firebaseExample: 16<<10 + 2,
		`$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK`: 0,
	} {
		h, err := parseImportedHash(text)
		if err != nil {
			t.Fatalf("parseImportedHash(%q) = %v", text, err)
		}
		if got := memoryOf(h); got != want {
			t.Errorf("memoryOf(%q) = %d KiB; want %d", text, got, want)
		}
	}
}
