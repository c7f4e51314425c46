// Package levels runs a test at every level of the kernels. It stands apart
// from testkit so that the kernels' own tests may import testkit. Only tests
// import it.
package levels

import "github.com/unroll-ml/unroll/internal/kernel"

// Each calls f once for every level this machine and build offer, the level
// set, and sets the one that was in use again. Nothing else may compute
// meanwhile.
func Each(f func(level string)) {
	defer set(kernel.Level())
	for _, name := range kernel.Levels() {
		set(name)
		f(name)
	}
}

func set(name string) {
	if err := kernel.SetLevel(name); err != nil {
		panic(err) // no level of this machine: kernel.Levels is wrong
	}
}
