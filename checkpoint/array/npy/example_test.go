package npy_test

import (
	"bytes"
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// One array is written as numpy.save writes it, and read.
func Example() {
	x := tensor.New(2, 3)
	x.Data[5] = 1.5
	var b bytes.Buffer
	if err := npy.Write(&b, checkpoint.Of(checkpoint.Single, x)); err != nil {
		fmt.Println(err)
		return
	}
	f, err := npy.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := checkpoint.Float[float32](f, checkpoint.Single)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y.Shape, y.Data)
	// Output: [2 3] [0 0 0 0 0 1.5]
}

// An archive that numpy.savez wrote: arrays by name.
func ExampleOpenArchive() {
	a, err := npy.OpenArchive("testdata/stored.npz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	for _, name := range a.Names() {
		info, _ := a.Info(name)
		fmt.Println(name, info.DType, info.Shape)
	}
	// Output:
	// input F32 [2 3 4]
	// lengths I64 [2]
	// odd/name π F64 [3 3]
}
