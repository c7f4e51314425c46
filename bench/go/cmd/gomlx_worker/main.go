// Command gomlx_worker is the GoMLX peer on its pure-Go "simplego" backend.
// LSTM layers use GoMLX's own lstm package; RNN and GRU, which it lacks, are
// unrolled with its graph operations in the same way.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/layers/lstm"

	"github.com/unroll-ml/unroll/bench/go/internal/wl"
)

func must(err error) {
	if err != nil {
		wl.Fatal(err)
	}
}

// iofc reorders torch's gate blocks i,f,g,o to the i,o,f,c of the lstm package.
func iofc(v []float32) []float32 {
	n := len(v) / 4
	out := make([]float32, 0, len(v))
	for _, g := range []int{0, 3, 1, 2} {
		out = append(out, v[g*n:(g+1)*n]...)
	}
	return out
}

func main() {
	c := wl.FromArgs()
	if c.Mode == "lm" {
		wl.Skip("not written for this peer")
	}
	runtime.GOMAXPROCS(c.Threads)
	stdout := os.Stdout
	os.Stdout = os.Stderr // the backend prints its settings
	conf := "parallelism=2"
	if c.Threads == 1 {
		conf = "parallelism=0,ops_sequential"
	}
	backend, err := simplego.New(conf)
	must(err)
	os.Stdout = stdout

	G, H, B, T, D, L := c.Gates(), c.H, c.B, c.T, c.D, c.L
	tensor := func(v []float32, dims ...int) any { return tensors.FromFlatDataAndDimensions(v, dims...) }
	isLSTM := c.Kind == "lstm"
	// Arguments: state, x, then per layer the weights.
	args := []any{tensor(c.Tensors["h0"], L*D, B, H)}
	if isLSTM {
		args = append(args, tensor(c.Tensors["c0"], L*D, B, H))
	}
	nState := len(args)
	args = append(args, tensor(c.Tensors["x"], T, B, c.I))
	perLayer := 4
	for l := range L {
		in := c.In(l)
		if isLSTM {
			var wi, wh, bb []float32
			for d := range D {
				wi = append(wi, iofc(c.W("w_ih", l, d))...)
				wh = append(wh, iofc(c.W("w_hh", l, d))...)
				bb = append(append(bb, iofc(c.W("b_ih", l, d))...), iofc(c.W("b_hh", l, d))...)
			}
			perLayer = 3
			args = append(args, tensor(wi, D, 4, H, in), tensor(wh, D, 4, H, H), tensor(bb, D, 8, H))
		} else {
			args = append(args, tensor(c.W("w_ih", l, 0), G*H, in), tensor(c.W("w_hh", l, 0), G*H, H),
				tensor(c.W("b_ih", l, 0), 1, G*H), tensor(c.W("b_hh", l, 0), 1, G*H))
		}
	}
	train := c.Mode == "train"
	if train {
		args = append(args, tensor(c.Tensors["dy"], T, B, H*D))
	}

	forward := func(in []*Node) (y *Node, state []*Node) {
		cur := in[nState] // [T, B, I]
		ws := in[nState+1:]
		var hn, cn []*Node
		for l := range L {
			w := ws[l*perLayer:]
			h0 := Slice(in[0], AxisRange(l*D, (l+1)*D))
			if isLSTM {
				x := Transpose(cur, 0, 1)
				all, h, cc := lstm.NewWithWeights(x, w[0], w[1], w[2], nil).
					InitialStates(h0, Slice(in[1], AxisRange(l*D, (l+1)*D))).Done()
				hn, cn = append(hn, h), append(cn, cc)
				cur = Reshape(Transpose(all, 1, 2), T, B, D*H) // [T, D, B, H] -> [T, B, D*H]
				continue
			}
			proj := Add(Einsum("tbi,gi->tbg", cur, w[0]), Reshape(w[2], 1, 1, G*H))
			h := Reshape(h0, B, H)
			var steps []*Node
			for t := range T {
				p := Reshape(Slice(proj, AxisElem(t)), B, G*H)
				q := Add(Einsum("bh,gh->bg", h, w[1]), w[3])
				if c.Kind == "rnn" {
					h = Tanh(Add(p, q))
				} else {
					cut := func(n *Node, g int) *Node { return Slice(n, AxisRange(), AxisRange(g*H, (g+1)*H)) }
					r := Sigmoid(Add(cut(p, 0), cut(q, 0)))
					z := Sigmoid(Add(cut(p, 1), cut(q, 1)))
					nn := Tanh(Add(cut(p, 2), Mul(r, cut(q, 2))))
					h = Add(nn, Mul(z, Sub(h, nn)))
				}
				steps = append(steps, h)
			}
			hn = append(hn, Reshape(h, 1, B, H))
			cur = Stack(steps, 0)
		}
		cat := func(v []*Node) *Node {
			if len(v) == 1 {
				return v[0]
			}
			return Concatenate(v, 0)
		}
		state = []*Node{cat(hn)}
		if isLSTM {
			state = append(state, cat(cn))
		}
		return cur, state
	}

	nIn := len(args)
	graphFn := func(in []*Node) []*Node {
		y, state := forward(in)
		if !train {
			return append(state, y)
		}
		loss := ReduceAllSum(Mul(y, in[nIn-1]))
		params := in[nState : nIn-1] // x and the weights
		var out []*Node
		for i, g := range Gradient(loss, params...) {
			if i == 0 {
				out = append(out, g)
			} else {
				out = append(out, Sub(params[i], MulScalar(g, 1e-3)))
			}
		}
		return out
	}
	t0 := time.Now()
	exec, err := NewExec(backend, graphFn)
	must(err)
	var last []*tensors.Tensor
	call := func() {
		out, err := exec.Exec(args...)
		must(err)
		switch {
		case train:
			for i := 1; i < len(out); i++ {
				old := args[nState+i].(*tensors.Tensor)
				args[nState+i] = out[i]
				old.MustFinalizeAll()
			}
			if last != nil {
				last[0].MustFinalizeAll()
			}
			last = out
		case c.Carry:
			for i := range nState {
				old := args[i].(*tensors.Tensor)
				args[i] = out[i]
				old.MustFinalizeAll()
			}
			if last != nil {
				last[nState].MustFinalizeAll()
			}
			last = out
		default:
			for _, t := range last {
				t.MustFinalizeAll()
			}
			last = out
		}
	}
	call()
	first := time.Since(t0)
	res, ref := last[len(last)-1], "y"
	if train {
		res, ref = last[0], "dx"
	}
	e := -1.0
	must(tensors.ConstFlatData(res, func(v []float32) { e = c.MaxErr(v, ref) }))
	wl.Serve(map[string]any{"err": e, "first_s": first.Seconds(), "note": fmt.Sprintf("simplego %s", conf)}, call)
}
