package unroll_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The page's example: torch.manual_seed(0), torch.randn(5, 3), and
// torch.nn.RNN(3, 4, num_layers=2). The README shows this code.
func Example() {
	g := rng.New(0)
	x := tensor.New(5, 3) // [T,I]
	rng.Randn(g, x.Data)

	layer, err := unroll.New(unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 2})
	if err != nil {
		log.Fatal(err)
	}
	layer.ResetParameters(g)

	output, state, err := layer.Forward(x, unroll.State{}) // h_0 = zeros
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(output.Shape, state.H.Shape)
	fmt.Println(state.H)
	// Output:
	// [5 4] [2 4]
	// tensor([[ 0.3659, -0.4076, -0.3544,  0.7706],
	//         [ 0.1340,  0.1614,  0.1837, -0.6358]])
}

// A state dict of PyTorch, run whole: the chain is its forward(), and the layout
// is asked for, because the file tells neither. The README shows this code.
func Example_stateDict() {
	m, err := model.Options{
		Chain:  "embedding | rnn | last | fc | softmax(dim=-1)", // the modules that the file names
		Layout: model.BatchFirst,                                // batch_first=True
	}.Open("examples/names/model.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	letters, err := model.Of([]int64{23, 31, 50, 45, 49, 38, 39}, 1, 7) // [B,T]: S a t o s h i
	if err != nil {
		log.Fatal(err)
	}
	out, err := m.Run(map[string]model.Value{"x": letters})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Japanese %.1f%%\n", 100*model.Data[float32](out["output"])[10])
	// Output:
	// Japanese 90.3%
}

// An ONNX file, one step at a time with its state carried, and by many goroutines.
// The README shows this code.
func Example_onnx() {
	m, err := model.Open("examples/names/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	in := map[string]model.Value{} // a state that is left out is zeros
	for _, letter := range []int64{23, 31, 50, 45, 49, 38, 39} {
		if in["tokens"], err = model.Of([]int64{letter}, 1, 1); err != nil { // [T,B]
			log.Fatal(err)
		}
		out, err := m.Run(in)
		if err != nil {
			log.Fatal(err)
		}
		for _, s := range m.States() { // h0 and h_n, c0 and c_n
			in[s.Input] = out[s.Output]
		}
		fmt.Printf("%.2f ", model.Data[float32](out["logits"])[10]) // Japanese, letter by letter
	}
	fmt.Println()

	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p := m.NewPass() // memory of one goroutine; the parameters are shared
			if err := p.Set("tokens", in["tokens"]); err != nil {
				log.Fatal(err)
			}
			if err := p.Run(); err != nil { // allocates nothing from the second run on
				log.Fatal(err)
			}
		})
	}
	all.Wait()
	// Output:
	// 0.29 1.49 -0.32 3.92 0.20 -0.13 5.69
}

// Many live sequences over one layer, each under a key. The README shows this code.
func Example_live() {
	m, err := model.Open("examples/bach")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	layers, err := m.Layers()
	if err != nil {
		log.Fatal(err)
	}
	pool, err := live.New(layers[0].Layer, live.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	x, y := make([]float32, 88), make([]float32, 128)
	for range 3 {
		if err := pool.Step(context.Background(), "organ 1", y, x); err != nil { // from any goroutine
			log.Fatal(err)
		}
	}
	fmt.Println(pool.Steps("organ 1"))
	// Output:
	// 3 <nil>
}
