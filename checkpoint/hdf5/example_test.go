package hdf5_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/hdf5"
)

// Datasets and attributes by their paths.
func ExampleOpen() {
	f, err := hdf5.Open("testdata/types.latest.h5")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	info, _ := f.Info("numbers/be_f4")
	fmt.Println(info.Type(), info.Shape)
	words, err := f.Strings("fixed")
	fmt.Printf("%q %v\n", words, err)
	a, _ := f.Attribute("compact", "list")
	fmt.Printf("%s %q\n", a.Type, a.Strings)
	// Output:
	// F32 [2 3]
	// ["one" "three" ""] <nil>
	// string ["a" "bc" ""]
}
