package rng_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/rng"
)

// The first lines of many PyTorch programs:
//
//	torch.manual_seed(0)
//	print(torch.rand(3), torch.randn(2), torch.randperm(5))
func Example() {
	g := rng.New(0)
	uniform, normal := make([]float32, 3), make([]float32, 2)
	rng.Rand(g, uniform)
	rng.Randn(g, normal)
	fmt.Printf("%.4f %.4f %v\n", uniform, normal, rng.Randperm(g, 5))
	// Output: [0.4963 0.7682 0.0885] [0.3643 0.1344] [3 2 1 4 0]
}

// A run is continued where it stopped: State holds the place in the stream.
func ExampleGenerator_State() {
	g := rng.New(42)
	rng.Rand(g, make([]float32, 10))
	saved := g.State() // what torch.get_rng_state() returns
	next := g.Uint32()

	h := rng.New(0)
	if err := h.SetState(saved); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Uint32() == next)
	// Output: true
}
