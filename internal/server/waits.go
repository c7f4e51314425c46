package server

import (
	mathbits "math/bits"
	"sync/atomic"
	"time"
)

// waits is a histogram of times in line. Many rows of a round have waited equally
// long and are counted with two additions, which a histogram of Prometheus does not.
type waits struct {
	counts [17]atomic.Uint64 // not above waitBucket(i); the last: all else
	sum    atomic.Int64      // nanoseconds
}

// waitBucket is the upper bound of a bucket: 50 us to 1.6 s.
func waitBucket(i int) time.Duration { return 50 * time.Microsecond << i }

func (w *waits) add(d time.Duration, n int) {
	d = max(d, 0)
	i := mathbits.Len64(uint64((d - 1) / waitBucket(0)))
	w.counts[min(i, len(w.counts)-1)].Add(uint64(n))
	w.sum.Add(int64(d) * int64(n))
}

// read returns what prometheus.NewConstHistogram takes.
func (w *waits) read() (n uint64, sum float64, buckets map[float64]uint64) {
	buckets = map[float64]uint64{}
	for i := range w.counts {
		n += w.counts[i].Load()
		if i < len(w.counts)-1 {
			buckets[waitBucket(i).Seconds()] = n
		}
	}
	return n, time.Duration(w.sum.Load()).Seconds(), buckets
}
