//go:build amd64 || arm64

package guard

import "unsafe"

// prefetch has the processor fetch the line of memory at an address, and does not wait for it. A load would be waited for as soon as some 300
// instructions behind it are done, long before a tag is made.
//
//go:noescape
func prefetch(at unsafe.Pointer)
