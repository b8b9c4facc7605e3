// Command gen makes passwords.bin of the list in an npm package, which npm fetches. Without npm it leaves the file as it
// is and says so.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The source, and what it must be.
const (
	source    = "@zxcvbn-ts/language-common@4.1.3"
	sourceSum = "bf3027c16c069d7877e25dc8751bc819e10e479afcc5ee1a323eb2ab73129ca9"
	member    = "package/src/passwords.json"
)

const (
	hashSize = 5 // bytes of each password's SHA-256 that are kept
	shortest = 4 // characters; a shorter word is no core of a password that is long enough
)

func main() {
	if _, err := exec.LookPath("npm"); err != nil {
		fmt.Fprintln(os.Stderr, "blocklist: npm is not installed; passwords.bin stays as it is")
		return
	}
	if err := generate("passwords.bin"); err != nil {
		fmt.Fprintln(os.Stderr, "blocklist:", err)
		os.Exit(1)
	}
}

// generate writes the list to a file.
func generate(to string) error {
	archive, err := fetch()
	if err != nil {
		return err
	}
	text, err := extract(archive)
	if err != nil {
		return err
	}
	var passwords []string
	if err := json.Unmarshal(text, &passwords); err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	var hashes []string
	for _, p := range passwords {
		if utf8.RuneCountInString(p) >= shortest {
			sum := sha256.Sum256([]byte(strings.ToLower(p)))
			hashes = append(hashes, string(sum[:hashSize]))
		}
	}
	slices.Sort(hashes)
	return os.WriteFile(to, []byte(strings.Join(slices.Compact(hashes), "")), 0o644)
}

// fetch returns the package, and refuses another than is expected.
func fetch() ([]byte, error) {
	dir, err := os.MkdirTemp("", "blocklist-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	npm := exec.Command("npm", "pack", "--silent", source)
	npm.Dir, npm.Stderr = dir, os.Stderr
	name, err := npm.Output()
	if err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", source, err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, filepath.Base(strings.TrimSpace(string(name)))))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != sourceSum {
		return nil, fmt.Errorf("%s has the SHA-256 %x; want %s", source, sum, sourceSum)
	}
	return archive, nil
}

// extract returns the list from the package.
func extract(archive []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s holds no %s", source, member)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == member {
			return io.ReadAll(t)
		}
	}
}
