// Package control lets a command on the same machine speak to the running server instead of to its data: the
// embedded file belongs to one process. The server opens a socket in its data folder that its owner alone may use.
package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// socketFile is the socket's place in the data folder.
const socketFile = "control.sock"

// maxAnswer bounds what a command is answered, in bytes.
const maxAnswer = 4 << 20

// ErrNobody says that no server is running over a data folder.
var ErrNobody = errors.New("no server is running over this data folder")

// errTooLong is what net says of the path of a socket that is longer than the system takes: about a hundred bytes (unix(7)). In such a folder
// nobody can have opened one.
const errTooLong = syscall.EINVAL

// Command is something that a running server does for a command line. What it returns is a sentence to print.
type Command func(ctx context.Context, arguments url.Values) (string, error)

// Listen opens the socket, after which commands wait to be served. The caller must hold the data folder, since a socket that an
// ended server left behind is replaced.
func Listen(folder string) (net.Listener, error) {
	path := filepath.Join(folder, socketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	listener, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return listener, nil
}

// Serve answers commands and streams by name until ctx ends, and closes listener.
func Serve(ctx context.Context, listener net.Listener, commands map[string]Command, streams map[string]Stream) error {
	mux := http.NewServeMux()
	for name, do := range commands {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { answer(w, r, do) })
	}
	for name, write := range streams {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { pour(w, r, write) })
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// listen opens the socket so that there is no moment at which others may use it: the folder is its owner's alone
// already, the mode is for folders that are not.
func listen(path string) (net.Listener, error) {
	listener, err := net.Listen("unix", path)
	if errors.Is(err, errTooLong) {
		return nil, fmt.Errorf("the path %s is too long for a socket", path)
	} else if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// answer carries a command out.
func answer(w http.ResponseWriter, r *http.Request, do Command) {
	said, err := do(r.Context(), r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	_, _ = io.WriteString(w, said) // a caller that has gone
}

// Call has the server that runs over a data folder carry a command out. It returns ErrNobody where none does.
func Call(ctx context.Context, folder, name string, arguments url.Values) (string, error) {
	res, done, err := ask(ctx, folder, name, arguments)
	if err != nil {
		return "", err
	}
	defer done()
	return said(res)
}

// ask sends a command, and returns the answer with what ends it. It returns ErrNobody where nobody takes commands.
func ask(ctx context.Context, folder, name string, arguments url.Values) (res *http.Response, done func(), err error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(folder, socketFile))
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://server/"+name+"?"+arguments.Encode(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("control: %w", err)
	}
	res, err = (&http.Client{Transport: transport}).Do(req)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errTooLong) {
		return nil, nil, ErrNobody
	} else if err != nil {
		if failed, is := errors.AsType[*url.Error](err); is {
			err = failed.Err // and not the arguments, which may be secret
		}
		return nil, nil, fmt.Errorf("the running server did not answer: %w", err)
	}
	return res, func() { _ = res.Body.Close(); transport.CloseIdleConnections() }, nil
}

// said reads what a command came to.
func said(res *http.Response) (string, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("the running server did not finish its answer: %w", err)
	}
	sentence := strings.TrimSpace(string(text))
	if res.StatusCode != http.StatusOK {
		return "", errors.New(sentence)
	}
	return sentence, nil
}
