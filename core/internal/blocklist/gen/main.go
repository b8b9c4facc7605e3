// Command gen makes passwords.bin of the list in an npm package, which npm fetches. Without npm it leaves the file as it
// is and says so.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/core/internal/npm"
)

// source is where the list is from.
var source = npm.Package{Name: "@zxcvbn-ts/language-common@4.1.3", Sum: "bf3027c16c069d7877e25dc8751bc819e10e479afcc5ee1a323eb2ab73129ca9"}

const member = "package/src/passwords.json"

const (
	hashSize = 5 // bytes of each password's SHA-256 that are kept
	shortest = 4 // characters; a shorter word is no core of a password that is long enough
)

func main() { npm.Generate("blocklist", "passwords.bin", generate) }

// generate writes the list to a file.
func generate(to string) error {
	text, err := source.Read(member)
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
