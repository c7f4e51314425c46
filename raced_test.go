//go:build race

package unroll_test

// raced: the race detector lets more escape to the heap.
const raced = true
