package score

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/model"
)

// Writer writes rows of answers: the key, the time if there is one, and a column
// for each number of the outputs.
type Writer struct {
	Write func(key, at string, y []float32) error
	// Close writes what is left; it does not close what is below.
	Close func() error
}

// texts are the columns of text: the key's and, unless it is empty, the time's.
func texts(key, at string) []string {
	if at == "" {
		return []string{key}
	}
	return []string{key, at}
}

// NewCSVWriter writes separated values under a line of names; key and at name the
// columns of text, an empty at means none.
func NewCSVWriter(w io.Writer, key, at string, outputs []string) (Writer, error) {
	c := csv.NewWriter(w)
	names := texts(key, at)
	if err := c.Write(slices.Concat(names, outputs)); err != nil {
		return Writer{}, err
	}
	record := make([]string, 0, len(names)+len(outputs))
	write := func(key, at string, y []float32) error {
		record = append(record[:0], []string{key, at}[:len(names)]...)
		for _, v := range y {
			record = append(record, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		return c.Write(record)
	}
	return Writer{Write: write, Close: func() error { c.Flush(); return c.Error() }}, nil
}

// NewParquetWriter writes a Parquet file of the columns of NewCSVWriter.
func NewParquetWriter(w io.Writer, key, at string, outputs []string) (Writer, error) {
	names := texts(key, at)
	var fields []parquet.Field
	for i, name := range slices.Concat(names, outputs) {
		fields = append(fields, parquet.Field{Name: name, Text: i < len(names)})
	}
	t, err := parquet.NewTable(w, fields)
	if err != nil {
		return Writer{}, err
	}
	write := func(key, at string, y []float32) error {
		return t.Write([]string{key, at}[:len(names)], y)
	}
	return Writer{Write: write, Close: t.Close}, nil
}

// OutputNames are the columns of a model's outputs: an output's name, of several
// numbers with their places behind.
func OutputNames(rows *model.Rows) (names []string) {
	for _, p := range rows.Outputs() {
		n := elements(p)
		for i := range n {
			name := p.Name
			if n > 1 {
				name += "." + strconv.Itoa(i)
			}
			names = append(names, name)
		}
	}
	return names
}

// numbers are the dimensions of a port of Rows, which are numbers alone.
func numbers(p model.Port) (shape []int) {
	for _, d := range p.Shape {
		n, _ := strconv.Atoi(d)
		shape = append(shape, n)
	}
	return shape
}

func elements(p model.Port) int {
	n := 1
	for _, d := range numbers(p) {
		n *= d
	}
	return n
}
