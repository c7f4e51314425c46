package testkit

import "runtime"

// Allocated is how many bytes f takes from the heap. It runs f several times and
// tells the least, since what runs beside it, and memory that was given out in
// spans, count too. f must do the same each time.
func Allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
