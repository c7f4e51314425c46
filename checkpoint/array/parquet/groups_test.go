package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

func groups(t *testing.T, path string) *Groups {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGroups(bytes.NewReader(b), int64(len(b)), path)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// pyarrow's files, group by group: 300 rows in groups of 128, of every type.
func TestGroupsOfPyarrowsFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*-v?.parquet")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		g := groups(t, path)
		if want := []string{"f", "d", "i", "u", "b", "s", "null"}; !slices.Equal(g.Columns(), want) {
			t.Errorf("%s: columns %q", path, g.Columns())
		}
		row := 0
		for {
			v, n, err := g.Next([]string{"s", "i", "b", "f"})
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n > 128 {
				t.Errorf("%s: a group of %d rows", path, n)
			}
			for k := range n {
				i := row + k
				if v[0].Strings[k] != fmt.Sprint(i) || v[1].Ints[k] != int64(i%7-3) || v[2].Ints[k] != int64(1-i%2) || v[3].Floats[k] != float64(i)/8 {
					t.Fatalf("%s: row %d is %q %d %d %v", path, i, v[0].Strings[k], v[1].Ints[k], v[2].Ints[k], v[3].Floats[k])
				}
			}
			row += n
		}
		if row != 300 {
			t.Errorf("%s: %d rows", path, row)
		}
		for name, want := range map[string]string{"u": "beyond an int64", "null": "row 5 of its group is null", "none": `there is no column "none"`} {
			if _, _, err := groups(t, path).Next([]string{name}); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %s: %v", path, name, err)
			}
		}
	}
}

func TestTablesAreGroups(t *testing.T) {
	var b bytes.Buffer
	fields := []Field{{"series", true}, {"z", false}, {"at", true}, {"a", false}}
	w, err := NewTable(&b, fields)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 70_000
	for i := range rows {
		if err := w.Write([]string{fmt.Sprint("k", i%3), fmt.Sprint(i)}, []float32{float32(i), float32(-i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := NewGroups(bytes.NewReader(b.Bytes()), int64(b.Len()), "table")
	if err != nil {
		t.Fatal(err)
	}
	row := 0
	for {
		v, n, err := g.Next([]string{"series", "z", "at", "a"})
		if err == io.EOF {
			break
		}
		if err != nil || n > 1<<16 {
			t.Fatal(n, err)
		}
		for k := range n {
			i := row + k
			if v[0].Strings[k] != fmt.Sprint("k", i%3) || v[1].Floats[k] != float64(i) || v[2].Strings[k] != fmt.Sprint(i) || v[3].Floats[k] != float64(-i) {
				t.Fatalf("row %d is %v %v %v %v", i, v[0].Strings[k], v[1].Floats[k], v[2].Strings[k], v[3].Floats[k])
			}
		}
		row += n
	}
	if row != rows {
		t.Errorf("%d rows", row)
	}
	if _, err := NewTable(&b, []Field{{"a", true}, {"a", false}}); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("a name twice: %v", err)
	}
}
