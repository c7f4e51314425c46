//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

const (
	levelAVX2 = 1 + iota
	levelAVX512
)

var levelNames = [...]string{"go", "avx2", "avx512"}

// bestLevel looks at the processor's features; cpu.X86 reports the vector ones
// only if the operating system saves their registers (XGETBV: ymm, and for
// AVX-512 zmm and mask registers).
var bestLevel = func() int {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return levelGo
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return levelAVX2
	}
	return levelAVX512
}()
