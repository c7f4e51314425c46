package text

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// Files as pandas writes them give the numbers that pandas reads when it is told
// how they are written; here nobody tells (testdata/dialects.py).
func TestPandasFilesReadAsPandasReadsThem(t *testing.T) {
	b, err := os.ReadFile("testdata/dialects.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Text string
		Names      []string
		Shape      []int
		Data       []float64
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		d, names, err := ReadCSV[float64](strings.NewReader(c.Text), CSV{})
		if err != nil || !slices.Equal(names, c.Names) {
			t.Errorf("%s: names %q, want %q, %v", c.Name, names, c.Names, err)
			continue
		}
		testkit.CloseDense(t, c.Name, d, tensor.DenseOf[float64]{Shape: c.Shape, Data: c.Data}, testkit.Tol{})
	}
}

// What is found out is said; what could be two things is refused, or read as the
// caller says.
func TestDialectIsSaidOrAsked(t *testing.T) {
	for _, c := range []struct {
		name, text string
		with       Dialect
		data       []float64
		notes      string // joined by |
		err        string
	}{
		{"nothing found", "a,b\n1,2\n", Dialect{}, []float64{1, 2}, "", ""},
		{"semicolons", "a;b\n1;2\n", Dialect{}, []float64{1, 2}, "f: columns are separated by semicolons", ""},
		{"told", "a;b\n1;2\n", Dialect{Comma: ';'}, []float64{1, 2}, "", ""},
		{"comma", "1;0,5\n", Dialect{}, []float64{1, 0.5}, "f: columns are separated by semicolons|f: the decimal sign is a comma", ""},
		{"bars", "a|b\n1|2\n", Dialect{}, []float64{1, 2}, "f: columns are separated by bars", ""},
		{"a bar in names between commas", "a|x,b|y\n1,2\n", Dialect{}, []float64{1, 2}, "", ""},
		{"Excel's line", "sep=;\na;b\n1;2\n", Dialect{}, []float64{1, 2}, "f: line 1 says that columns are separated by ';'", ""},
		{"Excel's line, told another", "sep=;\na,b\n1,2\n", Dialect{Comma: ','}, []float64{1, 2}, "", ""},
		{"a line below Excel's", "\ufeffsep=,\r\na,b\r\n1,x\r\n", Dialect{}, nil, "", `f: line 3, column 2 (b): "x" is not a number`},
		{"carriage returns alone", "a,b\r1,2\r3,x\r", Dialect{}, nil, "", `f: line 3, column 2 (b): "x" is not a number`},
		{"an index", ",a\n0,2\n1,4\n", Dialect{}, []float64{2, 4}, "f: column 1 has no name and counts the rows, as pandas writes an index: it is left out", ""},
		{"no name, no index", ",a\n0,2\n2,4\n", Dialect{}, []float64{0, 2, 2, 4}, "", ""},
		{"a semicolon in a quoted name", "\"a;b\",c\n1,2\n", Dialect{}, []float64{1, 2}, "", ""},
		{"comments", "#a\n# b\nx\n1\n", Dialect{}, []float64{1}, "f: skipped 2 lines before the first row that begin with #", ""},
		{"pandas' names", "0,1\n0.5,1\n", Dialect{}, []float64{0.5, 1}, "f: line 1 counts 0, 1, ... and is taken as names, as pandas writes them; --no-header if it is numbers", ""},
		{"pandas' names, told", "0,1\n0.5,1\n", Dialect{Header: HeaderNo}, []float64{0, 1, 0.5, 1}, "", ""},
		{"two whole columns", "0,1\n1,2\n", Dialect{}, []float64{0, 1, 1, 2}, "", ""},
		{"years", "2019,2020\n0.5,1\n", Dialect{}, []float64{2019, 2020, .5, 1}, "f: line 1 holds whole numbers and is taken as numbers; --header if it is names", ""},
		{"years, told", "2019,2020\n0.5,1\n", Dialect{Header: HeaderYes}, []float64{0.5, 1}, "", ""},
		{"thousands", "a;b\n1,234;2\n", Dialect{}, nil, "", `f: line 2, column 1 (a): "1,234" is a number with a decimal comma, or one with a comma between thousands: text: the decimal sign is not known`},
		{"thousands, told", "a;b\n1,234;2\n", Dialect{Decimal: ','}, []float64{1.234, 2}, "f: columns are separated by semicolons", ""},
		{"thousands beside one that is not", "a;b\n1,234;2,5\n", Dialect{}, []float64{1.234, 2.5}, "f: columns are separated by semicolons|f: the decimal sign is a comma", ""},
		{"dots in a file of commas", "a;b\n1,5;2\n1.234,5;2\n", Dialect{}, nil, "", `f: line 3, column 1 (a): "1.234,5" is not a number`},
		{"a line after comments", "#\n#\na\n1\nx\n", Dialect{}, nil, "", `f: line 5, column 1 (a): "x" is not a number`},
	} {
		var notes []string
		d, _, err := ReadCSV[float64](strings.NewReader(c.text), CSV{File: "f", Dialect: c.with, Note: func(s string) { notes = append(notes, s) }})
		if c.err != "" {
			if !errors.Is(err, checkpoint.ErrFormat) || err.Error() != c.err {
				t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(d.Data, c.data) || strings.Join(notes, "|") != c.notes {
			t.Errorf("%s: %v, %v\nsaid %q\nwant %v\n     %q", c.name, d.Data, err, notes, c.data, c.notes)
		}
	}
}

// A row of very many fields is refused before memory is taken for them.
func TestManyColumnsTakeNoMemory(t *testing.T) {
	text := strings.Repeat(",", 10<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := ReadCSV[float64](strings.NewReader(text), CSV{File: "f"})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "more than 65536 columns") {
		t.Errorf("%v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d bytes allocated for 10 MiB of commas", took)
	}
	quoted := "\"" + text + "\"\n1\n"
	if _, names, err := ReadCSV[float64](strings.NewReader(quoted), CSV{}); err != nil || len(names) != 1 {
		t.Errorf("commas in quotes: %d names, %v", len(names), err)
	}
}

// A cut of the sample through a row changes nothing.
func TestSampleEndsAnywhere(t *testing.T) {
	row := "1;2,5;" + strings.Repeat("3", 100) + "\n"
	for pad := range len(row) {
		text := strings.Repeat("9", pad) + ";a;b\n" + strings.Repeat(row, 2*sampled/len(row))
		d, names, err := ReadCSV[float64](strings.NewReader(text), CSV{Dialect: Dialect{Header: HeaderYes}})
		if err != nil || len(names) != 3 || d.Shape[0] != 2*sampled/len(row) || d.Data[1] != 2.5 {
			t.Fatalf("%d: %v %q, %v", pad, d.Shape, names, err)
		}
	}
}
