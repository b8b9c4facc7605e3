package sidecar

import (
	"errors"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/assembly"
)

// CheckFiles says all that is wrong with the files that o names for its certificate, its master keys and its issuers, which Open reads. It changes
// nothing.
func (o *Options) CheckFiles() error {
	var errs []error
	if o.TLSCert != "" && o.TLSKey != "" {
		_, err := loadCertificate(o.TLSCert, o.TLSKey, zap.NewNop())
		errs = append(errs, err)
	}
	for _, file := range []string{o.MasterKeyFile, o.FormerMasterKeyFile} {
		if file != "" {
			_, err := assembly.ReadMasterKey(file)
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, o.Guard.CheckFiles())...)
}
