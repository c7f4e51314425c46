package tensor

import "testing"

// The texts are what torch 2 prints.
func TestFormatIntegersIsWhatPyTorchPrints(t *testing.T) {
	long := make([]int64, 1002)
	for i := range long {
		long[i] = int64(i)
	}
	for _, c := range []struct{ got, want string }{
		{FormatIntegers([]int64{1, -2, 30, 4}, []int{2, 2}), "tensor([[ 1, -2],\n        [30,  4]])"},
		{FormatIntegers([]int64{1<<62 + 1}, []int{}), "tensor(4611686018427387905)"},
		{FormatIntegers([]bool{true, false}, []int{2}), "tensor([ True, False])"},
		{FormatIntegers([]int32{7}, []int{1}), "tensor([7], dtype=torch.int32)"},
		{FormatIntegers([]uint8{}, []int{0, 2}), "tensor([], size=(0, 2), dtype=torch.uint8)"},
		{FormatIntegers([]int64{}, []int{0}), "tensor([], dtype=torch.int64)"},
		{FormatIntegers(long, []int{1002}), "tensor([   0,    1,    2,  ...,  999, 1000, 1001])"},
		{FormatIntegers([]int8{1}, []int{2}), "tensor(<1 elements do not make the shape [2]>)"},
	} {
		if c.got != c.want {
			t.Errorf("got  %q\nwant %q", c.got, c.want)
		}
	}
}
