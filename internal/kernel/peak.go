package kernel

import (
	"math"
	"time"
)

// PeakGFLOPS measures for about d how many float32 operations one core does at
// the level in use, in 10^9 a second: fused multiply-adds, two operations each,
// on registers alone. It is the best of several short runs.
func PeakGFLOPS(d time.Duration) float64 {
	const n = 20000
	best := 0.0
	for end := time.Now().Add(d); ; {
		start := time.Now()
		flops := peakRun(n)
		now := time.Now()
		best = max(best, flops/float64(now.Sub(start).Nanoseconds()))
		if now.After(end) {
			return best
		}
	}
}

// peakGo is the peak loop of pure Go: eight independent sums. The sum decides
// about nothing, but keeps the compiler from leaving the loop out.
func peakGo(n int) float64 {
	var s [8]float64
	x := math.Float64frombits(0x3ff0000000000001)
	s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for range n {
		s0, s1, s2, s3 = s0+x*x, s1+x*x, s2+x*x, s3+x*x
		s4, s5, s6, s7 = s4+x*x, s5+x*x, s6+x*x, s7+x*x
	}
	if s0+s1+s2+s3+s4+s5+s6+s7 < 0 {
		return 0
	}
	return float64(n) * 16
}
