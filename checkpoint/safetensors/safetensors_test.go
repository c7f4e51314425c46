package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// file puts a length before a header and data after it.
func file(header, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func read(b []byte) (*File, error) { return NewReader(bytes.NewReader(b), int64(len(b))) }

// hostile are files that must be refused, with a word the error must contain.
var hostile = []struct {
	name   string
	bytes  []byte
	reason string
}{
	{"empty", nil, "at least 8"},
	{"seven bytes", make([]byte, 7), "at least 8"},
	{"length beyond the file", append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "cut off"},
	{"length of all ones", bytes.Repeat([]byte{0xff}, 64), "cut off"},
	{"no header", file("", ""), "begin with {"},
	{"leading space", file(" {}", ""), "begin with {"},
	{"a pickle", file("\x80\x02}q\x00.", ""), "UTF-8"},
	{"not UTF-8", file("{\"\xff\":{}}", ""), "UTF-8"},
	{"an array", file("[]", ""), "begin with {"},
	{"cut JSON", file(`{"a":{"dtype":"U8"`, ""), "JSON is broken"},
	{"after the end", file(`{}{}`, ""), "after the closing"},
	{"zero bytes after the end", file("{}\x00", ""), "after the closing"},
	{"entry is a number", file(`{"a":1}`, ""), "expected {"},
	{"entry is null", file(`{"a":null}`, ""), "expected {"},
	{"deep nesting", file(`{"a":`+strings.Repeat("[", 1<<20), ""), "expected {"},
	{"deep nesting in a shape", file(`{"a":{"shape":`+strings.Repeat("[", 1<<20), ""), "expected an integer"},
	{"unknown key", file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}`, "a"), "unknown key"},
	{"dtype twice", file(`{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}`, "a"), "twice"},
	{"tensor twice", file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, "a"), "twice"},
	{"tensor twice by escapes", file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, "a"), "twice"},
	{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, ""), "twice"},
	{"metadata key twice", file(`{"__metadata__":{"a":"b","a":"c"}}`, ""), "twice"},
	{"metadata not strings", file(`{"__metadata__":{"a":1}}`, ""), "expected a string"},
	{"no dtype", file(`{"a":{"shape":[],"data_offsets":[0,1]}}`, "a"), "are needed"},
	{"no shape", file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, "a"), "are needed"},
	{"one offset", file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[1]}}`, "a"), "are needed"},
	{"three offsets", file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}}`, "a"), "more than 2"},
	{"negative dimension", file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, "a"), "-1"},
	{"dimension with a point", file(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, "a"), "1.0"},
	{"dimension with an exponent", file(`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, "a"), "1e0"},
	{"dimension beyond int64", file(`{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}`, "a"), "9223372036854775808"},
	{"65 dimensions", file(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("1,", 64)+`1],"data_offsets":[0,1]}}`, "a"), "more than 64"},
	{"product overflows", file(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, ""), "product"},
	{"product wraps to the right size", file(`{"a":{"dtype":"U8","shape":[9223372036854775807,2,2],"data_offsets":[0,4]}}`, "abcd"), "product"},
	{"bytes overflow", file(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, ""), "more bytes"},
	{"offsets backwards", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, "a"), "before they begin"},
	{"offsets beyond the end", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "a"), "the file has 1 bytes"},
	{"offsets contradict the shape", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}}`, "abc"), "needs 4 bytes"},
	{"overlap", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "abc"), "overlaps"},
	{"the same bytes twice", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "ab"), "overlaps"},
	{"hole", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "abc"), "hole"},
	{"hole at the beginning", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "ab"), "hole"},
	{"an empty tensor inside another", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, "ab"), "overlaps"},
	{"data after the last tensor", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "ab"), "end of file"},
	{"data without tensors", file(`{}`, "ab"), "end of file"},
	{"unknown type beyond the end", file(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,9]}}`, "a"), "the file has 1 bytes"},
}

// narrow reports whether a size was refused because a machine of 32 bits cannot
// count it, before the reason that others give.
func narrow(err error) bool {
	return strconv.IntSize == 32 && strings.Contains(err.Error(), "machine")
}

func TestHostileFilesAreRefused(t *testing.T) {
	for _, c := range hostile {
		_, err := read(c.bytes)
		if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), c.reason) && !narrow(err) {
			t.Errorf("%s: %v; want an ErrFormat with %q", c.name, err, c.reason)
		}
	}
}

// TestHostileHeaderStaysInBounds: the densest headers, one mebibyte of them,
// cost no more than 64 bytes allocated per byte, and no more than a second.
func TestHostileHeaderStaysInBounds(t *testing.T) {
	fill := func(entry string, first string) string {
		var b strings.Builder
		b.WriteString(first)
		for i := 0; b.Len() < 1<<20; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, entry, i)
		}
		return b.String()
	}
	for name, header := range map[string]string{
		"tensors":   fill(`"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, `{`) + `}`,
		"metadata":  fill(`"%x":""`, `{"__metadata__":{`) + `}}`,
		"one name":  `{"` + strings.Repeat("a", 1<<20) + `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
		"one shape": `{"a":{"shape":[` + strings.Repeat("1,", 1<<19) + `1]}}`,
	} {
		b := file(header, "")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read(b)
		runtime.ReadMemStats(&after)
		per := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(b))
		objects := float64(after.Mallocs-before.Mallocs) / float64(len(b))
		t.Logf("%s: %.1f bytes allocated per byte, %.2f objects, error %v", name, per, objects, err != nil)
		if per > 64 || objects > 2 {
			t.Errorf("%s: %.1f bytes allocated per byte in %.2f objects", name, per, objects)
		}
	}
}

// failing is a file whose header length reads as n, and whose other bytes do not
// read at all.
type failing struct {
	n     uint64
	asked *int64
}

var errDisk = errors.New("the disk is gone")

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off == 0 && len(b) == 8 {
		binary.LittleEndian.PutUint64(b, f.n)
		return 8, nil
	}
	*f.asked += int64(len(b))
	return 0, errDisk
}

// TestHeaderIsBounded: a length beyond MaxHeader is refused before a byte of it
// is read or room for it made, in a file large enough to hold it; a header of
// MaxHeader is asked for.
func TestHeaderIsBounded(t *testing.T) {
	var asked int64
	_, err := NewReader(failing{MaxHeader + 1, &asked}, 1<<40)
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "at most 100000000 are read") || asked != 0 {
		t.Errorf("one byte too long: %v, %d bytes read", err, asked)
	}
	if _, err = NewReader(failing{MaxHeader, &asked}, 1<<40); !errors.Is(err, errDisk) || asked != MaxHeader {
		t.Errorf("as long as may be: %v, %d bytes asked for", err, asked)
	}
}

func TestErrorsNameFileAndTensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.safetensors")
	if err := os.WriteFile(path, file(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "abcd"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	want := path + `: tensor "w": header byte 53: shape [2] of F32 needs 8 bytes, data_offsets give 4`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := Open(filepath.Dir(path)); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := Open(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestUnknownTypeIsListedAndRefused(t *testing.T) {
	f, err := read(file(`{"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[1,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   `, "xabc"))
	if err != nil {
		t.Fatal(err)
	}
	if i, ok := f.Info("a"); !ok || i.Type() != "F8_E4M3" || i.Bytes != 3 || !slices.Equal(i.Shape, []int{3}) {
		t.Errorf("listed as %+v", i)
	}
	if _, err := Read[float32](f, "a"); !errors.Is(err, checkpoint.ErrDType) {
		t.Errorf("read: %v", err)
	}
	if _, err := f.Tensor("a"); !errors.Is(err, checkpoint.ErrDType) {
		t.Errorf("raw: %v", err)
	}
	if v, _, err := ReadInts(f, "b"); err != nil || v[0] != 'x' {
		t.Errorf("its neighbour: %v, %v", v, err)
	}
	if _, err := Read[float32](f, "c"); !errors.Is(err, checkpoint.ErrMissing) {
		t.Errorf("a name that is not there: %v", err)
	}
	if err := Write(io.Discard, f, nil); !errors.Is(err, checkpoint.ErrDType) {
		t.Errorf("write: %v", err)
	}
}

// TestFileThatShrinks: a file cut off after it was opened gives an error, not
// zeros.
func TestFileThatShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := WriteFile(path, checkpoint.Set{checkpoint.Of("x", tensor.New(100))}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	_, err1 := Read[float32](f, "x")
	_, err2 := f.Tensor("x")
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
}

// TestLargeFileOpensAtOnce: of a file of 2 GB only the header is read.
func TestLargeFileOpensAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.safetensors")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if strconv.IntSize == 32 {
		t.Skip("two gigabytes are beyond a machine of 32 bits")
	}
	const n = int64(1 << 29)
	header := fmt.Sprintf(`{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]},"b":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}}`, n, 4*n, 4*n, 4*n+4)
	if _, err := w.Write(file(header, "")); err != nil {
		t.Fatal(err)
	}
	if err := w.Truncate(int64(8+len(header)) + 4*n + 4); err != nil {
		t.Skip("this file system has no sparse files: ", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := Read[float32](f, "b")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err != nil || len(b.Data) != 1 || n > 1<<16 {
		t.Errorf("opening and reading the last tensor: %d bytes allocated, %v", n, err)
	}
}

var all = []checkpoint.DType{
	checkpoint.F64, checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.I64, checkpoint.I32,
	checkpoint.I16, checkpoint.I8, checkpoint.U64, checkpoint.U32, checkpoint.U16, checkpoint.U8, checkpoint.Bool,
}

// TestWriteThenReadEquals: names, types, shapes, bytes and metadata of any set
// come back, every tensor aligned, and equal sets give equal files.
func TestWriteThenReadEquals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.String().Filter(func(s string) bool { return s != metadataKey }), 0, 8, rapid.ID).Draw(t, "names")
		var set checkpoint.Set
		for _, name := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			i, err := checkpoint.NewInfo(name, rapid.SampledFrom(all).Draw(t, "type"), shape)
			if err != nil {
				t.Fatal(err)
			}
			n := int(i.Bytes)
			set = append(set, checkpoint.Tensor{Info: i, Data: rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")})
		}
		meta := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "metadata")
		var b, again bytes.Buffer
		if err := Write(&b, set, meta); err != nil {
			t.Fatal(err)
		}
		f, err := read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Metadata(); !maps.Equal(got, meta) {
			t.Fatalf("metadata %q became %q", meta, got)
		}
		if a, b := slices.Sorted(slices.Values(f.Names())), slices.Sorted(slices.Values(names)); !slices.Equal(a, b) {
			t.Fatalf("names %q became %q", b, a)
		}
		for _, want := range set {
			got, err := f.Tensor(want.Name)
			if err != nil || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("%+v became %+v, %v", want, got, err)
			}
			if got.Offset%int64(got.DType.Size()) != 0 {
				t.Fatalf("%s begins at %d", got.DType, got.Offset)
			}
		}
		if err := Write(&again, set, meta); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Fatalf("written twice, the files differ: %v", err)
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	one := checkpoint.Of("a", tensor.New(1))
	wrong := one
	wrong.Shape = []int{2}
	for name, c := range map[string]struct {
		set  checkpoint.Set
		meta map[string]string
	}{
		"a name twice":              {set: checkpoint.Set{one, one}},
		"the metadata's name":       {set: checkpoint.Set{checkpoint.Of("__metadata__", tensor.New(1))}},
		"a name that is no UTF-8":   {set: checkpoint.Set{checkpoint.Of("\xff", tensor.New(1))}},
		"metadata that is no UTF-8": {meta: map[string]string{"a": "\xff"}},
		"shape against data":        {set: checkpoint.Set{wrong}},
	} {
		path := filepath.Join(t.TempDir(), "x")
		if err := WriteFile(path, c.set, c.meta); !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was left behind", name)
		}
	}
}

// FuzzRead: whatever the bytes, a file is refused or all of it can be read and
// written again as it was.
func FuzzRead(f *testing.F) {
	for _, c := range hostile {
		if len(c.bytes) < 1<<12 {
			f.Add(c.bytes)
		}
	}
	for _, t := range all {
		f.Add(file(fmt.Sprintf(`{"__metadata__":{"format":"pt"},"a":{"dtype":%q,"shape":[1,2],"data_offsets":[0,%d]}}`, t, 2*t.Size()), strings.Repeat("\x01", 2*t.Size())))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := read(b)
		if err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				t.Fatalf("refused with another kind of error: %v", err)
			}
			return
		}
		var set checkpoint.Set
		var total int64
		for _, name := range s.Names() {
			i, _ := s.Info(name)
			total += i.Bytes
			if i.Offset < 8 || i.Offset+i.Bytes > int64(len(b)) {
				t.Fatalf("%q leaves the file: %+v", name, i)
			}
			if i.DType == checkpoint.Unknown {
				continue
			}
			raw, err := s.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Read[float32](s, name); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ReadInts(s, name); err != nil && !errors.Is(err, checkpoint.ErrDType) {
				t.Fatal(err)
			}
			set = append(set, raw)
		}
		if total > int64(len(b)) {
			t.Fatalf("%d bytes of tensors in a file of %d", total, len(b))
		}
		var w bytes.Buffer
		if err := Write(&w, set, s.Metadata()); err != nil {
			t.Fatal(err)
		}
		back, err := read(w.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range set {
			if got, err := back.Tensor(want.Name); err != nil || !bytes.Equal(got.Data, want.Data) || !slices.Equal(got.Shape, want.Shape) {
				t.Fatalf("%+v became %+v, %v", want, got, err)
			}
		}
	})
}
