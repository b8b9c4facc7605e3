//go:build !amd64 && !arm64

package guard

func prefetch(*slot) {}
