package parquet_test

import (
	"bytes"
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/tensor"
)

// A matrix with names for its columns, of which two are read back in another order.
func Example() {
	x := tensor.New(2, 3)
	copy(x.Data, []float32{1, 2, 3, 4, 5, 6})
	var b bytes.Buffer
	if err := parquet.Write(&b, []string{"hour", "load", "price"}, x); err != nil {
		fmt.Println(err)
		return
	}
	y, names, err := parquet.Read[float32](bytes.NewReader(b.Bytes()), int64(b.Len()), "day.parquet", parquet.Options{Columns: []string{"price", "load"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(names, y.Shape, y.Data)

	_, _, err = parquet.Read[float32](bytes.NewReader(b.Bytes()), int64(b.Len()), "day.parquet", parquet.Options{Columns: []string{"cost"}})
	fmt.Println(err)
	// Output:
	// [price load] [2 2] [3 2 6 5]
	// day.parquet: schema: there is no column "cost"; the columns are ["hour" "load" "price"]
}
