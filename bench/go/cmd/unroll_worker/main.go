// Command unroll_worker is this project's side: a Stream where the state is
// carried from step to step, a Pass otherwise, with as many workers as threads. The
// variants are the precisions of weights, int8 and bfloat16.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/bench/go/internal/wl"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

func must(err error) {
	if err != nil {
		wl.Fatal(err)
	}
}

func main() {
	if len(os.Args) > 3 && os.Args[2] == "W5b" {
		languageModel()
		return
	}
	t0 := time.Now()
	c := wl.FromArgs()
	t1 := time.Now()
	runtime.GOMAXPROCS(c.Threads)
	layer := newLayer(c)
	t2 := time.Now()

	var call func()
	var check func() float64
	switch {
	case c.Mode == "train":
		call, check = training(c, layer)
	case c.Carry:
		call, check = stream(c, layer)
	default:
		call, check = forward(c, layer)
	}
	call()
	first := time.Since(t2)
	wl.Serve(map[string]any{
		"err": check(), "version": kernel.Level(),
		"data_s": t1.Sub(t0).Seconds(), "build_s": t2.Sub(t1).Seconds(), "first_s": first.Seconds(),
	}, call)
}

func newLayer(c *wl.Case) *unroll.Layer {
	cfg := unroll.Config{
		Mode:      map[string]unroll.Mode{"rnn": unroll.RNNTanh, "gru": unroll.GRU, "lstm": unroll.LSTM}[c.Kind],
		InputSize: c.I, HiddenSize: c.H, NumLayers: c.L, Bidirectional: c.D == 2,
	}
	layer, err := unroll.New(cfg)
	must(err)
	params := map[string]tensor.Dense{}
	for l := range c.L {
		for d := range c.D {
			for short, long := range map[string]string{"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"} {
				shape := []int{c.Gates() * c.H}
				switch short {
				case "w_ih":
					shape = append(shape, c.In(l))
				case "w_hh":
					shape = append(shape, c.H)
				}
				params[fmt.Sprintf("%s_l%d%s", long, l, []string{"", "_reverse"}[d])] = dense(c.W(short, l, d), shape...)
			}
		}
	}
	must(layer.Load(params))
	if c.Variant == "" {
		return layer
	}
	precision, err := unroll.ParsePrecision(c.Variant)
	must(err)
	layer, err = layer.Quantize(precision)
	must(err)
	return layer
}

func dense(data []float32, shape ...int) tensor.Dense {
	t, err := tensor.Of(data, shape...)
	must(err)
	return t
}

// operands returns x [T,B,I] and the initial state.
func operands(c *wl.Case) (tensor.Dense, unroll.State) {
	s := unroll.State{H: dense(c.Tensors["h0"], c.L*c.D, c.B, c.H)}
	if c.Kind == "lstm" {
		s.C = dense(c.Tensors["c0"], c.L*c.D, c.B, c.H)
	}
	return dense(c.Tensors["x"], c.T, c.B, c.I), s
}

func forward(c *wl.Case, layer *unroll.Layer) (call func(), check func() float64) {
	x, s0 := operands(c)
	p := unroll.Pass{Layer: layer, Workers: c.Threads}
	var y tensor.Dense
	call = func() {
		var err error
		y, _, err = p.Forward(x, s0)
		must(err)
	}
	return call, func() float64 { return c.MaxErr(y.Data, "y") }
}

func stream(c *wl.Case, layer *unroll.Layer) (call func(), check func() float64) {
	if c.T != 1 {
		wl.Skip("a carried state over several steps")
	}
	x, s0 := operands(c)
	s, err := layer.NewStream(c.B)
	must(err)
	s.SetWorkers(c.Threads)
	must(s.SetState(s0))
	y := make([]float32, c.B*c.H)
	call = func() { must(s.Step(y, x.Data)) }
	check = func() float64 {
		must(s.SetState(s0))
		call()
		return c.MaxErr(y, "y")
	}
	return call, check
}

// training is a step of PyTorch's loop: forward, backward, SGD with rate 1e-3.
func training(c *wl.Case, layer *unroll.Layer) (call func(), check func() float64) {
	x, s0 := operands(c)
	dy := dense(c.Tensors["dy"], c.T, c.B, c.D*c.H)
	p := unroll.Pass{Layer: layer, Train: true, Workers: c.Threads, Grads: layer.NewGrads()}
	backward := func() tensor.Dense {
		p.Grads.Zero()
		_, _, err := p.Forward(x, s0)
		must(err)
		dx, _, err := p.Backward(dy, unroll.State{})
		must(err)
		return dx
	}
	// The first gradient is checked before any step, relative to its largest value.
	dx := backward()
	top := 0.0
	for _, v := range c.Tensors["dx"] {
		top = math.Max(top, math.Abs(float64(v)))
	}
	err := c.MaxErr(dx.Data, "dx") / top
	opt, oerr := train.NewOptimizer(train.NewSGD(1e-3))
	must(oerr)
	opt.Workers = c.Threads
	var params []nn.Param
	for i, q := range p.Grads.Params() {
		params = append(params, nn.Param{Name: q.Name, Value: layer.Params()[i].Value, Grad: q.Value})
	}
	call = func() {
		backward()
		layer.Update(func([]unroll.Param) { must(opt.Step(params)) })
	}
	return call, func() float64 { return err }
}
