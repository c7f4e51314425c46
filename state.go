package unroll

import (
	"fmt"
	"slices"
	"weak"

	"github.com/unroll-ml/unroll/tensor"
)

// StateOf is the state of a layer: H [L*D,B,H'], and for an LSTM C [L*D,B,H];
// [L*D,H'] and [L*D,H] for unbatched input. The order is that of PyTorch:
// layer 0, layer 0 reverse, layer 1, and so on. The zero value stands for
// zeros. A state is a value: the engine reads those it is given and never
// keeps them.
//
// A state that a layer gave knows that layer, without keeping it in memory: see
// Stream.SetState. One made by hand, as State{H: h, C: c}, is anybody's.
type StateOf[F tensor.Float] struct {
	H, C tensor.DenseOf[F]

	origin weak.Pointer[LayerOf[F]]
}

// State is a state of float32.
type State = StateOf[float32]

// IsZero reports whether s is the zero value, which stands for zeros.
func (s StateOf[F]) IsZero() bool { return s.H.IsZero() && s.C.IsZero() }

// Clone returns a copy that shares nothing with s.
func (s StateOf[F]) Clone() StateOf[F] {
	return StateOf[F]{s.H.Clone(), s.C.Clone(), s.origin}
}

// checkState reports whether the halves h and cell of a state fit b sequences;
// batched says which rank the input had. partial lets one half be absent
// (gradients), otherwise an LSTM needs both or none. It allocates only for an
// error.
func checkState[F tensor.Float](c *Config, arg string, s StateOf[F], batched, partial bool, b int) error {
	h, cell := s.H, s.C
	if h.Shape == nil && h.Data == nil && cell.Shape == nil && cell.Data == nil {
		return nil
	}
	if err := checkHalf(c, arg, ".H (hidden state)", h, c.StateSize(), batched, b); err != nil {
		return err
	}
	switch {
	case !cell.IsZero() && !c.HasCell():
		return &ArgError{Kind: ErrShape, Arg: arg + ".C (cell state)", Got: fmt.Sprintf("shape %v", cell.Shape), Want: "none", Hint: fmt.Sprintf("%s has no cell state, only an LSTM has", c.Mode)}
	case c.HasCell() && !partial && h.IsZero() != cell.IsZero():
		missing, other := "C (cell state)", "H"
		if h.IsZero() {
			missing, other = "H (hidden state)", "C"
		}
		return &ArgError{Kind: ErrShape, Arg: arg + "." + missing, Got: "none", Want: "both H and C or neither", Hint: fmt.Sprintf("an LSTM starts from the pair (h_0, c_0), and only %s came", other)}
	}
	return checkHalf(c, arg, ".C (cell state)", cell, c.HiddenSize, batched, b)
}

func checkHalf[F tensor.Float](c *Config, arg, half string, d tensor.DenseOf[F], size int, batched bool, b int) error {
	ld, rank := c.Layers()*c.Directions(), 2
	if batched {
		rank = 3
	}
	switch {
	case d.IsZero() && len(d.Data) == 0:
		return nil
	case len(d.Shape) == rank && d.Shape[0] == ld && d.Shape[rank-1] == size && (!batched || d.Shape[1] == b) && d.Check("") == nil:
		return nil
	}
	want, kind := []int{ld, size}, "unbatched 2-D input needs a 2-D state"
	if batched {
		want, kind = []int{ld, b, size}, "batched 3-D input needs a 3-D state"
	}
	err := &ArgError{Kind: ErrShape, Arg: arg + half, Got: fmt.Sprintf("shape %v", d.Shape), Want: fmt.Sprint(want)}
	switch {
	case d.IsZero():
		err.Got, err.Hint = fmt.Sprintf("%d elements without a shape", len(d.Data)), "or no elements, for zeros"
	case len(d.Shape) != rank:
		err.Hint = kind
	case slices.Equal(d.Shape, want):
		err.Hint = fmt.Sprintf("the data has %d elements", len(d.Data))
	default:
		err.Hint = "[num_layers*num_directions, batch, size], also with batch_first"
		if c.ProjSize > 0 {
			err.Hint += "; with proj_size the hidden state has that size, the cell state hidden_size"
		}
	}
	return err
}
