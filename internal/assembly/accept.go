package assembly

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// Accept logs what is wrong with a database, and refuses one that should not be a system of record unless allowUnfit
// says that it is for trying things out.
func Accept(fit core.Fitness, allowUnfit bool, log *zap.Logger) error {
	var refused []error
	for _, f := range fit.Findings {
		if f.Refuse && !allowUnfit {
			refused = append(refused, errors.New(f.Text))
			continue
		}
		log.Warn("database is less than fit", zap.String("reason", f.Code), zap.String("finding", f.Text))
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s is not fit to keep users: %w", fit.Server, errors.Join(refused...))
	}
	log.Info("store is open", zap.String("store", fit.Server))
	return nil
}
