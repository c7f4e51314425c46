//go:build ignore

// Prints the names of the operators in the table, for node_tests.py.
package main

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/graph"
)

func main() {
	for _, name := range graph.Operators() {
		fmt.Println(name)
	}
}
