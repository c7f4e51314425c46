package kernel

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// The level is the instruction set the kernels use. Results do not depend on
// it. It is the best the processor and the operating system offer, unless
// UNROLL_KERNEL names another.
//
// levelNames are those of the processor's family, slowest first; levelGo is in
// every one.
const levelGo = 0

var (
	level     atomic.Int32
	levelNote string
)

func init() {
	level.Store(int32(bestLevel))
	if name := os.Getenv("UNROLL_KERNEL"); name != "" {
		if err := SetLevel(name); err != nil {
			levelNote = fmt.Sprintf("UNROLL_KERNEL ignored: %v", err)
		}
	}
}

// Level returns the name of the level in use: "avx512", "avx2", "neon" or "go".
func Level() string { return levelNames[level.Load()] }

// Levels returns the names of the levels this machine and build offer, slowest
// first; "go" is always among them.
func Levels() []string { return levelNames[:bestLevel+1] }

// LevelNote says why the level that UNROLL_KERNEL names is not in use; it is
// empty if it is, or if none was named.
func LevelNote() string { return levelNote }

// SetLevel chooses a level by name, for tests and bug reports. It holds for the
// whole process and must not be called while products run.
func SetLevel(name string) error {
	for i, n := range Levels() {
		if n == name {
			level.Store(int32(i))
			return nil
		}
	}
	return fmt.Errorf("kernel: level %q is not available; this machine offers %s", name, strings.Join(Levels(), ", "))
}
