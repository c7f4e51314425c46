package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// TestPyarrowsFiles: files pyarrow wrote (testdata/make.py), over several row
// groups, in both page versions and three compressions.
func TestPyarrowsFiles(t *testing.T) {
	const n = 300
	want := tensor.NewOf[float64](n, 5)
	for i := range n {
		row := want.Data[5*i:]
		row[0], row[1], row[2], row[3] = float64(i)/8, float64(-i)/3, float64(i%7-3), float64(math.MaxUint64-2048*uint64(i+1)+1) // 2**64 - 2048*(i+1)
		row[4] = float64(1 - i%2)
	}
	for _, codec := range []string{"none", "snappy", "gzip", "zstd"} {
		for _, version := range []string{"1", "2"} {
			path := filepath.Join("testdata", codec+"-v"+version+".parquet")
			columns := []string{"f", "d", "i", "u", "b"}
			got, names, err := ReadFile[float64](path, Options{Columns: columns})
			if err != nil || !slices.Equal(names, columns) {
				t.Errorf("%s: %q, %v", path, names, err)
				continue
			}
			testkit.BitsDense(t, path, got, want)
			got, _, err = ReadFile[float64](path, Options{Columns: []string{"i", "f"}})
			if err != nil || got.Shape[1] != 2 || got.Data[2*n-1] != want.Data[5*(n-1)] {
				t.Errorf("%s: two columns: %v, %v", path, got.Shape, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/none-v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	footer := slices.Clone(b)
	binary.LittleEndian.PutUint32(footer[len(footer)-8:], math.MaxUint32)
	read := func(b []byte, columns ...string) error {
		_, _, err := Read[float32](bytes.NewReader(b), int64(len(b)), "x.parquet", Options{Columns: columns})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		word string
	}{
		"empty":            {read(nil), "0 bytes"},
		"another file":     {read(make([]byte, 100)), "no Parquet file"},
		"cut off":          {read(b[:len(b)-3]), "cut off"},
		"a footer of 4 GB": {read(footer), "4294967295"},
		"a column of text": {read(b), `"s" is not`},
		"no such column":   {read(b, "x"), `no column "x"`},
		"a null":           {read(b, "null"), `row 5 of its group is null`},
	} {
		if !errors.Is(c.err, checkpoint.ErrFormat) || !strings.Contains(c.err.Error(), c.word) || !strings.Contains(c.err.Error(), ".parquet: ") {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestWriteThenReadEquals(t *testing.T) {
	d := tensor.New(5, 12)
	for i := range d.Data {
		d.Data[i] = math.Float32frombits(uint32(i) * 2654435761)
	}
	names := strings.Split("m l k j i h g f e d c b", " ")
	for _, n := range [][]string{nil, names} {
		var b bytes.Buffer
		if err := Write(&b, n, d); err != nil {
			t.Fatal(err)
		}
		got, gotNames, err := Read[float32](bytes.NewReader(b.Bytes()), int64(b.Len()), "x", Options{Columns: n})
		if err != nil || n != nil && !slices.Equal(gotNames, n) {
			t.Fatalf("%q, %v", gotNames, err)
		}
		testkit.BitsDense(t, "matrix", got, d)
	}
	if err := Write(io.Discard, []string{"a"}, d); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("one name for 12 columns: %v", err)
	}
	if err := Write(io.Discard, []string{"a", "a"}, tensor.New(1, 2)); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("a name twice: %v", err)
	}
}

// seeds are files of a few hundred bytes: what the fuzzer finds in files of pyarrow's
// size it then makes smaller for most of its time, in which it looks for nothing.
func seeds(f *testing.F) (files [][]byte) {
	type row struct {
		F float32 `parquet:"f,split"`
		D float64 `parquet:"d"`
		I int32   `parquet:"i,delta"`
		U uint64  `parquet:"u"`
		B bool    `parquet:"b"`
		S string  `parquet:"s,dict"`
		L string  `parquet:"l,delta"`
		M int64   `parquet:"m,decimal(2:18),delta"`
	}
	for _, version := range []int{1, 2} {
		for _, codec := range []compress.Codec{&pq.Uncompressed, &pq.Snappy, &pq.Gzip, &pq.Zstd, &pq.Brotli, &pq.Lz4Raw} {
			var b bytes.Buffer
			w := pq.NewGenericWriter[row](&b, pq.DataPageVersion(version), pq.Compression(codec))
			_, err := w.Write([]row{{1, 2, 3, 4, true, "a", "long", -123}, {5, 6, 7, 8, false, "a", "", 9}})
			if err == nil {
				err = w.Flush() // a group of rows
			}
			if err == nil {
				_, err = w.Write([]row{{S: "b"}})
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				f.Fatal(err)
			}
			if _, _, err := Read[float64](bytes.NewReader(b.Bytes()), int64(b.Len()), "", Options{Columns: []string{"f", "d", "i", "u", "b", "m"}}); err != nil {
				f.Fatal(err)
			}
			files = append(files, b.Bytes())
		}
	}
	return files
}

// FuzzRead: whatever the bytes, no panic, and what is allocated stays below
// 32 MiB plus 16 times the numbers a file of the size may hold.
func FuzzRead(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { survive(t, b) })
}

// survive reads b and reports what breaks a bound.
func survive(t *testing.T, b []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, columns := range [][]string{nil, {"f", "d", "i", "u", "b", "m"}} {
		d, _, err := Read[float64](bytes.NewReader(b), int64(len(b)), "", Options{Columns: columns})
		if err == nil && d.Check("d") != nil {
			t.Fatal(d.Check("d"))
		}
	}
	if g, err := NewGroups(bytes.NewReader(b), int64(len(b)), ""); err == nil {
		for range 4 {
			if _, _, err := g.Next([]string{"s", "i", "d", "l", "m"}); err != nil {
				break
			}
		}
	}
	runtime.ReadMemStats(&after)
	// Twice: what comes out, as much again for pages, and the footer.
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*(2*8*uint64(maxNumbers(int64(len(b)), 8))+8<<20+256*uint64(len(b))) {
		t.Fatalf("%d bytes allocated for a file of %d", n, len(b))
	}
}

// TestDamagedFiles changes one to four bytes of pyarrow's files, mostly in the
// footer, where everything else is pointed at. -count repeats it with others.
func TestDamagedFiles(t *testing.T) {
	var files [][]byte
	for _, name := range []string{"none-v1", "snappy-v2", "gzip-v1", "zstd-v2", "pyarrow-brotli-v2-delta", "pyarrow-lz4-v1-plain"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	refused := 0
	for i := range 600 {
		b := slices.Clone(files[i%len(files)])
		for range 1 + rand.IntN(4) {
			at := rand.IntN(len(b))
			if i%4 != 0 {
				at = len(b) - 1 - rand.IntN(5000)
			}
			b[at] = byte(rand.Uint32())
		}
		survive(t, b)
		if _, _, err := Read[float64](bytes.NewReader(b), int64(len(b)), "", Options{Columns: []string{"f", "d"}}); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no change was noticed")
	}
}
