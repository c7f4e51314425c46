package testkit

import (
	"fmt"
	"testing"
	"unsafe"
)

// guardBytes stand on each side of a guarded slice.
const guardBytes = 256

// Guard is a slice between guards: all-ones bytes, NaN where they are read as
// floating-point numbers, so that a kernel that reads beyond its bounds
// spoils its result and one that writes there is seen by Check.
type Guard[E Element] struct {
	Data  []E // the slice under test; its capacity ends with it
	bytes []byte
	lo    int // where Data begins in bytes
}

// Element is what a Guard can hold.
type Element interface {
	float32 | float64 | uint16 | int8 | uint8 | int32 | uint32
}

// NewGuard returns n zeros between guards, beginning skew elements after a
// 64-byte boundary: skew 1 is unaligned for every vector load.
func NewGuard[E Element](n, skew int) *Guard[E] {
	size := int(unsafe.Sizeof(E(0)))
	// Allocated as float64, so that elements of 8 bytes lie on 8.
	words := make([]float64, (2*guardBytes+64+(n+skew)*size+7)/8)
	g := &Guard[E]{bytes: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))}
	at := uintptr(unsafe.Pointer(&words[0])) + guardBytes
	g.lo = guardBytes + int(-at&63) + skew*size
	for i := range g.bytes {
		g.bytes[i] = 0xff
	}
	if n > 0 {
		g.Data = unsafe.Slice((*E)(unsafe.Pointer(&g.bytes[g.lo])), n)[:n:n]
	} else {
		g.Data = []E{}
	}
	clear(g.Data)
	return g
}

// GuardOf returns a guarded copy of data.
func GuardOf[E Element](data []E, skew int) *Guard[E] {
	g := NewGuard[E](len(data), skew)
	copy(g.Data, data)
	return g
}

// Touched returns an error if a byte outside Data was written, with its
// distance from Data in elements.
func (g *Guard[E]) Touched() error {
	size := int(unsafe.Sizeof(E(0)))
	hi := g.lo + len(g.Data)*size
	for i, b := range g.bytes {
		if b == 0xff || i >= g.lo && i < hi {
			continue
		}
		if i < g.lo {
			return fmt.Errorf("memory was written %d elements before the slice of %d", (g.lo-i+size-1)/size, len(g.Data))
		}
		return fmt.Errorf("memory was written %d elements after the end of the slice of %d", (i-hi)/size+1, len(g.Data))
	}
	return nil
}

// Check reports a test error if memory outside Data was written.
func (g *Guard[E]) Check(t testing.TB, what string) {
	t.Helper()
	if err := g.Touched(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
