//go:build arm64 && !purego

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

const levelNEON = 1

var levelNames = [...]string{"go", "neon"}

// bestLevel: every arm64 processor has the vectors; they compute as IEEE 754 says.
const bestLevel = levelNEON

// The routines of the level; the generated files hold the tables.

var microNEON, microNEONh, microNEONa micros

// microLevelsH are those for weights of 16 bits, microLevelsA those of sliding
// products.
var (
	microLevels  = [...]microLevel{levelNEON: newMicroLevel(&microNEON)}
	microLevelsH = [...]microLevel{levelNEON: newMicroLevel(&microNEONh)}
	microLevelsA = [...]microLevel{levelNEON: newMicroLevel(&microNEONa)}
)

var foldsNEON [2]micros

var foldLevels = [...]foldLevel{levelNEON: newFoldLevel(&foldsNEON)}

var micro8xNEON micros8

// hasDots reports whether the processor multiplies and adds bytes in one instruction
// (Armv8.2 with its dot product: Neoverse, Cortex-A55, A75 and later, Apple's).
var hasDots = cpu.ARM64.HasASIMDDP

// micros8Of returns the microkernels for bytes, nil where the processor has no
// instruction for them.
func micros8Of(int32) *micros8 {
	if hasDots {
		return &micro8xNEON
	}
	return nil
}

func mul8Routine(_ *micros8, g *mul8Args) { mul8xNEON(g) }

func boundsRoutine(_ int32, x *float32, n int) (least uint32, most int32) { return boundsNEON(x, n) }

func quantiseRoutine(_ int32, dst *uint8, src *float32, n int, times float32, zero int32) {
	quantiseNEON(dst, src, n, times, zero)
}

var fusedNEON [numOps]uintptr

var fusedRoutines = [...]*[numOps]uintptr{levelGo: {}, levelNEON: &fusedNEON}

var chainsNEON [numChains]uintptr

// chainLevels are the chains of each level by cell, 0 where there is none, and the
// units of one vector.
var chainLevels = [...]struct {
	routines *[numChains]uintptr
	units    int
}{levelGo: {&[numChains]uintptr{}, 0}, levelNEON: {&chainsNEON, 4}}

// lanesOf returns the float32 values of a vector.
func lanesOf(int32) int { return 4 }

func mulRoutine(_ int32, g *mulArgs) { mulNEON(g) }

func bytesRoutine(_ int32, dst *uint8, src *float32, n int, scale float32, zero int32) {
	bytesNEON(dst, src, n, scale, zero)
}

//go:noescape
func bytesNEON(dst *uint8, src *float32, n int, scale float32, zero int32)

func slideRoutine(_ int32, g *mulArgs) { mulNEONa(g) }

func transposeRoutine(_ int32, g *gateArgs) { transposeNEON(g) }

func expRoutine(_ int32, x *float64, n int) int { return expNEON(x, n) }

func adamRoutine(_ int32, p, d, m, v *float32, n int, by *AdamStep) { adamNEON(p, d, m, v, n, by) }

func largestRoutine(_ int32, x *float32, n int, lanes *[16]float32) uint32 {
	return largestNEON(x, n, lanes)
}

func expShiftedRoutine(_ int32, dst *float64, src *float32, n int, m float64) int {
	return expShiftedNEON(dst, src, n, m)
}

func narrowRoutine(_ int32, dst *float32, src *float64, n int, k float64) {
	narrowNEON(dst, src, n, k)
}

func squares(x *float32, n int, sums *[4]float64) { squaresNEON(x, n, sums) }

func subScaled(dst, src *float32, n int, a float32) { subScaledNEON(dst, src, n, a) }

func peakRoutine(_ int32, n int) { peakNEON(n) }

// What each computes is said in stubs_amd64.go, where 256 has other lanes.

//go:noescape
func mulNEON(p *mulArgs)

//go:noescape
func mulNEONa(p *mulArgs)

//go:noescape
func call(routine uintptr, args unsafe.Pointer)

//go:noescape
func transposeNEON(a *gateArgs)

//go:noescape
func peakNEON(n int)

//go:noescape
func pause(n int)

//go:noescape
func expNEON(x *float64, n int) int

//go:noescape
func expShiftedNEON(dst *float64, src *float32, n int, m float64) int

//go:noescape
func narrowNEON(dst *float32, src *float64, n int, k float64)

//go:noescape
func largestNEON(x *float32, n int, lanes *[16]float32) uint32

//go:noescape
func adamNEON(p, d, m, v *float32, n int, by *AdamStep)

//go:noescape
func squaresNEON(x *float32, n int, sums *[4]float64)

//go:noescape
func subScaledNEON(dst, src *float32, n int, a float32)

//go:noescape
func mul8xNEON(p *mul8Args)

//go:noescape
func boundsNEON(x *float32, n int) (least uint32, most int32)

//go:noescape
func quantiseNEON(dst *uint8, src *float32, n int, times float32, zero int32)
