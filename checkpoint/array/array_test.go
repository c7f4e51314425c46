package array

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// TestEveryFormat: one matrix goes to disk and back in each format, by path
// and by stream, and comes back with the same bits and name.
func TestEveryFormat(t *testing.T) {
	d := tensor.DenseOf[float32]{Shape: []int{2, 3}, Data: []float32{0.1, -2, 3e30, 1e-40, 0, 7}}
	set := checkpoint.Set{checkpoint.Of(checkpoint.Single, d)}
	for _, f := range Formats {
		path := filepath.Join(t.TempDir(), "x."+strings.ToUpper(string(f)))
		if err := WriteFile(path, set, Options{}); err != nil {
			t.Error(err)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err1 := Open(path, Options{DType: checkpoint.F32})
		stream, err2 := Read(bytes.NewReader(b), "stdin", Options{Format: f, DType: checkpoint.F32})
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", f, err1, err2)
			continue
		}
		for _, s := range []Source{file, stream} {
			name, err := Pick(s, "input")
			if err != nil || name != checkpoint.Single {
				t.Errorf("%s: picked %q, %v", f, name, err)
			}
			got, err := checkpoint.Float[float32](s, name)
			if err != nil {
				t.Error(err)
			}
			testkit.BitsDense(t, string(f), got, d)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := Sniff(b); got != f {
			t.Errorf("%s looks like %s", f, got)
		}
		if file.Name() != path {
			t.Errorf("%s is called %q", path, file.Name())
		}
	}
}

func TestRefused(t *testing.T) {
	two := checkpoint.Set{checkpoint.Of("a", tensor.New(2)), checkpoint.Of("b", tensor.New(3))}
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(bad, []byte("1\nx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, ending := Open("x.xls", Options{})
	_, absent := Open(filepath.Join(dir, "none.npy"), Options{})
	_, text := Open(bad, Options{})
	_, dtype := Open(bad, Options{DType: checkpoint.I64})
	_, format := Read(strings.NewReader(""), "stdin", Options{})
	_, several := Pick(two, "input", "x")
	for name, c := range map[string]struct {
		err, kind error
		word      string
	}{
		"an ending not known":    {ending, checkpoint.ErrFormat, "x.xls"},
		"a file that is absent":  {absent, os.ErrNotExist, "none.npy"},
		"text":                   {text, checkpoint.ErrFormat, bad + ": line 2, column 1"},
		"text as integers":       {dtype, checkpoint.ErrDType, "I64"},
		"a stream of no format":  {format, checkpoint.ErrFormat, "stdin"},
		"several and none named": {several, checkpoint.ErrMissing, `["a" "b"]`},
		"two tensors as npy":     {WriteFile(filepath.Join(dir, "x.npy"), two, Options{}), checkpoint.ErrFormat, "one tensor"},
		"two tensors as csv":     {WriteFile(filepath.Join(dir, "x.csv"), two, Options{}), checkpoint.ErrFormat, "one tensor"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(c.err.Error(), c.word) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*x.*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if name, err := Pick(two, "input", "b"); name != "b" || err != nil {
		t.Errorf("picked %q, %v", name, err)
	}
}

// A .tsv has tabs, whatever else its fields hold, unless somebody says otherwise.
func TestTabs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.TSV")
	if err := os.WriteFile(path, []byte("a;a\tb;b\n1\t2\n3\t4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err := FormatOf(path); f != CSV || err != nil {
		t.Errorf("%q, %v", f, err)
	}
	s, err := Open(path, Options{Text: text.CSV{Columns: []string{"b;b"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Float[float64](s, checkpoint.Single)
	if err != nil {
		t.Fatal(err)
	}
	testkit.BitsDense(t, "b;b", got, tensor.DenseOf[float64]{Shape: []int{2, 1}, Data: []float64{2, 4}})
	said := text.CSV{} // with semicolons, the first line has two columns
	said.Comma = ';'
	if _, err := Open(path, Options{Text: said}); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "another number of columns") {
		t.Errorf("with semicolons: %v", err)
	}
}

// Columns by name are of CSV and Parquet; for the others they are refused, not passed over.
func TestColumnsOfFormatsWithoutNames(t *testing.T) {
	d := checkpoint.Set{checkpoint.Of(checkpoint.Single, tensor.New(2, 3))}
	for _, f := range Formats {
		path := filepath.Join(t.TempDir(), "x."+string(f))
		if err := WriteFile(path, d, Options{}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Format: f, Text: text.CSV{Columns: []string{"c1"}}}
		_, byStream := Read(bytes.NewReader(b), "stdin", o)
		_, byPath := Open(path, o)
		o.Format = ""
		_, byEnding := Open(path, o)
		for name, err := range map[string]error{path: errors.Join(byPath, byEnding), "stdin": byStream} {
			refused := err != nil && errors.Is(err, checkpoint.ErrFormat) && strings.Contains(err.Error(), name) &&
				strings.Contains(err.Error(), `columns ["c1"] are asked for; only CSV and Parquet have columns by name, and this is `+string(f))
			switch f {
			case Parquet:
				if err != nil {
					t.Errorf("%s: %v", f, err)
				}
			case CSV: // written without names
				if err == nil || refused {
					t.Errorf("%s: %v", f, err)
				}
			default:
				if !refused {
					t.Errorf("%s, %s: %v", f, name, err)
				}
			}
		}
	}
}

// A compressed file says so by its ending.
func TestCompressedEnding(t *testing.T) {
	if _, err := FormatOf("x.csv.GZ"); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "x.csv.GZ") || !strings.Contains(err.Error(), "compressed with gzip; unpack it") {
		t.Error(err)
	}
}

// What Parquet's numbers lose is said where CSV's notes are.
func TestParquetsNotes(t *testing.T) {
	var notes []string
	o := Options{DType: checkpoint.F32, Text: text.CSV{Columns: []string{"i64"}, Note: func(s string) { notes = append(notes, s) }}}
	s, err := Open("parquet/testdata/polars-zstd-24.parquet", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(notes) != 1 || !strings.Contains(notes[0], `column "i64" has values that float32 does not hold exactly: `) {
		t.Errorf("%q", notes)
	}
}
