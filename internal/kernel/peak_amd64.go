//go:build amd64 && !purego

package kernel

// peakRun runs the peak loop n times and returns its operations.
func peakRun(n int) float64 {
	switch level.Load() {
	case levelAVX512:
		peak512(n)
		return float64(n) * 24 * 16 * 2
	case levelAVX2:
		peak256(n)
		return float64(n) * 24 * 8 * 2
	}
	return peakGo(n)
}
