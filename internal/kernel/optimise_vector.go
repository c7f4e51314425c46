//go:build (amd64 || arm64) && !purego

package kernel

// squareBlocks adds the squares of whole blocks of x to sums and returns how
// many elements that were.
func squareBlocks(x []float32, sums *[4]float64) int {
	if level.Load() == levelGo {
		return 0
	}
	raceRange(x[:len(x)/4*4], reads)
	done := 0
	for n := len(x) / 4; n > 0; n -= limits.Blocks {
		squares(&x[done], min(n, limits.Blocks), sums)
		done += 4 * min(n, limits.Blocks)
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
	for n := len(dst) / 8; n > 0; n -= limits.Blocks {
		subScaled(&dst[done], &src[done], min(n, limits.Blocks), a)
		done += 8 * min(n, limits.Blocks)
	}
	return done
}
