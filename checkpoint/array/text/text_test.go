package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

func TestReadCSV(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  string
		with  CSV
		shape []int
		data  []float64
		names []string
	}{
		{"plain", "1,2\n3,4\n", CSV{}, []int{2, 2}, []float64{1, 2, 3, 4}, nil},
		{"no last line feed, carriage returns", "1,2\r\n3,4", CSV{}, []int{2, 2}, []float64{1, 2, 3, 4}, nil},
		{"header", "a,b\n1,2\n", CSV{}, []int{1, 2}, []float64{1, 2}, []string{"a", "b"}},
		{"header of numbers", "2020,2021\n1,2\n", CSV{Dialect: Dialect{Header: HeaderYes}}, []int{1, 2}, []float64{1, 2}, []string{"2020", "2021"}},
		{"byte order mark", "\xef\xbb\xbfa\n1\n", CSV{Columns: []string{"a"}}, []int{1, 1}, []float64{1}, []string{"a"}},
		{"spaces and quotes", " 1 , \"2\"\n 3,4 \n", CSV{}, []int{2, 2}, []float64{1, 2, 3, 4}, nil},
		{"empty lines", "1\n\n2\n\n", CSV{}, []int{2, 1}, []float64{1, 2}, nil},
		{"semicolons", "1;2\n", CSV{Dialect: Dialect{Comma: ';'}}, []int{1, 2}, []float64{1, 2}, nil},
		{"tabs", "1\t2\n", CSV{Dialect: Dialect{Comma: '\t'}}, []int{1, 2}, []float64{1, 2}, nil},
		{"columns by name, reordered", "date,a,b\nMonday,1,2\nTuesday,3,4\n", CSV{Columns: []string{"b", "a"}}, []int{2, 2}, []float64{2, 1, 4, 3}, []string{"b", "a"}},
		{"NaN and infinities", "NaN,Inf,-Infinity,1e-3\n", CSV{}, []int{1, 4}, []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-3}, nil},
	} {
		d, names, err := ReadCSV[float64](strings.NewReader(c.text), c.with)
		if err != nil || !slices.Equal(names, c.names) {
			t.Errorf("%s: names %q, %v", c.name, names, err)
			continue
		}
		testkit.CloseDense(t, c.name, d, tensor.DenseOf[float64]{Shape: c.shape, Data: c.data}, testkit.Tol{})
	}
}

// Files that are no text are said to be what they are, and a mark stands before no
// format.
func TestForeignFiles(t *testing.T) {
	for text, want := range map[string]string{
		"\xff\xfea\x00": "f: it is UTF-16; save it as UTF-8", "\xfe\xff\x00a": "f: it is UTF-16", "\x1f\x8b\x08": "f: it is compressed with gzip; unpack it",
		"\x89PNG\r\n\x1a\n": "f: it is a PNG picture; a file of text is expected", "\xff\xd8\xff\xe0": "f: it is a JPEG picture", "GIF89a": "f: it is a GIF picture",
		"RIFF\x24\x00\x00\x00WAVEfmt ": "f: it is WAV sound", "RIFF\x24\x00\x00\x00WEBPVP8 ": "f: it is a WebP picture", "%PDF-1.7": "f: it is a PDF document",
		"SQLite format 3\x00": "f: it is an SQLite database", "BZh91AY&SY": "f: it is compressed with bzip2", "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":1": "f: it is a file of safetensors",
		"ARROW1\x00\x00": "f: it is an Arrow file", "\xd0\xcf\x11\xe0\xa1": "f: it is a document of Office", "\x28\xb5\x2f\xfd": "f: it is compressed with Zstandard",
		"\xfd7zXZ\x00": "f: it is compressed with xz", "7z\xbc\xaf\x27": "f: it is a 7z archive", "II*\x00\x08": "f: it is a TIFF picture", "MM\x00*\x00": "f: it is a TIFF picture",
		"OggS\x00": "f: it is Ogg sound or film", "ID3\x03\x00": "f: it is MP3 sound", "ID3\x04\x00": "f: it is MP3 sound", "\x7fELF\x02": "f: it is a program",
		"PAR1": "f: it is a Parquet file", "PK\x03\x04": "f: it is a zip archive", "\x93NUMPY": "f: it is a NumPy array", "\x89HDF\r\n": "f: it is an HDF5 file",
	} {
		_, _, err := ReadCSV[float32](strings.NewReader(text), CSV{File: "f"})
		_, err2 := ReadJSONLines[float32](strings.NewReader(text), "f")
		for _, err := range []error{err, err2} {
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		}
	}
	if kind := Foreign([]byte("RIFF")); kind != "" {
		t.Errorf("four letters are %s", kind)
	}
	all, err := ReadJSONLines[float32](strings.NewReader("\ufeff[1,2]\n"), "f")
	if err != nil || len(all) != 1 || !slices.Equal(all[0].Data, []float32{1, 2}) {
		t.Errorf("a mark before JSON Lines: %v, %v", all, err)
	}
}

func TestBadCSVIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		with       CSV
		want       string
	}{
		{"empty", "", CSV{}, "f.csv: there are no rows of numbers"},
		{"header alone", "a,b\n", CSV{}, "f.csv: there are no rows of numbers"},
		{"text", "a,b\n1,2\n3,x\n", CSV{}, `f.csv: line 3, column 2 (b): "x" is not a number`},
		{"text without header", "1,2\n3,x\n", CSV{}, `f.csv: line 2, column 2: "x" is not a number`},
		{"typo in the first row", "1,x\n3,4\n", CSV{}, `f.csv: line 1, column 2: "x" is not a number`},
		{"no header wanted", "a,b\n3,4\n", CSV{Dialect: Dialect{Header: HeaderNo}}, `f.csv: line 1, column 1: "a" is not a number`},
		{"empty field", "1,2\n3,\n", CSV{}, "f.csv: line 2, column 2: the field is empty, expected a number"},
		{"empty field between tabs", "1\t2\t3\n1\t\t3\n", CSV{Dialect: Dialect{Comma: '\t'}}, "f.csv: line 2, column 2: the field is empty, expected a number"},
		{"beyond range", "1e999\n", CSV{}, `f.csv: line 1, column 1: "1e999" is beyond the range of the element type`},
		{"ragged", "1,2\n3\n", CSV{}, "f.csv: line 2: this row has another number of columns than the first"},
		{"quote", "1,\"2\n", CSV{}, `f.csv: line 1: extraneous or missing " in quoted-field`},
		{"missing column", "a,b\n1,2\n", CSV{Columns: []string{"c"}}, `f.csv: line 1: there is no column "c"; the columns are ["a" "b"]`},
		{"column twice", "a,a\n1,2\n", CSV{Columns: []string{"a"}}, `f.csv: line 1: two columns are called "a"`},
		{"names without header", "1,2\n", CSV{Columns: []string{"a"}}, `f.csv: line 1: columns ["a"] are asked for and the file has no line of names`},
	} {
		c.with.File = "f.csv"
		_, _, err := ReadCSV[float64](strings.NewReader(c.text), c.with)
		if !errors.Is(err, checkpoint.ErrFormat) || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestReadJSONLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Named[float64]
	}{
		{"numbers", "1\n-2.5e1\n", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{2}, Data: []float64{1, -25}}}}},
		{"rows, empty lines", "[1, 2]\n\n [3,4] \r\n", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{2, 2}, Data: []float64{1, 2, 3, 4}}}}},
		{"nested", "[[1],[2]]\n[[3],[4]]", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{2, 2, 1}, Data: []float64{1, 2, 3, 4}}}}},
		{"empty arrays", "[]\n[]\n", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{2, 0}}}}},
		{"empty inside", "[[],[]]\n", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{1, 2, 0}}}}},
		{"objects, keys in any order", `{"x":[1,2],"y":3}` + "\n" + `{"y":4,"\u0078":[5,6]}`, []Named[float64]{
			{"x", tensor.DenseOf[float64]{Shape: []int{2, 2}, Data: []float64{1, 2, 5, 6}}},
			{"y", tensor.DenseOf[float64]{Shape: []int{2}, Data: []float64{3, 4}}},
		}},
		{"what Python writes", "[NaN, Infinity, -Infinity]", []Named[float64]{{"array", tensor.DenseOf[float64]{Shape: []int{1, 3}, Data: []float64{math.NaN(), math.Inf(1), math.Inf(-1)}}}}},
	} {
		got, err := ReadJSONLines[float64](strings.NewReader(c.text), "")
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
			continue
		}
		for i, want := range c.want {
			if got[i].Name != want.Name {
				t.Errorf("%s: %q, want %q", c.name, got[i].Name, want.Name)
			}
			testkit.CloseDense(t, c.name, got[i].DenseOf, want.DenseOf, testkit.Tol{})
		}
	}
}

func TestBadJSONLinesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "\n\n", "f: there are no lines with numbers"},
		{"text", "[1,2]\n[1,x]\n", `f: line 2, byte 4: "array": found "x]\n", expected a number within range`},
		{"null", "[null]", `f: line 1, byte 2: "array": found "null]", expected a number within range`},
		{"a string", `["1"]`, `f: line 1, byte 2: "array": found "\"1\"]", expected a number within range`},
		{"leading zero", "01", `f: line 1, byte 1: "array": found "01", expected a number within range`},
		{"beyond range", "1e999", `f: line 1, byte 1: "array": found "1e999", expected a number within range`},
		{"unclosed", "[1,[2]", `f: line 1, byte 5: "array": an array stands where a number is expected`},
		{"cut off", "[1,2", `f: line 1, byte 5: "array": the line ends, expected a comma or ]`},
		{"trailing comma", "[1,]", `f: line 1, byte 4: "array": found "]", expected a number within range`},
		{"two values", "[1] [2]", `f: line 1, byte 5: found "[2]", expected the end of the line`},
		{"ragged", "[[1,2],[3]]", `f: line 1, byte 11: "array": an array has 1 elements, one before it had 2`},
		{"ragged with nothing", "[[],[3]]", `f: line 1, byte 8: "array": an array has 1 elements, one before it had 0`},
		{"number after array", "[[1],2]", `f: line 1, byte 6: "array": a number stands where an array of 1 dimensions is expected`},
		{"another length", "[1,2]\n[1]\n", `f: line 2, byte 4: "array": an array has 1 elements, one before it had 2`},
		{"another depth", "[1]\n[[1]]\n", `f: line 2, byte 3: "array": an array stands where a number is expected`},
		{"mixed", "[1]\n{\"a\":1}\n", "f: line 2, byte 2: lines of objects and lines of arrays cannot be mixed"},
		{"a key less", "{\"a\":1,\"b\":2}\n{\"a\":1}\n", "f: line 2, byte 8: the line has 1 keys, the first one 2"},
		{"a key more", "{\"a\":1}\n{\"a\":1,\"b\":2}\n", `f: line 2, byte 12: the first line has no key "b"`},
		{"a key twice", "{\"a\":1,\"a\":2}", `f: line 1, byte 12: key "a" stands there twice`},
		{"an empty key's array twice", "{\"a\":[],\"b\":[]}\n{\"a\":[],\"a\":[]}", `f: line 2, byte 13: key "a" stands there twice`},
		{"no keys", "{}", "f: line 1, byte 3: the line is empty, expected numbers"},
		{"broken key", `{"a:1}`, `f: line 1, byte 2: found "\"a:1}", expected a key that is a JSON string`},
		{"nested objects", `{"a":{"b":1}}`, `f: line 1, byte 6: "a": found "{\"b\":1}}", expected a number within range`},
	} {
		_, err := ReadJSONLines[float64](strings.NewReader(c.text), "f")
		if !errors.Is(err, checkpoint.ErrFormat) || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
	deep := strings.Repeat("[", 1<<20)
	if _, err := ReadJSONLines[float64](strings.NewReader(deep), ""); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("deep nesting: %v", err)
	}
}

// TestWriteThenReadEquals: what is written reads back with the same bits, at
// the precision it was stored at, from both formats.
func TestWriteThenReadEquals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 4).Draw(t, "columns")
		d := tensor.New(rows, columns)
		e := tensor.NewOf[float64](rows, 2, columns)
		for i := range d.Data {
			d.Data[i] = rapid.Float32().Draw(t, "float32")
		}
		for i := range e.Data {
			e.Data[i] = rapid.Float64().Draw(t, "float64")
		}
		var names []string
		if rapid.Bool().Draw(t, "names") {
			names = []string{"a b", "c,d", "\"e\"", "f\ng"}[:columns]
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, names, checkpoint.Of("x", d)); err != nil {
			t.Fatal(err)
		}
		got, gotNames, err := ReadCSV[float32](&b, CSV{})
		if err != nil || !slices.Equal(gotNames, names) {
			t.Fatalf("names %q, %v", gotNames, err)
		}
		sameBits(t, got, d)
		b.Reset()
		if err := WriteJSONLines(&b, []checkpoint.Tensor{checkpoint.Of("array", d)}); err != nil {
			t.Fatal(err)
		}
		f32, err := ReadJSONLines[float32](&b, "")
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if err := WriteJSONLines(&b, []checkpoint.Tensor{checkpoint.Of("x y", d), checkpoint.Of("π\"", e)}); err != nil {
			t.Fatal(err)
		}
		f64, err := ReadJSONLines[float64](&b, "")
		if err != nil || f64[0].Name != "x y" || f64[1].Name != "π\"" {
			t.Fatalf("%v, %v", f64, err)
		}
		sameBits(t, f32[0].DenseOf, d)
		sameBits(t, f64[1].DenseOf, e)
	})
}

func sameBits[F tensor.Float](t *rapid.T, got, want tensor.DenseOf[F]) {
	t.Helper()
	if err := testkit.SameBits(got.Data, want.Data); err != nil || !slices.Equal(got.Shape, want.Shape) {
		t.Fatalf("shape %v, want %v: %v", got.Shape, want.Shape, err)
	}
}

func TestWriteText(t *testing.T) {
	half, err := checkpoint.As("h", checkpoint.F16, tensor.DenseOf[float32]{Shape: []int{2}, Data: []float32{0.1, -2}})
	if err != nil {
		t.Fatal(err)
	}
	special := checkpoint.Of("array", tensor.DenseOf[float64]{Shape: []int{1, 4}, Data: []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300}})
	for _, c := range []struct {
		t          checkpoint.Tensor
		csv, jsonl string
	}{
		{checkpoint.OfInts("n", []int64{1, math.MaxInt64}, 2, 1), "1\n9223372036854775807\n", "{\"n\":[1]}\n{\"n\":[9223372036854775807]}\n"},
		{half, "0.099975586\n-2\n", "{\"h\":0.099975586}\n{\"h\":-2}\n"},
		{special, "NaN,Infinity,-Infinity,1e+300\n", "[NaN,Infinity,-Infinity,1e+300]\n"},
	} {
		var a, b bytes.Buffer
		if err := WriteCSV(&a, nil, c.t); err != nil || a.String() != c.csv {
			t.Errorf("CSV %q, %v; want %q", a.String(), err, c.csv)
		}
		if err := WriteJSONLines(&b, []checkpoint.Tensor{c.t}); err != nil || b.String() != c.jsonl {
			t.Errorf("JSON Lines %q, %v; want %q", b.String(), err, c.jsonl)
		}
	}
	cube, scalar := checkpoint.Of("c", tensor.New(2, 2, 2)), checkpoint.Of("s", tensor.New())
	if err := WriteCSV(io.Discard, nil, cube); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("three dimensions as CSV: %v", err)
	}
	if err := WriteCSV(io.Discard, []string{"a"}, checkpoint.Of("c", tensor.New(2, 2))); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("a name for two columns: %v", err)
	}
	if err := WriteJSONLines(io.Discard, []checkpoint.Tensor{scalar}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("a single number as JSON Lines: %v", err)
	}
	if err := WriteJSONLines(io.Discard, []checkpoint.Tensor{cube, checkpoint.Of("d", tensor.New(3))}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("different first dimensions: %v", err)
	}
}

// TestLines: line by line come the numbers that ReadJSONLines reads, after those that the
// caller has, and the same errors.
func TestLines(t *testing.T) {
	for _, text := range []string{
		"[1,2]\n\n[3,4]\n", "[[1],[2]]\r\n[[3],[4]]", "1\n2\n\n", "{\"a\":[1]}\n \n{\"a\":[2]}", "[]\n[]\n",
		"", "\n", "[1,2]\n[3]\n", "[1]\n2\n", "[1]\n\n\n[x]\n", "{\"a\":1}\n{\"b\":1}\n", "{}", "PAR1",
	} {
		want, refused := ReadJSONLines[float32](strings.NewReader(text), "f")
		got, rows := []float32{7}, 0
		l, err := NewLines[float32](strings.NewReader(text), "f")
		for ; err == nil && rows < 10; rows++ {
			got, err = l.Append(got)
		}
		if err == io.EOF {
			err = nil
		}
		if fmt.Sprint(err) != fmt.Sprint(refused) {
			t.Errorf("%q: %v, want %v", text, err, refused)
		}
		if refused != nil {
			continue
		}
		v := l.Values()[0]
		shape := append([]int{rows - 1}, v.Shape...)
		if v.Name != want[0].Name || !slices.Equal(shape, want[0].Shape) || !slices.Equal(got, append([]float32{7}, want[0].Data...)) {
			t.Errorf("%q: %q %v %v, want %v", text, v.Name, shape, got, want)
		}
	}
}

// FuzzCSV and FuzzJSONLines: whatever the text, it is refused or read, and
// what is read can be written and read again with the same bits.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2\n", "1,2\n3\n", "\xef\xbb\xbf\"a\n", "NaN;\n", "1e999", "\"1\"\n\n\"2\""} {
		f.Add(s, byte(','))
	}
	f.Fuzz(func(t *testing.T, s string, comma byte) {
		d, _, err := ReadCSV[float64](strings.NewReader(s), CSV{Dialect: Dialect{Comma: rune(comma)}})
		if err != nil {
			return
		}
		if d.Check("d") != nil || len(d.Data) > len(s) {
			t.Fatalf("%v from %d bytes", d.Shape, len(s))
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, nil, checkpoint.Of("d", d)); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadCSV[float64](&b, CSV{Dialect: Dialect{Header: HeaderNo}})
		if err != nil {
			t.Fatal(err)
		}
		testkit.CloseDense(t, "again", again, d, testkit.Tol{})
	})
}

func FuzzJSONLines(f *testing.F) {
	for _, s := range []string{"", "1\n2", "[1,[2]]", "{\"a\":[[1,2],[3,4]],\"b\":0}\n{\"b\":0,\"a\":[[1,2],[3,4]]}", "[NaN,-Infinity]", "[[],[]]", "{\"\\u0061\":1,\"a\":2}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := ReadJSONLines[float64](strings.NewReader(s), "")
		if err != nil {
			return
		}
		var tensors []checkpoint.Tensor
		for _, x := range fields {
			if x.Check(x.Name) != nil || len(x.Data) > len(s) {
				t.Fatalf("%v from %d bytes", x.Shape, len(s))
			}
			tensors = append(tensors, checkpoint.Of(x.Name, x.DenseOf))
		}
		var b bytes.Buffer
		if err := WriteJSONLines(&b, tensors); err != nil {
			t.Fatal(err)
		}
		again, err := ReadJSONLines[float64](&b, "")
		if err != nil || len(again) != len(fields) {
			t.Fatalf("%v, %v", again, err)
		}
		for i := range fields {
			testkit.CloseDense(t, fields[i].Name, again[i].DenseOf, fields[i].DenseOf, testkit.Tol{})
		}
	})
}
