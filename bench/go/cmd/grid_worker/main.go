// Command grid_worker is this project's side of grid.py. It reads lines
// "set MODE I H T B train|fwd" and "run N K", and answers each run with the
// nanoseconds that the fastest of K times N calls took: of the processor with one
// worker, on the clock with more. The argument is the number of workers.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

func main() {
	workers, err := strconv.Atoi(os.Args[1])
	must(err)
	var call func()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var mode, what string
		var i, h, t, b, n, times int
		if k, _ := fmt.Sscanf(in.Text(), "run %d %d", &n, &times); k == 2 {
			best := time.Hour
			for range times {
				start := now(workers)
				for range n {
					call()
				}
				best = min(best, now(workers)-start)
			}
			fmt.Println(best.Nanoseconds())
			continue
		}
		_, err := fmt.Sscanf(in.Text(), "set %s %d %d %d %d %s", &mode, &i, &h, &t, &b, &what)
		must(err)
		call = caseOf(mode, i, h, t, b, what == "train", workers)
		call()
		fmt.Println("ready")
	}
}

var began = time.Now()

// now is the processor's time of the process or, with several workers, the clock's.
func now(workers int) time.Duration {
	if workers > 1 {
		return time.Since(began)
	}
	var t unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// caseOf returns one call: a sequence forward or, to train, forward, backward and a
// step of SGD.
func caseOf(mode string, i, h, t, b int, training bool, workers int) func() {
	m, err := unroll.ParseMode(mode)
	must(err)
	layer, err := unroll.New(unroll.Config{Mode: m, InputSize: i, HiddenSize: h})
	must(err)
	g := rng.New(1)
	layer.ResetParameters(g)
	x := tensor.New(t, b, i)
	rng.Randn(g, x.Data)
	p := &unroll.Pass{Layer: layer, Workers: workers, Train: training}
	forward := func() tensor.Dense {
		y, _, err := p.Forward(x, unroll.State{})
		must(err)
		return y
	}
	if !training {
		return func() { forward() }
	}
	p.Grads = layer.NewGrads()
	opt, err := train.NewOptimizer(train.NewSGD(1e-3))
	must(err)
	var params []nn.Param
	for j, q := range p.Grads.Params() {
		params = append(params, nn.Param{Name: q.Name, Value: layer.Params()[j].Value, Grad: q.Value})
	}
	dy := tensor.New(t, b, h)
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
