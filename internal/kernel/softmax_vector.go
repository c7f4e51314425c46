//go:build (amd64 || arm64) && !purego

package kernel

// largestBlocks returns the largest of whole blocks of x, NaN if one is, and how many
// elements they have; 0 if it looked at none or met a NaN.
func largestBlocks(x []float32) (n int, most float32) {
	n = min(len(x)/Lane, limits.Blocks)
	lv := level.Load()
	if lv == levelGo || n == 0 {
		return 0, 0
	}
	raceRange(x[:n*Lane], reads)
	var lanes [Lane]float32
	if largestRoutine(lv, &x[0], n, &lanes) != 0 { // a NaN
		return 0, 0
	}
	return n * Lane, largest(lanes[0], lanes[1:])
}

// expShiftedBlocks does ExpShifted for whole blocks from the first element on and
// returns how many elements it did.
func expShiftedBlocks(dst []float64, src []float32, m float64) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	lanes := lanesOf(lv) / 2
	n := min(len(src)/lanes, limits.Blocks)
	if n == 0 {
		return 0
	}
	raceRange(src[:n*lanes], reads)
	raceRange(dst[:n*lanes], writes)
	return lanes * expShiftedRoutine(lv, &dst[0], &src[0], n, m)
}

// narrowBlocks does Narrow for whole blocks and returns how many elements it did.
func narrowBlocks(dst []float32, src []float64, k float64) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	raceRange(src[:len(dst)/8*8], reads)
	raceRange(dst[:len(dst)/8*8], writes)
	done := 0
	for n := len(dst) / 8; n > 0; n -= limits.Blocks {
		now := min(n, limits.Blocks)
		narrowRoutine(lv, &dst[done], &src[done], now, k)
		done += 8 * now
	}
	return done
}
