//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// The routines of each level; the generated files hold the tables.

var micro256, micro512, micro256h, micro512h, micro256a, micro512a micros

// microLevelsH are those for weights of 16 bits, microLevelsA those of sliding
// products.
var (
	microLevels  = [...]microLevel{levelAVX2: newMicroLevel(&micro256), levelAVX512: newMicroLevel(&micro512)}
	microLevelsH = [...]microLevel{levelAVX2: newMicroLevel(&micro256h), levelAVX512: newMicroLevel(&micro512h)}
	microLevelsA = [...]microLevel{levelAVX2: newMicroLevel(&micro256a), levelAVX512: newMicroLevel(&micro512a)}
)

var folds256, folds512 [2]micros

var foldLevels = [...]foldLevel{levelAVX2: newFoldLevel(&folds256), levelAVX512: newFoldLevel(&folds512)}

var fused256, fused512 [numOps]uintptr

// fusedRoutines are the routines of each level by operation, 0 where there is
// none.
var fusedRoutines = [...]*[numOps]uintptr{levelGo: {}, levelAVX2: &fused256, levelAVX512: &fused512}

var chains256, chains512 [numChains]uintptr

// chainLevels are the chains of each level by cell, 0 where there is none, and the
// units of one vector.
var chainLevels = [...]struct {
	routines *[numChains]uintptr
	units    int
}{levelGo: {&[numChains]uintptr{}, 0}, levelAVX2: {&chains256, 8}, levelAVX512: {&chains512, 16}}

// lanesOf returns the float32 values of a vector of a level that has vectors.
func lanesOf(lv int32) int {
	if lv == levelAVX512 {
		return 16
	}
	return 8
}

func mulRoutine(lv int32, g *mulArgs) {
	switch half := g.width == 2; {
	case lv == levelAVX512 && half:
		mul512h(g)
	case lv == levelAVX512:
		mul512(g)
	case half:
		mul256h(g)
	default:
		mul256(g)
	}
}

func bytesRoutine(lv int32, dst *uint8, src *float32, n int, scale float32, zero int32) {
	if lv == levelAVX512 {
		bytes512(dst, src, n, scale, zero)
	} else {
		bytes256(dst, src, n, scale, zero)
	}
}

func slideRoutine(lv int32, g *mulArgs) {
	if lv == levelAVX512 {
		mul512a(g)
	} else {
		mul256a(g)
	}
}

func transposeRoutine(lv int32, g *gateArgs) {
	if lv == levelAVX512 {
		transpose512(g)
	} else {
		transpose256(g)
	}
}

func expRoutine(lv int32, x *float64, n int) int {
	if lv == levelAVX512 {
		return exp512(x, n)
	}
	return exp256(x, n)
}

func adamRoutine(lv int32, p, d, m, v *float32, n int, by *AdamStep) {
	if lv == levelAVX512 {
		adam512(p, d, m, v, n, by)
	} else {
		adam256(p, d, m, v, n, by)
	}
}

func largestRoutine(lv int32, x *float32, n int, lanes *[16]float32) uint32 {
	if lv == levelAVX512 {
		return largest512(x, n, lanes)
	}
	return largest256(x, n, lanes)
}

func expShiftedRoutine(lv int32, dst *float64, src *float32, n int, m float64) int {
	if lv == levelAVX512 {
		return expShifted512(dst, src, n, m)
	}
	return expShifted256(dst, src, n, m)
}

func narrowRoutine(lv int32, dst *float32, src *float64, n int, k float64) {
	if lv == levelAVX512 {
		narrow512(dst, src, n, k)
	} else {
		narrow256(dst, src, n, k)
	}
}

func squares(x *float32, n int, sums *[4]float64) { squares256(x, n, sums) }

func subScaled(dst, src *float32, n int, a float32) { subScaled256(dst, src, n, a) }

func peakRoutine(lv int32, n int) {
	if lv == levelAVX512 {
		peak512(n)
	} else {
		peak256(n)
	}
}

var micro8x256, micro8x512 micros8

// hasVNNI reports whether the level AVX-512 multiplies bytes in one instruction;
// without it, it does as AVX2 does.
var hasVNNI = cpu.X86.HasAVX512VNNI

// micros8Of returns the microkernels of a level for bytes.
func micros8Of(lv int32) *micros8 {
	if lv == levelAVX512 && hasVNNI {
		return &micro8x512
	}
	return &micro8x256
}

func mul8Routine(m *micros8, g *mul8Args) {
	if m == &micro8x512 {
		mul8x512(g)
	} else {
		mul8x256(g)
	}
}

func boundsRoutine(lv int32, x *float32, n int) (least uint32, most int32) {
	if lv == levelAVX512 {
		return bounds512(x, n)
	}
	return bounds256(x, n)
}

func quantiseRoutine(lv int32, dst *uint8, src *float32, n int, times float32, zero int32) {
	if lv == levelAVX512 {
		quantise512(dst, src, n, times, zero)
	} else {
		quantise256(dst, src, n, times, zero)
	}
}
