package text_test

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// A table as a European spreadsheet writes it: what was found out is said.
func ExampleReadCSV() {
	file := "temperature;load\n20,5;3\n21,25;4\n"
	x, names, err := text.ReadCSV[float32](strings.NewReader(file), text.CSV{File: "day.csv", Note: func(s string) { fmt.Println(s) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(names, x.Shape, x.Data)

	_, _, err = text.ReadCSV[float32](strings.NewReader("a,b\n1,2\n3,many\n"), text.CSV{File: "day.csv"})
	fmt.Println(err)
	// Output:
	// day.csv: columns are separated by semicolons
	// day.csv: the decimal sign is a comma
	// [temperature load] [2 2] [20.5 3 21.25 4]
	// day.csv: line 3, column 2 (b): "many" is not a number
}

// Each line is a step: lines stacked are one tensor a key.
func ExampleReadJSONLines() {
	file := `{"input": [1, 2], "reset": 0}
{"input": [3, 4], "reset": 1}
`
	all, err := text.ReadJSONLines[float64](strings.NewReader(file), "steps.jsonl")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range all {
		fmt.Println(t.Name, t.Shape, t.Data)
	}
	// Output:
	// input [2 2] [1 2 3 4]
	// reset [2] [0 1]
}
