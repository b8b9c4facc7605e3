// Package npm fetches the lists that this module's generators read from npm packages. Nothing that is shipped imports it.
package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Package is a package of npm at a version, and what it must be.
type Package struct {
	Name string // with the version: "zxcvbn@4.4.2"
	Sum  string // the SHA-256 of its archive, in hex
}

// Generate is what a generator's main does: it has file made of packages. Without npm the file stays as it is. who names the generator in what it says.
func Generate(who, file string, generate func(to string) error) {
	if _, err := exec.LookPath("npm"); err != nil {
		fmt.Fprintf(os.Stderr, "%s: npm is not installed; %s stays as it is\n", who, file)
		return
	}
	if err := generate(file); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", who, err)
		os.Exit(1)
	}
}

// Read returns a file of the package, by its name in the archive: "package/...".
func (p Package) Read(member string) ([]byte, error) {
	archive, err := p.fetch()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s holds no %s", p.Name, member)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == member {
			return io.ReadAll(t)
		}
	}
}

// fetch returns the archive, and refuses another than is expected.
func (p Package) fetch() ([]byte, error) {
	dir, err := os.MkdirTemp("", "npm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	npm := exec.Command("npm", "pack", "--silent", p.Name)
	npm.Dir, npm.Stderr = dir, os.Stderr
	name, err := npm.Output()
	if err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", p.Name, err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, filepath.Base(strings.TrimSpace(string(name)))))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != p.Sum {
		return nil, fmt.Errorf("%s has the SHA-256 %x; want %s", p.Name, sum, p.Sum)
	}
	return archive, nil
}
