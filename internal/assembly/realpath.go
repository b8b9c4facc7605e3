package assembly

import "path/filepath"

// RealPath returns a path in the one form that all names for it lead to: from the root, and without links. What of it is not there yet, or
// may not be seen, stays as it is spelled. It fails where a path is relative to a folder that is gone.
func RealPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for rest := ""; ; rest, path = filepath.Join(filepath.Base(path), rest), filepath.Dir(path) {
		there, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Join(there, rest), nil
		}
		if path == filepath.Dir(path) {
			return filepath.Join(path, rest), nil
		}
	}
}
