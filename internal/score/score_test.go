package score

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// width is how many numbers a step of folder's model gives.
const width = 3

// folder is a model of two inputs and three outputs a step.
func folder(t *testing.T) *model.Model {
	t.Helper()
	trained, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 4}, OutFeatures: width})
	if err != nil {
		t.Fatal(err)
	}
	trained.ResetParameters(rng.New(1))
	dir := filepath.Join(t.TempDir(), "m")
	if err := trained.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func rowsOf(t *testing.T, m *model.Model) *model.Rows {
	t.Helper()
	r, err := m.NewRows(Rows(), model.RowsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// line is a step of a series.
type line struct {
	key  string
	at   int
	x, z float32
}

// interleaved are n rows of k series, by time; the series come as they are due.
func interleaved(n, k int) (list []line) {
	g := rng.New(7)
	x := make([]float32, 2*n)
	rng.Randn(g, x)
	for i := range n {
		list = append(list, line{fmt.Sprintf("s%d", (i*i+i/3)%k), i, x[2*i], x[2*i+1]})
	}
	return list
}

// alone steps each series by a stream of its own.
func alone(t *testing.T, m *model.Model, list []line) (y []float32, states map[string][]float32) {
	t.Helper()
	streams := map[string]*model.Stream{}
	out := make([]float32, width)
	for _, l := range list {
		s := streams[l.key]
		if s == nil {
			var err error
			if s, err = m.NewStream(model.RowsOptions{}); err != nil {
				t.Fatal(err)
			}
			streams[l.key] = s
		}
		if err := s.Step(out, []float32{l.x, l.z}); err != nil {
			t.Fatal(err)
		}
		y = append(y, out...)
	}
	states = map[string][]float32{}
	for key, s := range streams {
		states[key] = make([]float32, s.StateLen())
		if err := s.SetValues(states[key], s.State()); err != nil {
			t.Fatal(err)
		}
	}
	return y, states
}

func asCSV(list []line) *strings.Reader {
	var b strings.Builder
	b.WriteString("z,who,t,x\n")
	for _, l := range list {
		fmt.Fprintf(&b, "%v,%s,%d,%v\n", l.z, l.key, l.at, l.x)
	}
	return strings.NewReader(b.String())
}

func asParquet(t *testing.T, list []line) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w, err := parquet.NewTable(&b, []parquet.Field{{Name: "z"}, {Name: "who", Text: true}, {Name: "t"}, {Name: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if err := w.Write([]string{l.key}, []float32{l.z, float32(l.at), l.x}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

var columns = Columns{Key: "who", Time: "t", X: []string{"x", "z"}}

func table(t *testing.T, list []line) Source {
	t.Helper()
	c, _, err := NewCSV(asCSV(list), "rows.csv", text.Dialect{}, columns)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, m *model.Model, src Source, begin []Series, opt Options) (y []float32, at []string, end []Series) {
	t.Helper()
	end, err := Run(rowsOf(t, m), src, begin, opt, func(r *Row, out []float32) error {
		y, at = append(y, out...), append(at, r.Key+" "+r.At)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return y, at, end
}

// Tables of series that come in turn, or one after another, in CSV or Parquet, in
// one file or in two with the states between, give the bits of each series alone.
func TestSeriesAreEachAlone(t *testing.T) {
	m := folder(t)
	for _, n := range []int{1, 500, 3*window + 17} {
		list := interleaved(n, 150)
		want, states := alone(t, m, list)
		p, err := NewParquet(asParquet(t, list), int64(asParquet(t, list).Len()), "rows.parquet", columns)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string]Source{"csv": table(t, list), "parquet": p} {
			y, at, end := run(t, m, src, nil, Options{})
			testkit.Bits(t, name, y, want)
			for i, l := range list {
				if at[i] != fmt.Sprint(l.key, " ", l.at) {
					t.Fatalf("%s: row %d is %q, want %q of %d", name, i, at[i], l.key, l.at)
				}
			}
			var steps int64
			for _, s := range end {
				testkit.Bits(t, name+" state", s.State, states[s.Key])
				steps += s.Steps
			}
			if len(end) != len(states) || steps != int64(n) || end[0].Key != list[0].key {
				t.Errorf("%s: %d series of %d steps, the first %q", name, len(end), steps, end[0].Key)
			}
		}
		a, _, between := run(t, m, table(t, list[:n/3]), nil, Options{})
		b, _, end := run(t, m, table(t, list[n/3:]), between, Options{})
		testkit.Bits(t, "in two files", append(a, b...), want)
		for _, s := range end {
			testkit.Bits(t, "state after two", s.State, states[s.Key])
		}
	}
}

// A row out of order is refused with both places, or sorted where that is said.
func TestOrderIsVerified(t *testing.T) {
	m := folder(t)
	list := interleaved(300, 7)
	want, _ := alone(t, m, list)
	byPlace := map[string][]float32{}
	for i, l := range list {
		byPlace[fmt.Sprint(l.key, " ", l.at)] = want[i*width : (i+1)*width]
	}
	reversed := []line{}
	for i := range list {
		reversed = append(reversed, list[len(list)-1-i])
	}
	_, err := Run(rowsOf(t, m), table(t, reversed), nil, Options{}, func(*Row, []float32) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "rows.csv: line ") || !strings.Contains(err.Error(), " comes after ") {
		t.Errorf("rows in the wrong order: %v", err)
	}
	y, at, _ := run(t, m, table(t, reversed), nil, Options{Sort: true})
	for i, place := range at {
		testkit.Bits(t, place, y[i*width:(i+1)*width], byPlace[place])
	}
	if len(y) != width*len(list) {
		t.Errorf("%d rows of %d", len(y), len(list))
	}
	for _, opt := range []Options{{Memory: 2000}, {Memory: 2000, Sort: true}, {Memory: 300 * 208, Sort: true}} {
		if _, err := Run(rowsOf(t, m), table(t, list), nil, opt, func(*Row, []float32) error { return nil }); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d bytes", opt.Memory)) {
			t.Errorf("with %+v: %v", opt, err)
		}
	}
}

// What a table cannot be read as is said with its place.
func TestTablesAreRefusedByPlace(t *testing.T) {
	for csv, want := range map[string]string{
		"who,t,x,z\na,1,2,3\na,2,,3\n":                                `line 3, column 3 (x): the field is empty, expected a number`,
		"who,t,x,z\na,1,2,3\nb,2,q,3\n":                               `line 3, column 3 (x): "q" is not a number; --columns chooses`,
		"who,t,x,z\na,soon,2,3\n":                                     `line 2, column 2 (t): "soon" is no number and no time that can be read`,
		"who,t,x,z\na,NaN,2,3\n":                                      `line 2, column 2 (t): NaN is no place in a series`,
		"who,t,x,z\na,2024-01-02,2,3\na,7,2,3\n":                      `line 3: some of its times are numbers and some are dates`,
		"who,t,x,z\na,2024-02-02,2,3\na,2024-01-02,2,3\n":             `line 3: 2024-01-02 of series "a" comes after 2024-02-02 (rows.csv: line 2)`,
		"who,t,x,z\na,9007199254740993,2,3\na,9007199254740992,2,3\n": `comes after 9007199254740993`,
		"who,t,x,z\na,1e-3,2,3\na,0.0005,2,3\n":                       `0.0005 of series "a" comes after 1e-3`,
		"who,t,x,z\na,1,2\n":                                          `line 2: wrong number of fields`,
		"who,t,x\na,1,2\n":                                            `there is no column "z"; the columns are ["who" "t" "x"]`,
		"who,t,x,z,x\na,1,2,3,4\n":                                    `two columns are called "x"`,
		"1,2,3\n4,5,6\n":                                              `line 1: it is no line of names`,
		"":                                                            `it is empty`,
		"who,t,x,z\na,1,2,1e300\n":                                    `"1e300" is beyond the range of float32`,
	} {
		c, _, err := NewCSV(strings.NewReader(csv), "rows.csv", text.Dialect{}, columns)
		if err == nil {
			_, err = Run(rowsOf(t, folder(t)), c, nil, Options{}, func(*Row, []float32) error { return nil })
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "rows.csv") {
			t.Errorf("%q: got %v, want %q", csv, err, want)
		}
	}
	b := asParquet(t, interleaved(3, 2))
	for name, c := range map[string]Columns{`no column "w"`: {Key: "w"}, `row 1, column "who": it is a column of text, expected numbers`: {Key: "t", X: []string{"x", "who"}}} {
		p, err := NewParquet(b, int64(b.Len()), "rows.parquet", c)
		if err == nil {
			err = p.Next(&Row{X: make([]float32, 2)})
		}
		if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "rows.parquet") {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	p, err := NewParquet(b, int64(b.Len()), "rows.parquet", Columns{Key: "t", X: []string{"x"}})
	if err != nil || p.Width() != 1 {
		t.Fatal(p.Width(), err)
	}
	for i := range 4 { // numbers are keys too
		r := Row{X: make([]float32, 1)}
		if err := p.Next(&r); i == 3 && err != io.EOF || i < 3 && (err != nil || r.Key != fmt.Sprint(i)) {
			t.Errorf("row %d: %q, %v", i, r.Key, err)
		}
	}
}

// Decimals are numbers and keys; two keys that would become one number are refused.
func TestDecimalsOfParquet(t *testing.T) {
	const file = "../../checkpoint/array/parquet/testdata/pyarrow-lz4-v1-plain.parquet"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	next := func(c Columns) (r Row, err error) {
		r.X = make([]float32, 1)
		p, err := NewParquet(bytes.NewReader(b), int64(len(b)), file, c)
		if err != nil {
			return r, err
		}
		for range 2 {
			err = errors.Join(err, p.Next(&r))
		}
		return r, err
	}
	r, err := next(Columns{Key: "i8", Time: "d9", X: []string{"d38"}})
	if err != nil || r.Key != "-127" || r.At != "-8.50442264e+06" || r.X[0] != -2.0020073e27 {
		t.Errorf("%q %q %v, %v", r.Key, r.At, r.X, err)
	}
	for _, c := range []Columns{{Key: "d38", X: []string{"f32"}}, {Key: "i8", Time: "d38", X: []string{"f32"}}} {
		if _, err := next(c); err == nil || !strings.Contains(err.Error(), `column "d38" tells rows apart`) || !strings.Contains(err.Error(), file) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What a model refuses of a row is said with its line.
func TestARefusedRowHasItsPlace(t *testing.T) {
	trained, err := nn.New(nn.Config{NumEmbeddings: 7, EmbeddingDim: 3, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 4}, OutFeatures: 7})
	if err != nil {
		t.Fatal(err)
	}
	trained.ResetParameters(rng.New(1))
	dir := filepath.Join(t.TempDir(), "m")
	if err := trained.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for token, want := range map[string]string{"9": "9", "1.5": "is 1.5, which is no int64"} {
		c, _, err := NewCSV(strings.NewReader("who,token\na,1\nb,2\na,"+token+"\n"), "rows.csv", text.Dialect{}, Columns{Key: "who"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(rowsOf(t, m), c, nil, Options{}, func(*Row, []float32) error { return nil })
		if err == nil || !strings.Contains(err.Error(), `rows.csv: line 4: series "a": `) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
