//go:build !linux

package kernel

import "unsafe"

// askHuge asks nobody.
func askHuge(unsafe.Pointer, uintptr) {}
