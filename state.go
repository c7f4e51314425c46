package unroll

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// StateOf is the state of a layer: H [L*D,B,H'], and for an LSTM C [L*D,B,H];
// [L*D,H'] and [L*D,H] for unbatched input. The order is that of PyTorch:
// layer 0, layer 0 reverse, layer 1, and so on. The zero value stands for
// zeros. A state is a value: the engine reads those it is given and never
// keeps them.
type StateOf[F tensor.Float] struct {
	H, C tensor.DenseOf[F]
}

// State is a state of float32.
type State = StateOf[float32]

// IsZero reports whether s is the zero value, which stands for zeros.
func (s StateOf[F]) IsZero() bool { return s.H.IsZero() && s.C.IsZero() }

// Clone returns a copy that shares nothing with s.
func (s StateOf[F]) Clone() StateOf[F] { return StateOf[F]{s.H.Clone(), s.C.Clone()} }

// checkState reports whether s fits b sequences; batched says which rank the
// input had. partial lets one half be absent (gradients), otherwise an LSTM
// needs both or none.
func (c Config) checkState(arg string, h, cell []int, hn, cn int, batched, partial bool, b int) error {
	ld := c.Layers() * c.Directions()
	want := func(size int) []int {
		if batched {
			return []int{ld, b, size}
		}
		return []int{ld, size}
	}
	check := func(name string, got []int, n, size int) error {
		w := want(size)
		if got == nil {
			if n > 0 {
				return &ArgError{Kind: ErrShape, Arg: name, Got: fmt.Sprintf("%d elements without a shape", n), Want: fmt.Sprintf("%v, or no elements for zeros", w)}
			}
			return nil
		}
		if len(got) != len(w) {
			kind := "unbatched 2-D input needs a 2-D state"
			if batched {
				kind = "batched 3-D input needs a 3-D state"
			}
			return &ArgError{Kind: ErrShape, Arg: name, Got: fmt.Sprintf("shape %v", got), Want: fmt.Sprintf("%v", w), Hint: kind}
		}
		if size, err := tensor.Size(got); !slices.Equal(got, w) || err != nil || size != n {
			hint := "[num_layers*num_directions, batch, size], also with batch_first"
			if c.ProjSize > 0 {
				hint += "; with proj_size the hidden state has that size, the cell state hidden_size"
			}
			if slices.Equal(got, w) {
				hint = fmt.Sprintf("the data has %d elements", n)
			}
			return &ArgError{Kind: ErrShape, Arg: name, Got: fmt.Sprintf("shape %v", got), Want: fmt.Sprintf("%v", w), Hint: hint}
		}
		return nil
	}
	if err := check(arg+".H (hidden state)", h, hn, c.StateSize()); err != nil {
		return err
	}
	switch {
	case cell != nil && !c.HasCell():
		return &ArgError{Kind: ErrShape, Arg: arg + ".C (cell state)", Got: fmt.Sprintf("shape %v", cell), Want: "none", Hint: fmt.Sprintf("%s has no cell state, only an LSTM has", c.Mode)}
	case c.HasCell() && !partial && (h == nil) != (cell == nil):
		missing, other := "C (cell state)", "H"
		if h == nil {
			missing, other = "H (hidden state)", "C"
		}
		return &ArgError{Kind: ErrShape, Arg: arg + "." + missing, Got: "none", Want: "both H and C or neither", Hint: fmt.Sprintf("an LSTM starts from the pair (h_0, c_0), and only %s came", other)}
	}
	return check(arg+".C (cell state)", cell, cn, c.HiddenSize)
}
