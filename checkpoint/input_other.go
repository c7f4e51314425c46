//go:build !unix

package checkpoint

func nonblocking(bool) int { return 0 }
