package openapi

import (
	"bytes"
	"compress/gzip"
	"sync"
)

// File is something to be served as it is, to whoever takes it compressed and to others. Nobody may change it.
type File struct {
	Media         string
	Plain, Zipped []byte

	Policy string // Content-Security-Policy, of pages
}

// The document, and the page that shows it. Each is made when it is first asked for.
var (
	JSON = sync.OnceValue(func() File { return zipped("application/json", asJSON(joined())) })
	YAML = sync.OnceValue(func() File { return zipped("application/yaml", asYAML(joined())) })
	Page = sync.OnceValue(func() File {
		f := zipped("text/html; charset=utf-8", asPage(joined()))
		f.Policy = policy()
		return f
	})
)

// zipped returns a file with its compressed form.
func zipped(media string, plain []byte) File {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain) // a buffer takes everything
	_ = z.Close()
	return File{Media: media, Plain: plain, Zipped: b.Bytes()}
}
