package checkpoint_test

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// A Set is a Source in memory. Every reader of a format is a Source too, so what
// takes one takes a file of any format.
func Example() {
	weight := tensor.New(2, 3)
	weight.Data[0] = 0.5
	var src checkpoint.Source = checkpoint.Set{
		checkpoint.Of("weight", weight),
		checkpoint.OfInts("steps", []int64{7}, 1),
	}
	for _, name := range src.Names() {
		info, _ := src.Info(name)
		fmt.Println(name, info.DType, info.Shape, info.Bytes, "bytes")
	}

	wide, err := checkpoint.Float[float64](src, "weight") // float32 in the source
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(wide.Shape, wide.Data[0])

	_, err = src.Tensor("bias")
	fmt.Println(errors.Is(err, checkpoint.ErrMissing))
	// Output:
	// weight F32 [2 3] 24 bytes
	// steps I64 [1] 8 bytes
	// [2 3] 0.5
	// true
}

// A checksum in a file's metadata tells when a bit of it has changed.
func ExampleVerifyChecksum() {
	weight := tensor.New(2)
	meta, err := checkpoint.WithChecksum(checkpoint.Set{checkpoint.Of("weight", weight)}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := checkpoint.VerifyChecksum(checkpoint.Set{checkpoint.Of("weight", weight)}, meta)
	fmt.Println(found, err)

	weight.Data[1] = 1e-30
	_, err = checkpoint.VerifyChecksum(checkpoint.Set{checkpoint.Of("weight", weight)}, meta)
	fmt.Println(errors.Is(err, checkpoint.ErrFormat))
	// Output:
	// true <nil>
	// true
}

// Text from a file is shown so that it cannot write to the terminal.
func ExamplePrintable() {
	fmt.Println(checkpoint.Printable("weight\x1b[2J_l0"))
	// Output: weight\x1b[2J_l0
}
