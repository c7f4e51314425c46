package testkit

import (
	"syscall"
	"testing"
	"unsafe"
)

// AtBorder returns n zeros that begin (or end) where memory begins that may not
// be touched: reading or writing past it faults, also what is thrown away after.
func AtBorder[E Element](t testing.TB, n int, begin bool) []E {
	t.Helper()
	if n == 0 {
		return nil
	}
	const page = 4096
	bytes := n * int(unsafe.Sizeof(E(0)))
	size := (bytes + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	for _, g := range [][]byte{m[:page], m[page+size:]} {
		if err := syscall.Mprotect(g, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	first := page
	if !begin {
		first = page + size - bytes
	}
	return unsafe.Slice((*E)(unsafe.Pointer(&m[first])), n)
}
