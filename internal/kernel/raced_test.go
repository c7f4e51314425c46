//go:build race

package kernel

// raced: what the race detector is told of escapes to the heap.
const raced = true
