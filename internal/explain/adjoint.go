package explain

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// Target is what gradients are asked of: one unit of one lane's h at a time.
type Target struct {
	Layer, Direction, Step, Unit int
}

// Influence says how much the target moves when something before it moves.
type Influence struct {
	X tensor.Dense // [T,I]: derivative of the target by every input
	// H holds for each lane, and each step at [lane][time], the norm of the
	// derivative of the target by that hidden state: all of it, along every
	// path, through the layers above and through later steps.
	H [][]float64
	// XNorm is the norm of a row of X.
	XNorm []float64
	// From and To bound the steps that were looked at, To exclusive; what lies
	// outside is zero because nobody asked, unless From is 0 and To is T.
	From, To int
}

// Influence differentiates the target by every hidden state and input within
// window steps of it (0: all), with the engine's Backward, one step at a time.
// pause works as in Run.
func (t *Trace) Influence(g Target, window int, pause func(done float64) error) (*Influence, error) {
	if _, err := t.place(g.Layer, g.Direction, g.Step); err != nil {
		return nil, err
	}
	size, dirs, steps := t.cfg.StateSize(), t.cfg.Directions(), t.Steps()
	if g.Unit < 0 || g.Unit >= size {
		return nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "unit", Got: fmt.Sprint(g.Unit), Want: fmt.Sprintf("0 to %d", size-1)}
	}
	out := &Influence{To: steps, H: make([][]float64, t.Lanes())}
	if window > 0 {
		out.From, out.To = max(0, g.Step-window), min(steps, g.Step+window+1)
	}
	for i := range out.H {
		out.H[i] = make([]float64, steps)
	}
	dy := tensor.New(steps, dirs*size) // of the outputs of the layer at hand
	row(dy, g.Step)[g.Direction*size+g.Unit] = 1
	for l := g.Layer; l >= 0; l-- {
		dx := tensor.New(steps, t.inputSize(l))
		for d := range dirs {
			err := t.backLane(l, d, dy, dx, out, func(done float64) error {
				if pause == nil {
					return nil
				}
				return pause((float64(g.Layer-l) + (float64(d)+done)/float64(dirs)) / float64(g.Layer+1))
			})
			if err != nil {
				return nil, err
			}
		}
		dy = dx
	}
	out.X, out.XNorm = dy, make([]float64, steps)
	for s := range steps {
		out.XNorm[s] = norm(row(dy, s))
	}
	return out, nil
}

// backLane walks a lane back from its last step, given the gradient dy of the
// layer's outputs, adds the gradient of its inputs to dx and notes the norm of
// each state's gradient. Steps that nothing flows back to are passed over.
func (t *Trace) backLane(l, d int, dy, dx tensor.Dense, out *Influence, pause func(float64) error) error {
	var (
		i, size, in = l*t.cfg.Directions() + d, t.cfg.StateSize(), t.inputSize(l)
		layer       = t.split[l][d]
		pass        = unroll.Pass{Layer: layer, Record: true}
		x, dh       = make([]float32, in), make([]float32, size)
		ds          unroll.State
		count       = 0
	)
	pass.Grads = layer.NewGrads()
	for s := t.Steps() - 1; s >= 0; s-- {
		time := t.time(d, s)
		if time < out.From || time >= out.To {
			continue
		}
		copy(dh, row(dy, time)[d*size:(d+1)*size])
		if !ds.H.IsZero() {
			for k, v := range ds.H.Data {
				dh[k] += v
			}
		}
		out.H[i][time] = norm(dh)
		if out.H[i][time] == 0 && (ds.C.IsZero() || norm(ds.C.Data) == 0) {
			continue
		}
		t.input(l, time, x)
		if _, _, err := pass.Forward(tensor.Dense{Shape: []int{1, in}, Data: x}, t.from(i, time)); err != nil {
			return err
		}
		gx, gs, err := pass.Backward(tensor.Dense{Shape: []int{1, size}, Data: dh}, unroll.State{C: ds.C})
		if err != nil {
			return err
		}
		to := row(dx, time)
		for k, v := range gx.Data {
			to[k] += v
		}
		ds = unroll.State{H: gs.H.Clone()}
		if t.cfg.HasCell() {
			ds.C = gs.C.Clone()
		}
		if count += 3 * t.laneWork(i); count > work {
			count = 0
			if err := pause(1 - float64(s)/float64(t.Steps())); err != nil {
				return err
			}
		}
	}
	return nil
}

func norm(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}
