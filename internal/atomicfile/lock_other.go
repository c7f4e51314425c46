//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package atomicfile

import (
	"os"
	"runtime"
)

func lock(*os.File) {}

// removeLeft removes a file on Windows, which refuses that for one that is open.
// Elsewhere it cannot be known whether a file is in use.
func removeLeft(name string) {
	if runtime.GOOS == "windows" {
		os.Remove(name)
	}
}
