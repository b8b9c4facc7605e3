package assembly

import (
	"fmt"
	"os"

	"github.com/postern-auth/postern/core"
)

// ReadPasswordList reads the file of passwords that nobody may choose: see core.ReadPasswordList. "" = there is none.
func ReadPasswordList(file string) (*core.PasswordList, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("password_list: %w", err)
	}
	defer f.Close()
	list, err := core.ReadPasswordList(f)
	if err != nil {
		return nil, fmt.Errorf("password_list: %s: %w", file, err)
	}
	return list, nil
}
