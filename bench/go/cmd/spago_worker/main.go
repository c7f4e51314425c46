// Command spago_worker is the spaGO peer: its LSTM layer, one sequence at a
// time (the library has no batch dimension here).
package main

import (
	"runtime"

	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/nn"
	"github.com/nlpodyssey/spago/nn/recurrent/lstm"

	"github.com/unroll-ml/unroll/bench/go/internal/wl"
)

func dense(v []float32, shape ...int) *mat.Dense[float32] {
	return mat.NewDense[float32](mat.WithShape(shape...), mat.WithBacking(v))
}

func param(v []float32, shape ...int) *nn.Param {
	return nn.NewParam(dense(v, shape...)).WithGrad(false)
}

func main() {
	c := wl.FromArgs()
	if c.Mode != "fwd" || c.Kind != "lstm" || c.D != 1 {
		wl.Skip("only one-directional LSTM inference is comparable")
	}
	runtime.GOMAXPROCS(c.Threads)
	H, B, T := c.H, c.B, c.T
	models := make([]*lstm.Model, c.L)
	state := make([][]*lstm.State, c.L) // by layer and sequence
	for l := range models {
		in := c.In(l)
		gate := func(g int) (w, r, b *nn.Param) {
			bias := make([]float32, H)
			for j := range bias {
				bias[j] = c.W("b_ih", l, 0)[g*H+j] + c.W("b_hh", l, 0)[g*H+j]
			}
			return param(c.W("w_ih", l, 0)[g*H*in:][:H*in], H, in), param(c.W("w_hh", l, 0)[g*H*H:][:H*H], H, H), param(bias, H)
		}
		m := lstm.New[float32](1, 1)
		m.WIn, m.WInRec, m.BIn = gate(0)
		m.WFor, m.WForRec, m.BFor = gate(1)
		m.WCand, m.WCandRec, m.BCand = gate(2)
		m.WOut, m.WOutRec, m.BOut = gate(3)
		models[l] = m
		state[l] = make([]*lstm.State, B)
	}
	reset := func() {
		for l := range models {
			for b := range B {
				at := (l*B + b) * H
				state[l][b] = &lstm.State{Y: dense(c.Tensors["h0"][at:][:H], H), Cell: dense(c.Tensors["c0"][at:][:H], H)}
			}
		}
	}
	reset()
	xs := make([]mat.Tensor, T*B)
	for i := range xs {
		xs[i] = dense(c.Tensors["x"][i*c.I:][:c.I], c.I)
	}
	y := make([]float32, T*B*H)
	call := func() {
		if !c.Carry {
			reset()
		}
		for b := range B {
			for t := range T {
				x := xs[t*B+b]
				for l, m := range models {
					s := m.Next(state[l][b], x)
					state[l][b] = &lstm.State{Y: s.Y.Value(), Cell: s.Cell.Value()}
					x = state[l][b].Y
				}
				copy(y[(t*B+b)*H:], mat.Data[float32](x))
			}
		}
	}
	call()
	wl.Serve(map[string]any{"err": c.MaxErr(y, "y")}, call)
}
