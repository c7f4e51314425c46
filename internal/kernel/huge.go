package kernel

import "unsafe"

// hugeLeast is how many bytes of weights are worth pages of two megabytes: below it
// the first-level buffers of translations hold what a product walks.
var hugeLeast = 512 << 10

// ask is askHuge; tests look at what is asked for.
var ask = askHuge

// hugePage is the size of such a page where they are asked for.
const hugePage = 2 << 20

// Large returns a slice of n elements in the memory of s where it suffices, with
// undefined contents, or else a new one of zeros. Where that is much, the system is
// asked to keep it in large pages: a product walks weights from first to last byte, and
// crosses 500 times fewer borders, at which prefetchers stop and addresses are looked
// up; and who fills it waits 500 times less often for the system to clear a page.
func Large[E Float | int8 | uint8 | uint16](s []E, n int) []E {
	if cap(s) >= n {
		return s[:n]
	}
	s = make([]E, n)
	if size := uintptr(n) * unsafe.Sizeof(s[0]); n > 0 && size >= uintptr(hugeLeast) {
		ask(unsafe.Pointer(&s[0]), size)
	}
	return s
}
