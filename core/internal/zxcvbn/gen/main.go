// Command gen makes words.bin of the lists in the npm package zxcvbn, which npm fetches. Without npm it leaves the file
// as it is and says so.
package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core/internal/npm"
	"github.com/postern-auth/postern/core/internal/zxcvbn"
)

// source is where the lists are from.
var source = npm.Package{Name: "zxcvbn@4.4.2", Sum: "0b3ebb60ec2df2340e1b8b70e4cb2657a3ceb192781d299310e7aceaa606cd22"}

const (
	member = "package/lib/frequency_lists.js"
	lists  = 6 // as many as it has: passwords, words of the English Wikipedia and of films, names
)

func main() { npm.Generate("zxcvbn", "words.bin", generate) }

// list is one of the lists, in JavaScript: the words from the most frequent on.
var list = regexp.MustCompile(`(?m)^  \w+: "([^"]*)"\.split\(","\)`)

// generate writes the words to a file.
func generate(to string) error {
	text, err := source.Read(member)
	if err != nil {
		return err
	}
	found := list.FindAllSubmatch(text, -1)
	if len(found) != lists {
		return fmt.Errorf("%s has %d lists; want %d", member, len(found), lists)
	}
	entries, seen := []string{}, map[uint64]string{}
	for _, m := range found {
		for i, word := range strings.Split(string(m[1]), ",") {
			hash := zxcvbn.HashOf(word)
			if other, there := seen[hash]; there { // each word is in one list only
				return fmt.Errorf("%q and %q have the same hash", other, word)
			}
			seen[hash] = word
			entries = append(entries, zxcvbn.Entry(hash, i+1))
		}
	}
	slices.Sort(entries)
	return os.WriteFile(to, []byte(strings.Join(entries, "")), 0o644)
}
