package server

import (
	"math"
	"testing"
	"time"
)

// The buckets are those of a histogram: how many are not above each bound.
func TestWaits(t *testing.T) {
	var w waits
	times := []time.Duration{-5, 0, 1, 50 * time.Microsecond, 50*time.Microsecond + 1, 100 * time.Microsecond, 101 * time.Microsecond, time.Second, 1638400 * time.Microsecond, 1638400*time.Microsecond + 1, time.Hour}
	sum, all := 0.0, uint64(0)
	for i, d := range times {
		w.add(d, i+1)
		sum += max(d, 0).Seconds() * float64(i+1)
		all += uint64(i + 1)
	}
	n, got, buckets := w.read()
	if n != all || math.Abs(got-sum) > 1e-6 || len(buckets) != 16 {
		t.Errorf("%d of %d, sum %v, expected %v, %d buckets", n, all, got, sum, len(buckets))
	}
	for bound, n := range buckets {
		want := uint64(0)
		for i, d := range times {
			if max(d, 0).Seconds() <= bound {
				want += uint64(i + 1)
			}
		}
		if n != want {
			t.Errorf("%d are not above %v, expected %d", n, bound, want)
		}
	}
}
