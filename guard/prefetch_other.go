//go:build !amd64 && !arm64

package guard

import "unsafe"

func prefetch(unsafe.Pointer) {}
