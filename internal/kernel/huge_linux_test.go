package kernel

import (
	"syscall"
	"testing"
	"unsafe"
)

// TestTouchedMemory: memory that nobody wrote to is not there, and one page of it that
// somebody did write to is found wherever it lies.
func TestTouchedMemory(t *testing.T) {
	const size = 40 << 20 // more than is looked up at a time
	page := syscall.Getpagesize()
	for _, at := range []int{-1, 0, page, size / 2, size - 1} {
		b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		if at >= 0 {
			b[at] = 1
		}
		lo := uintptr(unsafe.Pointer(&b[0]))
		if got := touched(lo, lo+size); got != (at >= 0) {
			t.Errorf("a write at %d: touched is %v", at, got)
		}
		if err := syscall.Munmap(b); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUsedMemoryIsGivenBack: memory of zeros that is there in small pages is zeros
// afterwards and not there, and what lies around it stays.
func TestUsedMemoryIsGivenBack(t *testing.T) {
	const size = 5 * hugePage
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	page := syscall.Getpagesize()
	for i := 0; i < size; i += page {
		b[i] = 7
	}
	// It begins within a large page, all of which lies within the mapping.
	at := hugePage - int(uintptr(unsafe.Pointer(&b[0]))%hugePage) + 3*page
	own := b[at : at+2*hugePage+5*page]
	clear(own)
	lo := uintptr(unsafe.Pointer(&own[0]))
	askHuge(unsafe.Pointer(&own[0]), uintptr(len(own)))
	if in := (lo + hugePage - 1) &^ (hugePage - 1); touched(in, in+hugePage) {
		if err := syscall.Madvise(b, syscall.MADV_HUGEPAGE); err != nil {
			t.Skip("the system does not know large pages:", err)
		}
		t.Error("small pages of zeros are still there")
	}
	for i := 0; i < size; i += page {
		want := byte(7)
		if i >= at && i < at+len(own) {
			want = 0
		}
		if b[i] != want {
			t.Fatalf("byte %d is %d, expected %d", i, b[i], want)
		}
	}
	if err := syscall.Munmap(b); err != nil {
		t.Fatal(err)
	}
}
