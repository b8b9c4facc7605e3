package assembly

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// Accept refuses a database that should not be a system of record, unless allowUnfit says that it is for trying things
// out. What is less wrong with it is logged by Run.
func Accept(fit core.Fitness, allowUnfit bool, log *zap.Logger) error {
	var refused []error
	for _, f := range fit.Findings {
		if f.Refuse && !allowUnfit {
			refused = append(refused, errors.New(f.Text))
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s is not fit to keep users: %w", fit.Server, errors.Join(refused...))
	}
	log.Info("store is open", zap.String("store", fit.Server))
	return nil
}
