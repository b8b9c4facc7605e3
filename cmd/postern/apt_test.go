package main_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/client"
)

// TestAPTSignAlg signs with the algorithm that is asked for, if the key can do it.
func TestAPTSignAlg(t *testing.T) {
	private, _, err := client.GenerateAPTKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "provider.pem")
	if err := os.WriteFile(file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	sign := []string{"apt", "sign", "--key", file, "--environment", "5a1b"}
	for alg, want := range map[string]string{"": `"alg":"RS256"`, "PS256": `"alg":"PS256"`} {
		apt, err := postern(t, append(sign, "--alg", alg)...)
		header, _, _ := strings.Cut(apt, ".")
		text, decoding := base64.RawURLEncoding.DecodeString(header)
		if err != nil || decoding != nil || !strings.Contains(string(text), want) {
			t.Errorf("postern apt sign --alg %q = %v: header %s; want %s", alg, err, text, want)
		}
	}
	refused(t, `it is not a key for "ES256"`, append(sign, "--alg", "ES256")...)
}
