//go:build amd64 && !purego

package kernel

// sumsLimit bounds the blocks of one call of assembly, which cannot be
// preempted; a block takes a few ns.
const sumsLimit = 1 << 15

// squareBlocks adds the squares of whole blocks of x to sums and returns how
// many elements that were.
func squareBlocks(x []float32, sums *[4]float64) int {
	if level.Load() == levelGo {
		return 0
	}
	raceRange(x[:len(x)/4*4], reads)
	done := 0
	for n := len(x) / 4; n > 0; n -= sumsLimit {
		squares256(&x[done], min(n, sumsLimit), sums)
		done += 4 * min(n, sumsLimit)
	}
	return done
}

// subScaledBlocks does SubScaled for whole blocks and returns how many elements
// that were.
func subScaledBlocks(dst, src []float32, a float32) int {
	if level.Load() == levelGo {
		return 0
	}
	raceRange(src[:len(dst)/8*8], reads)
	raceRange(dst[:len(dst)/8*8], reads|writes)
	done := 0
	for n := len(dst) / 8; n > 0; n -= sumsLimit {
		subScaled256(&dst[done], &src[done], min(n, sumsLimit), a)
		done += 8 * min(n, sumsLimit)
	}
	return done
}
