package array_test

import (
	"bufio"
	"fmt"
	"log"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
)

// What a pipe holds is told by its first bytes.
func ExampleRead() {
	in := bufio.NewReader(strings.NewReader("a,b\n1,2\n3,4\n5,6\n"))
	begin, err := in.Peek(4)
	if err != nil {
		log.Fatal(err)
	}
	src, err := array.Read(in, "standard input", array.Options{Format: array.Sniff(begin)})
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	name, err := array.Pick(src, "input", "x")
	if err != nil {
		log.Fatal(err)
	}
	x, err := checkpoint.Float[float32](src, name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(x.Shape, x.Data)
	// Output: [3 2] [1 2 3 4 5 6]
}
