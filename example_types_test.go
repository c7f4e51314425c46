package unroll_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// layerOf makes a layer whose parameters are PyTorch's after manual_seed(0).
func layerOf(cfg unroll.Config) *unroll.Layer {
	layer, err := unroll.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	layer.ResetParameters(rng.New(0))
	return layer
}

// inputOf draws an input.
func inputOf(shape ...int) tensor.Dense {
	x := tensor.New(shape...)
	rng.Randn(rng.New(1), x.Data)
	return x
}

// A config is data: its zero fields are PyTorch's defaults, and as JSON it has
// the names of PyTorch's arguments.
func ExampleConfig() {
	cfg := unroll.Config{Mode: unroll.LSTM, InputSize: 10, HiddenSize: 20, NumLayers: 2, Bidirectional: true}
	text, _ := json.Marshal(cfg)
	fmt.Println(cfg)
	fmt.Println(string(text))
	fmt.Println("directions", cfg.Directions(), "output", cfg.OutputSize())

	cfg.ProjSize = 20
	fmt.Println(cfg.Validate())
	// Output:
	// LSTM(10, 20, num_layers=2, bidirectional=True)
	// {"mode":"LSTM","input_size":10,"hidden_size":20,"num_layers":2,"bias":true,"bidirectional":true}
	// directions 2 output 40
	// proj_size: got 20, expected less than hidden_size 20
}

func ExampleMode() {
	m, err := unroll.ParseMode("GRU")
	fmt.Println(m, err)
	_, err = unroll.ParseMode("QRNN")
	fmt.Println(err)
	// Output:
	// GRU <nil>
	// mode: got "QRNN", expected RNN_TANH, RNN_RELU, LSTM or GRU
}

// nn.LSTM(10, 20, num_layers=2) on a batch of 3 sequences of 5 steps.
func ExampleLayer() {
	layer := layerOf(unroll.Config{Mode: unroll.LSTM, InputSize: 10, HiddenSize: 20, NumLayers: 2})
	y, sn, err := layer.Forward(inputOf(5, 3, 10), unroll.State{}) // x [T,B,I], zeros
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("output", y.Shape)         // [T,B,H]
	fmt.Println("h_n", sn.H.Shape)         // [L,B,H]
	fmt.Println("c_n", sn.C.Shape)         // [L,B,H]
	for _, p := range layer.Params()[4:] { // those of layer 1
		fmt.Println(p.Name, p.Value.Shape)
	}
	// Output:
	// output [5 3 20]
	// h_n [2 3 20]
	// c_n [2 3 20]
	// weight_ih_l1 [80 20]
	// weight_hh_l1 [80 20]
	// bias_ih_l1 [80]
	// bias_hh_l1 [80]
}

// Load is load_state_dict(strict=True): all that does not fit is told at once.
func ExampleLayer_Load() {
	layer := layerOf(unroll.Config{InputSize: 2, HiddenSize: 10, NumLayers: 2, NoBias: true})
	err := layer.Load(map[string]tensor.Dense{
		"weight_ih_l0": tensor.New(10, 2),
		"weight_hh_l0": tensor.New(10, 10),
		"weight_ih_l1": tensor.New(10, 2), // as if layer 1 read the input too
		"bias_ih_l0":   tensor.New(10),
	})
	var fault *unroll.LoadError
	fmt.Println(errors.Is(err, unroll.ErrParams), errors.As(err, &fault))
	fmt.Println("missing", fault.Missing)
	fmt.Println("unexpected", fault.Unexpected)
	fmt.Println(fault.Shapes[0])
	// Output:
	// true true
	// missing [weight_hh_l1]
	// unexpected [bias_ih_l0]
	// weight_ih_l1 has shape [10 2], expected [10 10] (layer 1 reads the output of layer 0, 10 features, not the input)
}

// A stack is a chain of single layers that share its parameters: what the page
// on stacked layers calls a set of RNN.
func ExampleLayer_Split() {
	stack := layerOf(unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2})
	x := inputOf(5, 3)
	whole, _, err := stack.Forward(x, unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	y := x
	for n, parts := range stack.Split() {
		fmt.Println("layer", n, parts[0].Config(), "reads", y.Shape)
		if y, _, err = parts[0].Forward(y, unroll.State{}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("the same bits:", slices.Equal(whole.Data, y.Data))
	// Output:
	// layer 0 RNN(3, 4) reads [5 3]
	// layer 1 RNN(4, 4) reads [5 4]
	// the same bits: true
}

// A pass runs sequences of different lengths and keeps a record, from which
// every state and gate of each layer, direction and step is read in one call.
func ExamplePass() {
	layer := layerOf(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true})
	p := &unroll.Pass{Layer: layer, Record: true, Lengths: []int{2, 5}}
	y, sn, err := p.Forward(inputOf(5, 2, 3), unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("output", y.Shape, "h_n", sn.H.Shape)

	update, err := p.Gate(1, 0, "z") // layer 1, forward direction
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("z", update.Shape)
	fmt.Println("beyond the end of sequence 0:", y.Data[2*2*8:2*2*8+8])
	// Output:
	// output [5 2 8] h_n [4 2 4]
	// z [5 2 4]
	// beyond the end of sequence 0: [0 0 0 0 0 0 0 0]
}

// One step of gradient descent on the sum of all outputs.
func ExamplePass_Backward() {
	layer := layerOf(unroll.Config{InputSize: 3, HiddenSize: 4})
	p := &unroll.Pass{Layer: layer, Train: true}
	x := inputOf(5, 2, 3)
	loss := func() (sum float32) {
		y, _, err := p.Forward(x, unroll.State{})
		if err != nil {
			log.Fatal(err)
		}
		for _, v := range y.Data {
			sum += v
		}
		return sum
	}
	before := loss()
	dy := tensor.New(5, 2, 4) // the gradient of a sum: ones
	for i := range dy.Data {
		dy.Data[i] = 1
	}
	dx, ds0, err := p.Backward(dy, unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("dx", dx.Shape, "dh_0", ds0.H.Shape)

	layer.Update(func(params []unroll.Param) {
		for i, g := range p.Grads.Params() {
			for j, d := range g.Value.Data {
				params[i].Value.Data[j] -= 0.01 * d
			}
		}
	})
	p.Grads.Zero()
	fmt.Println("the loss falls:", loss() < before)
	// Output:
	// dx [5 2 3] dh_0 [1 2 4]
	// the loss falls: true
}

// Backward adds to Grads, which passes may share: here two halves of a batch.
func ExampleGrads() {
	layer := layerOf(unroll.Config{InputSize: 3, HiddenSize: 4})
	grads := layer.NewGrads()
	for range 2 {
		p := &unroll.Pass{Layer: layer, Record: true, Grads: grads}
		if _, _, err := p.Forward(inputOf(5, 2, 3), unroll.State{}); err != nil {
			log.Fatal(err)
		}
		if _, _, err := p.Backward(inputOf(5, 2, 4), unroll.State{}); err != nil {
			log.Fatal(err)
		}
	}
	for _, g := range grads.Params() {
		fmt.Println(g.Name, g.Value.Shape)
	}
	// Output:
	// weight_ih_l0 [4 3]
	// weight_hh_l0 [4 4]
	// bias_ih_l0 [4]
	// bias_hh_l0 [4]
}

// A state is a value. That of the first half of a sequence, given to the second
// half, makes it the whole sequence.
func ExampleState() {
	layer := layerOf(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4})
	x := inputOf(6, 3)
	whole, _, err := layer.Forward(x, unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	half := func(from int) tensor.Dense { return tensor.Dense{Shape: []int{3, 3}, Data: x.Data[from*3 : from*3+9]} }
	first, s, err := layer.Forward(half(0), unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	second, _, err := layer.Forward(half(3), s)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("h", s.H.Shape, "c", s.C.Shape)
	fmt.Println("the same bits:", slices.Equal(whole.Data, append(first.Data, second.Data...)))
	// Output:
	// h [1 4] c [1 4]
	// the same bits: true
}

// nn.LSTMCell(3, 4) on a batch of 2: a stream of a layer of one.
func ExampleStream() {
	layer := layerOf(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4})
	s, err := layer.NewStream(2)
	if err != nil {
		log.Fatal(err)
	}
	x, h := make([]float32, 2*3), make([]float32, 2*4)
	for range 5 { // allocates nothing
		if err := s.Step(h, x); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("h", s.State().H.Shape, "c", s.State().C.Shape)
	if err := s.Reset(1); err != nil { // sequence 1 begins anew
		log.Fatal(err)
	}
	fmt.Println(s.State().H.Data[4:])
	// Output:
	// h [1 2 4] c [1 2 4]
	// [0 0 0 0]
}

// For those who bring a PackedSequence; all others set Pass.Lengths.
func ExamplePackedSequence() {
	layer := layerOf(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4})
	x := inputOf(5, 3, 3) // [T,B,I]
	packed, err := unroll.PackPadded(x, []int{2, 5, 1}, false, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("packed", packed.Data.Shape, packed.BatchSizes, packed.SortedIndices)

	p := &unroll.Pass{Layer: layer}
	out, sn, err := p.ForwardPacked(packed, unroll.State{})
	if err != nil {
		log.Fatal(err)
	}
	y, lengths, err := unroll.PadPacked(out, false, 0, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("output", y.Shape, lengths, "h_n", sn.H.Shape)
	// Output:
	// packed [8 3] [3 2 1 1 1] [1 0 2]
	// output [5 3 4] [2 5 1] h_n [1 3 4]
}

// Every error is of a kind and carries the facts.
func ExampleArgError() {
	layer := layerOf(unroll.Config{InputSize: 3, HiddenSize: 4})
	_, _, err := layer.Forward(tensor.New(5, 7), unroll.State{})
	fmt.Println(err)

	var arg *unroll.ArgError
	fmt.Println(errors.Is(err, unroll.ErrShape), errors.As(err, &arg))
	fmt.Println(arg.Got)
	// Output:
	// input of RNN(3, 4): got 7 features, shape [5 7], expected input_size 3 as the last dimension
	// true true
	// 7 features, shape [5 7]
}
