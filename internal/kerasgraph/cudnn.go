package kerasgraph

import (
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/keras"
)

// CuDNNLSTM and CuDNNGRU, Keras 2's layers for graphics cards, compute what LSTM and
// GRU with reset_after do with other weights: a gate's kernel [I,H] is the memory of
// one [H,I], its recurrent kernel is transposed, and there is a bias of the input and
// one of the state for every gate, one behind the other. Keras reads weights of either
// layout into either class and tells them apart by the bias, and so does this.

func isCuDNN(class string) bool { return strings.HasPrefix(class, "CuDNN") }

// unmasked refuses a mask for a layer that has no place for it in Keras either.
func unmasked(l *keras.Layer, x value) error {
	if x.mask != "" && isCuDNN(l.Class) {
		return refuse(l, "a mask of steps")
	}
	return nil
}

// readCuDNN finds in which layout the cell's weights are.
func (c *cell) readCuDNN(gates int) error {
	w, ok := c.layer.Weight("bias")
	if !ok || !c.bias || c.op == "RNN" || !slices.Equal(w.Shape, []int{2 * gates * c.units}) {
		return nil
	}
	if c.op == "GRU" && !c.after {
		return wrong(c.layer, "its weights are those of a CuDNNGRU, which has reset_after=True, and it has reset_after=False")
	}
	c.cudnn = true
	return nil
}

// fromCuDNN are weights in the layout of LSTM and GRU. The two rows of bias of a GRU lie
// as they are; those of an LSTM are kept apart too, and summed where they are used.
func (c *cell) fromCuDNN(role string, data []float32) []float32 {
	if role == "bias" {
		return data
	}
	gates := map[string]int{"LSTM": 4, "GRU": 3}[c.op]
	columns := gates * c.units
	inputs := len(data) / columns
	out := make([]float32, len(data))
	for g := range gates {
		at := func(row, unit int) int { return row*columns + g*c.units + unit }
		for i := range inputs {
			for u := range c.units {
				from := at(u, i) // the transposed recurrent kernel
				if role == "kernel" {
					k := u*inputs + i // place in the memory of [H,I]
					from = at(k/c.units, k%c.units)
				}
				out[at(i, u)] = data[from]
			}
		}
	}
	return out
}
