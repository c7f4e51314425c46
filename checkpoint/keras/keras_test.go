package keras

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

func numbered(name string, shape ...int) checkpoint.Tensor {
	d := tensor.New(shape...)
	for i := range d.Data {
		d.Data[i] = float32(i)
	}
	return checkpoint.Of(name, d)
}

func TestGRUIsTransposedAndReordered(t *testing.T) {
	src, err := New(checkpoint.Set{numbered("g/kernel:0", 2, 3), numbered("g/recurrent_kernel:0", 1, 3), numbered("g/bias:0", 2, 3), numbered("d/kernel:0", 1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{ // columns z r h become rows r z n
		"g/weight_ih_l0": {1, 4, 0, 3, 2, 5},
		"g/weight_hh_l0": {1, 0, 2},
		"g/bias_ih_l0":   {1, 0, 2},
		"g/bias_hh_l0":   {4, 3, 5},
		"d/kernel:0":     {0, 1},
	}
	if len(src.Names()) != len(want) {
		t.Fatalf("names %v", src.Names())
	}
	for name, w := range want {
		d, err := checkpoint.Float[float32](src, name)
		if err != nil || !slices.Equal(d.Data, w) {
			t.Errorf("%s: got %v, %v; want %v", name, d.Data, err, w)
		}
	}
}

func TestWhatIsNoLayerIsRefused(t *testing.T) {
	tests := map[string]struct {
		set  checkpoint.Set
		want string
	}{
		"no kernel":        {checkpoint.Set{numbered("a/recurrent_kernel", 2, 8)}, "there is no a/kernel beside it"},
		"gates":            {checkpoint.Set{numbered("a/recurrent_kernel", 2, 4), numbered("a/kernel", 2, 4)}, "2 times as many columns"},
		"widths":           {checkpoint.Set{numbered("a/recurrent_kernel", 2, 8), numbered("a/kernel", 2, 6)}, "expected [H,G*H] and [I,G*H]"},
		"no rows":          {checkpoint.Set{numbered("a/recurrent_kernel", 0, 8), numbered("a/kernel", 2, 8)}, "expected [H,G*H]"},
		"bias":             {checkpoint.Set{numbered("a/recurrent_kernel", 2, 8), numbered("a/kernel", 2, 8), numbered("a/bias", 7)}, "shape [7]"},
		"two biases, LSTM": {checkpoint.Set{numbered("a/recurrent_kernel", 2, 8), numbered("a/kernel", 2, 8), numbered("a/bias", 2, 8)}, "shape [2 8]"},
		"reset_after": {checkpoint.Set{
			numbered("a/forward_g/recurrent_kernel", 2, 6), numbered("a/forward_g/kernel", 2, 6), numbered("a/forward_g/bias", 6),
			numbered("a/backward_g/recurrent_kernel", 2, 6), numbered("a/backward_g/kernel", 2, 6), numbered("a/backward_g/bias", 2, 6),
		}, "one direction of the GRU has reset_after"},
		"names meet": {checkpoint.Set{numbered("a/recurrent_kernel", 2, 8), numbered("a/kernel", 2, 8), numbered("a/weight_ih_l0", 1)}, "two tensors"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tt.set); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
