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

// JSON returns the document as JSON. It, the YAML and the page are made when one of them is first asked for.
func JSON() File { return made().json }

// YAML returns the document as YAML.
func YAML() File { return made().yaml }

// Page returns the page that shows the document.
func Page() File { return made().page }

// made makes the files. What they are made of is not kept: it is several times as large.
var made = sync.OnceValue(func() (files struct{ json, yaml, page File }) {
	root := joined()
	files.json = zipped("application/json", asJSON(root))
	files.yaml = zipped("application/yaml", asYAML(root))
	files.page = zipped("text/html; charset=utf-8", asPage(root))
	files.page.Policy = policy()
	return files
})

// zipped returns a file with its compressed form.
func zipped(media string, plain []byte) File {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain) // a buffer takes everything
	_ = z.Close()
	return File{Media: media, Plain: plain, Zipped: b.Bytes()}
}
