// Command grid_worker is this project's side of grid.py. The argument is the number
// of workers.
package main

import (
	"os"
	"runtime"
	"strconv"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/bench/go/internal/gridline"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

var must = gridline.Must

func main() {
	workers, err := strconv.Atoi(os.Args[1])
	must(err)
	runtime.GOMAXPROCS(workers)
	gridline.Serve(workers, func(s gridline.Shape) func() { return caseOf(s, workers) })
}

func caseOf(s gridline.Shape, workers int) func() {
	m, err := unroll.ParseMode(s.Mode)
	must(err)
	layer, err := unroll.New(unroll.Config{Mode: m, InputSize: s.Input, HiddenSize: s.Hidden})
	must(err)
	g := rng.New(1)
	layer.ResetParameters(g)
	x := tensor.New(s.Steps, s.Rows, s.Input)
	rng.Randn(g, x.Data)
	p := &unroll.Pass{Layer: layer, Workers: workers, Train: s.Training}
	forward := func() {
		_, _, err := p.Forward(x, unroll.State{})
		must(err)
	}
	if !s.Training {
		return forward
	}
	p.Grads = layer.NewGrads()
	opt, err := train.NewOptimizer(train.NewSGD(1e-3))
	must(err)
	var params []nn.Param
	for j, q := range p.Grads.Params() {
		params = append(params, nn.Param{Name: q.Name, Value: layer.Params()[j].Value, Grad: q.Value})
	}
	dy := tensor.New(s.Steps, s.Rows, s.Hidden)
	rng.Randn(g, dy.Data)
	step := func([]unroll.Param) { must(opt.Step(params)) }
	return func() {
		p.Grads.Zero()
		forward()
		_, _, err := p.Backward(dy, unroll.State{})
		must(err)
		layer.Update(step)
	}
}
