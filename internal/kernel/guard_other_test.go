//go:build !linux

package kernel

import "testing"

func guarded(_ testing.TB, n int, _ bool) []float32 { return make([]float32, n) }
