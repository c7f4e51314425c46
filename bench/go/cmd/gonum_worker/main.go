// Command gonum_worker is the naive Go peer: a loop over layers and steps with
// gonum's blas32 and scalar activations, as an application would write it.
package main

import (
	"math"
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/unroll-ml/unroll/bench/go/internal/wl"
)

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
func tanh(x float32) float32    { return float32(math.Tanh(float64(x))) }

func mat(rows, cols int, v []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: v}
}

// mul sets out = a * w^T.
func mul(a, w, out blas32.General) {
	if a.Rows == 1 {
		blas32.Gemv(blas.NoTrans, 1, w, blas32.Vector{N: a.Cols, Data: a.Data, Inc: 1}, 0,
			blas32.Vector{N: out.Cols, Data: out.Data, Inc: 1})
		return
	}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, a, w, 0, out)
}

func main() {
	c := wl.FromArgs()
	if c.Mode != "fwd" {
		wl.Skip("inference only")
	}
	runtime.GOMAXPROCS(c.Threads)
	G, H, B, T, D := c.Gates(), c.H, c.B, c.T, c.D
	n := c.L * D * B * H
	h, cell := make([]float32, n), make([]float32, n)
	reset := func() {
		copy(h, c.Tensors["h0"])
		copy(cell, c.Tensors["c0"])
	}
	reset()
	gx, gh := make([]float32, B*G*H), make([]float32, B*G*H)
	var outs [][]float32
	for range c.L {
		outs = append(outs, make([]float32, T*B*D*H))
	}
	call := func() {
		if !c.Carry {
			reset()
		}
		x := c.Tensors["x"]
		for l := range c.L {
			in, y := c.In(l), outs[l]
			for d := range D {
				wih, whh := mat(G*H, in, c.W("w_ih", l, d)), mat(G*H, H, c.W("w_hh", l, d))
				bih, bhh := c.W("b_ih", l, d), c.W("b_hh", l, d)
				hs := h[(l*D+d)*B*H:][:B*H]
				cs := cell[(l*D+d)*B*H:][:B*H]
				for s := range T {
					t := s
					if d == 1 {
						t = T - 1 - s
					}
					mul(mat(B, in, x[t*B*in:][:B*in]), wih, mat(B, G*H, gx))
					mul(mat(B, H, hs), whh, mat(B, G*H, gh))
					for b := range B {
						p, q := gx[b*G*H:][:G*H], gh[b*G*H:][:G*H]
						hb, cb, yb := hs[b*H:][:H], cs[b*H:][:H], y[(t*B+b)*D*H+d*H:][:H]
						for j := range H {
							at := func(g int) float32 { return p[g*H+j] + bih[g*H+j] + q[g*H+j] + bhh[g*H+j] }
							switch c.Kind {
							case "rnn":
								hb[j] = tanh(at(0))
							case "gru":
								r, z := sigmoid(at(0)), sigmoid(at(1))
								nn := tanh(p[2*H+j] + bih[2*H+j] + r*(q[2*H+j]+bhh[2*H+j]))
								hb[j] = (1-z)*nn + z*hb[j]
							case "lstm":
								cb[j] = sigmoid(at(1))*cb[j] + sigmoid(at(0))*tanh(at(2))
								hb[j] = sigmoid(at(3)) * tanh(cb[j])
							}
							yb[j] = hb[j]
						}
					}
				}
			}
			x = y
		}
	}
	call()
	wl.Serve(map[string]any{"err": c.MaxErr(outs[c.L-1], "y")}, call)
}
