package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// Tensors are written under their names and read one by one.
func Example() {
	var b bytes.Buffer
	set := checkpoint.Set{checkpoint.Of("weight", tensor.New(2, 3)), checkpoint.Of("bias", tensor.New(2))}
	if err := safetensors.Write(&b, set, map[string]string{"format": "pt"}); err != nil {
		log.Fatal(err)
	}
	f, err := safetensors.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		fmt.Println(name, info.DType, info.Shape)
	}
	w, err := safetensors.Read[float64](f, "weight") // float32 in the file
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Shape, len(w.Data))
	// Output:
	// weight F32 [2 3]
	// bias F32 [2]
	// [2 3] 6
}
