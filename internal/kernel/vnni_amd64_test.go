//go:build amd64 && !purego

package kernel

// withoutVNNI runs f as on a processor without VNNI.
func withoutVNNI(f func()) {
	before := hasVNNI
	hasVNNI = false
	defer func() { hasVNNI = before }()
	f()
}
