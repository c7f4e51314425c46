//go:build (amd64 || arm64) && !purego

package kernel

// peakRun runs the peak loop n times and returns its operations.
func peakRun(n int) float64 {
	lv := level.Load()
	if lv == levelGo {
		return peakGo(n)
	}
	peakRoutine(lv, n)
	return float64(n) * 24 * float64(lanesOf(lv)) * 2
}
