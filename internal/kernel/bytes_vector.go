//go:build (amd64 || arm64) && !purego

package kernel

// bytesBlocks does the loop of Bytes for the first numbers and returns how many it did.
func bytesBlocks(dst []uint8, src []float32, scale float32, zero int32) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	done := 0
	for len(src)-done >= Lane {
		n := min(len(src)-done, limits.Blocks*Lane) / Lane
		bytesRoutine(lv, &dst[done], &src[done], n, scale, zero)
		raceRange(src[done:done+n*Lane], reads)
		raceRange(dst[done:done+n*Lane], writes)
		done += n * Lane
	}
	return done
}
