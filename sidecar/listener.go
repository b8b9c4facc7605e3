package sidecar

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// unixPrefix begins addresses that are sockets in the file system.
const unixPrefix = "unix:"

// maxSocketPath is how long the path of a socket may be, in bytes: unix(7), and a little less elsewhere.
const maxSocketPath = 107

// checkAddress refuses what is no address to listen on.
func checkAddress(name, address string) error {
	if path, is := strings.CutPrefix(address, unixPrefix); is {
		if path == "" {
			return fmt.Errorf("%s %q must name a file after %s", name, address, unixPrefix)
		}
		if len(path) > maxSocketPath {
			return fmt.Errorf("%s %q has %d bytes after %s; sockets have paths of %d at most", name, address, len(path), unixPrefix, maxSocketPath)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		return fmt.Errorf("%s %q must be host:port, or %s and the path of a socket", name, address, unixPrefix)
	}
	return nil
}

// listen takes an address, and says in one sentence why it cannot.
func listen(address, flag string) (net.Listener, error) {
	network := "tcp"
	if path, is := strings.CutPrefix(address, unixPrefix); is {
		network, address = "unix", path
		if err := removeStale(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(network, address)
	switch {
	case err != nil:
		return nil, cannotListen(network, address, flag, err)
	case network == "unix":
		if err := os.Chmod(address, 0o660); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot listen on %s: %w", address, err), l.Close())
		}
	}
	return l, nil
}

// cannotListen says why an address cannot be taken, and what to do.
func cannotListen(network, address, flag string, err error) error {
	over := network == "tcp"
	switch {
	case over && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program; stop it, or choose another address with %s", address, flag)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: there is a file that is no socket; move it away, or choose another address with %s", address, flag)
	case over && errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen on %s; give the program CAP_NET_BIND_SERVICE, or choose a port from 1024 up with %s", address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine; choose another with %s", address, flag)
	}
	if failed, is := errors.AsType[*net.OpError](err); is {
		err = failed.Err // the address was named
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another address with %s", address, err, flag)
}

// removeStale removes a socket that a program left behind when it ended. One that somebody listens on stays, and so does
// what is no socket.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil // listening says what is wrong, if anything
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("%s is taken by another program; stop it, or choose another address", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return os.Remove(path)
}

// secured wraps a listener in TLS where there is a certificate.
func secured(l net.Listener, cert *certificate) net.Listener {
	if cert == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
}
