//go:build (amd64 || arm64) && !purego

package kernel

// expBlocks does Exp for whole blocks from the first element on and returns how
// many elements it did.
func expBlocks(x []float64) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	lanes := lanesOf(lv) / 2
	n := min(len(x)/lanes, limits.Blocks)
	if n == 0 {
		return 0
	}
	raceRange(x[:n*lanes], reads|writes)
	return lanes * expRoutine(lv, &x[0], n)
}
