//go:build !race

package unroll_test

const raced = false
