//go:build !amd64 || purego

package kernel

func withoutVNNI(f func()) { f() }
