package parquet

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// TestForms: small files of pyarrow and polars, which testdata/forms.py wrote.
func TestForms(t *testing.T) { readForms(t, "testdata", 6) }

// TestFormsLive: every compression, page version and encoding that the pyarrow and the
// polars here write.
func TestFormsLive(t *testing.T) {
	python := os.Getenv("UNROLL_PYTHON")
	if python == "" {
		t.Skip("UNROLL_PYTHON names no Python with the packages pyarrow and polars")
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, "testdata/forms.py", dir).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ModuleNotFoundError") {
			t.Skipf("%s has not both of pyarrow and polars", python)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	readForms(t, dir, 64)
}

// readForms holds the files of a folder against what forms.json says is in them.
func readForms(t *testing.T, dir string, files int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "forms.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "p*-*.parquet"))
	if err != nil || len(paths) < files {
		t.Fatalf("%q, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			columns := groups(t, path).Columns()
			if len(columns) < 23 {
				t.Errorf("columns %q", columns)
			}
			for _, name := range columns {
				w := want[name]
				if strings.Contains(path, "int96") {
					w = asNanoseconds(name, w)
				}
				readColumn(t, path, name, w)
			}
		})
	}
}

// asNanoseconds is what INT96 makes of the times.
func asNanoseconds(name string, list []string) (out []string) {
	zeros := map[string]string{"ms": "000000", "us": "000"}[name]
	for _, v := range list {
		out = append(out, v+zeros)
	}
	return out
}

// readColumn reads a column as a matrix and by groups.
func readColumn(t *testing.T, path, name string, want []string) {
	t.Helper()
	texts := name == "s" || name == "long"
	var values []string // by groups
	exact := true
	for g := groups(t, path); ; {
		v, n, err := g.Next([]string{name})
		if err == io.EOF {
			break
		}
		switch {
		case want == nil || name == "u64": // nested, or beyond an int64
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s by groups: %v", name, err)
			}
		case err != nil:
			t.Fatalf("%s by groups: %v", name, err)
		}
		if err != nil {
			break
		}
		exact = exact && v[0].Rounded == ""
		for i := range n {
			switch {
			case v[0].Ints != nil:
				values = append(values, strconv.FormatInt(v[0].Ints[i], 10))
			case v[0].Floats != nil:
				values = append(values, strconv.FormatFloat(v[0].Floats[i], 'g', -1, 64))
			default:
				values = append(values, v[0].Strings[i])
			}
		}
	}
	if want != nil && name != "u64" {
		if len(values) != len(want) {
			t.Fatalf("%s by groups: %d values, want %d", name, len(values), len(want))
		}
		if wide := name == "d38" || name == "d76" || name == "d18"; wide == exact {
			t.Errorf("%s by groups: exact is %v", name, exact)
		}
	}
	var notes []string
	d, _, err := ReadFile[float64](path, Options{Columns: []string{name}, Note: func(s string) { notes = append(notes, s) }})
	d32, _, err32 := ReadFile[float32](path, Options{Columns: []string{name}})
	if texts || want == nil {
		if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "column \""+name+"\" is not a flat column of numbers") {
			t.Errorf("%s: %v", name, err)
		}
		if texts && !slices.Equal(values, want) {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
		return
	}
	if err != nil || err32 != nil && name != "d76" { // 10^46 is no float32
		t.Fatalf("%s: %v, %v", name, err, err32)
	}
	if d.Shape[0] != len(want) {
		t.Fatalf("%s: %v", name, d.Shape)
	}
	for i, w := range want {
		v, err := strconv.ParseFloat(w, 64)
		v32, _ := strconv.ParseFloat(w, 32)
		if err != nil || d.Data[i] != v || err32 == nil && float64(d32.Data[i]) != v32 {
			t.Fatalf("%s, row %d: %v and %v, want %s", name, i, d.Data[i], d32.Data[i], w)
		}
		if values == nil {
			continue
		}
		if g, err := strconv.ParseFloat(values[i], 64); err != nil || g != v {
			t.Fatalf("%s by groups, row %d: %s, want %s", name, i, values[i], w)
		}
	}
	about := 0 // notes of times, and of what was rounded
	for _, n := range notes {
		if !strings.HasPrefix(n, path+": column \""+name+"\" ") {
			t.Errorf("%s: note %q", name, n)
		}
		if strings.Contains(n, "since 1970") {
			about |= 1
		}
		if strings.Contains(n, " is read as ") {
			about |= 2
		}
	}
	expect := map[string]int{"date": 1, "ms": 1, "us": 1, "ns": 1, "d18": 2, "d38": 2, "d76": 2}[name]
	if name == "ns" || expect == 1 && name != "date" && strings.Contains(path, "int96") {
		about &= 1 // not all nanoseconds of today are whole in a float64
	}
	if about != expect {
		t.Errorf("%s: notes %q", name, notes)
	}
}
