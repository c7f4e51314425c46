//go:build arm64 && !purego

package kernel

import "unsafe"

const levelNEON = 1

var levelNames = [...]string{"go", "neon"}

// bestLevel: every arm64 processor has the vectors; they compute as IEEE 754 says.
const bestLevel = levelNEON

// The routines of the level; the generated files hold the tables.

var microNEON micros

// microLevelsH, for weights of 16 bits, has none yet.
var (
	microLevels  = [...]microLevel{levelNEON: newMicroLevel(&microNEON)}
	microLevelsH = [...]microLevel{levelNEON: {}}
)

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

func transposeRoutine(_ int32, g *gateArgs) { transposeNEON(g) }

func expRoutine(_ int32, x *float64, n int) int { return expNEON(x, n) }

func squares(x *float32, n int, sums *[4]float64) { squaresNEON(x, n, sums) }

func subScaled(dst, src *float32, n int, a float32) { subScaledNEON(dst, src, n, a) }

func peakRoutine(_ int32, n int) { peakNEON(n) }

// What each computes is said in stubs_amd64.go, where 256 has other lanes.

//go:noescape
func mulNEON(p *mulArgs)

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
func squaresNEON(x *float32, n int, sums *[4]float64)

//go:noescape
func subScaledNEON(dst, src *float32, n int, a float32)
