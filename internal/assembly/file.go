package assembly

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds, in bytes, a file of what configures a server. The certificates of all authorities that a system trusts come to a quarter of a million.
const maxFile = 4 << 20

// ReadFile reads a file that configures a server. It fails for one of more than 4 MiB, which somebody named by mistake, and for one without an
// end, such as /dev/zero.
func ReadFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("read %s: it has more than %d MiB, and so is another file than the one that is meant", file, maxFile>>20)
	}
	return text, nil
}
