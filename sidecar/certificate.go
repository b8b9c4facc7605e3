package sidecar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/namedfile"
)

// certificate is a certificate and its key in files, read again when they change: whoever renews it need not tell us.
type certificate struct {
	certFile, keyFile string
	log               *zap.Logger

	pair atomic.Pointer[tls.Certificate]

	mu     sync.Mutex        // held while the files are read
	seen   [sha256.Size]byte // what the files looked like when they were last read
	broken bool              // the last try to read them failed
}

// certificateCheck is how often the files are looked at.
const certificateCheck = 5 * time.Second

// loadCertificate reads a certificate, which must be good.
func loadCertificate(certFile, keyFile string, log *zap.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	return c, c.load()
}

// get gives the certificate to a connection.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil }

// load reads the files. What was read before stays where they are not good.
func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read does load's work.
func (c *certificate) read() error {
	c.seen = c.look()
	pair, err := readPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair.Store(&pair)
	return nil
}

// readPair reads a certificate and its key.
func readPair(certFile, keyFile string) (tls.Certificate, error) {
	chain, err := namedfile.Read(certFile)
	key, failed := namedfile.Read(keyFile)
	var pair tls.Certificate
	if err = errors.Join(err, failed); err == nil {
		pair, err = tls.X509KeyPair(chain, key)
	}
	if err != nil && bytes.Contains(key, []byte("ENCRYPTED")) { // in the first line of PKCS #8, or the second of older ones
		err = errors.New("the key is protected by a password; have it without one, readable by this user alone, as 'openssl pkey -in key.pem -out plain.pem' writes it")
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot use the certificate %s with the key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

// outOfTime says where a certificate is not good now, "" where it is.
func outOfTime(cert *x509.Certificate, now time.Time) string {
	switch {
	case now.After(cert.NotAfter):
		return "the certificate in tls_cert expired on " + cert.NotAfter.UTC().Format(time.DateTime) + " UTC, and clients refuse it; renew it"
	case now.Before(cert.NotBefore):
		return "the certificate in tls_cert is not good before " + cert.NotBefore.UTC().Format(time.DateTime) + " UTC, and clients refuse it; is the clock of this machine right?"
	}
	return ""
}

// look returns what tells the files from changed ones: a digest of what is in them. Others may have the same size, and by whoever put them there
// the same time too.
func (c *certificate) look() (digest [sha256.Size]byte) {
	all := sha256.New()
	for _, file := range []string{c.certFile, c.keyFile} {
		text, _ := namedfile.Read(file) // to read the pair says what is wrong
		fmt.Fprintf(all, "%d:%s", len(text), text)
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// watch reads the files again whenever they have changed, until ctx ends. A pair that is half written is
// tried again.
func (c *certificate) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(certificateCheck):
		}
		c.refresh()
	}
}

// refresh reads the files again if they have changed.
func (c *certificate) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken && c.look() == c.seen {
		return
	}
	err := c.read()
	if err != nil && !c.broken {
		c.log.Error("the certificate changed and cannot be used; the one before is served on", zap.Error(err))
	}
	if err == nil {
		leaf := c.pair.Load().Leaf
		c.log.Info("certificate was read again", zap.Time("expires", leaf.NotAfter))
		if text := outOfTime(leaf, time.Now()); text != "" {
			c.log.Warn(text)
		}
	}
	c.broken = err != nil
}
