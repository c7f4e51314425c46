package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

type closer interface {
	checkpoint.Source
	Close() error
}

func open(path string) (closer, error) {
	if strings.HasSuffix(path, ".npz") {
		return OpenArchive(path)
	}
	return Open(path)
}

// TestNumpysFiles: every file numpy wrote (testdata/make.py) gives its names,
// types, shapes and numbers.
func TestNumpysFiles(t *testing.T) {
	b, err := os.ReadFile("testdata/expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]map[string]struct {
		Type  string
		Shape []int
		Data  []float64
	}
	if err := json.Unmarshal(b, &files); err != nil {
		t.Fatal(err)
	}
	if len(files) != 31 {
		t.Errorf("%d files, expected 31", len(files))
	}
	for name, arrays := range files {
		f, err := open(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
			continue
		}
		defer f.Close()
		if len(f.Names()) != len(arrays) {
			t.Errorf("%s: holds %q", name, f.Names())
		}
		for key, want := range arrays {
			got, err := checkpoint.Float[float64](f, key)
			if err != nil {
				t.Error(err)
				continue
			}
			if i, _ := f.Info(key); i.DType != types[want.Type] {
				t.Errorf("%s: type %s, want %s", name, i.DType, want.Type)
			}
			testkit.BitsDense(t, name+": "+key, got, tensor.DenseOf[float64]{Shape: want.Shape, Data: want.Data})
			raw, err := f.Tensor(key)
			if err != nil || raw.Check() != nil {
				t.Errorf("%s: %v, %v", name, err, raw.Check())
			}
			again, err := checkpoint.FloatOf[float64](raw)
			if err != nil {
				t.Error(err)
			}
			testkit.Bits(t, name+": whole and piecewise", got.Data, again.Data)
		}
	}
}

func TestNumpysOtherTypesAreRefused(t *testing.T) {
	for _, name := range []string{"structured", "complex", "string", "object"} {
		path := filepath.Join("testdata", "refused-"+name+".npy")
		if _, err := Open(path); !errors.Is(err, checkpoint.ErrDType) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// file puts a version 1 prefix before a header's text.
func file(text, data string) []byte {
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(append(b, text...), data...)
}

const one = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"

var hostile = []struct {
	name   string
	bytes  []byte
	reason string
}{
	{"empty", nil, "no .npy"},
	{"another magic", []byte("\x93NUMPX\x01\x00\x00\x00"), "no .npy"},
	{"magic alone", []byte(magic), "no .npy"},
	{"version 4", []byte(magic + "\x04\x00\x00\x00\x00\x00"), "version 4.0"},
	{"version 2 cut", []byte(magic + "\x02\x00\x00\x00"), "cut off"},
	{"a header of 4 GB", []byte(magic + "\x02\x00\xff\xff\xff\xff"), "at most"},
	{"header cut", file(one, "abcd")[:30], "inside the header"},
	{"data cut", file(one, "abc"), "cut off"},
	{"more data", file(one, "abcde"), "follows the array"},
	{"not UTF-8", file("{'descr': '\xff'}", ""), "UTF-8"},
	{"no dictionary", file("(1,)", ""), "expected {"},
	{"key twice", file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd"), "twice"},
	{"unknown key", file("{'x': '<f4'}", ""), "unknown key"},
	{"key missing", file("{'descr': '<f4', 'shape': (1,)}", "abcd"), "are needed"},
	{"after the end", file(one+"x", "abcd"), "more follows"},
	{"unclosed", file("{'descr': '<f4'", ""), "expected }"},
	{"unclosed string", file("{'descr", ""), "does not end"},
	{"order neither", file("{'fortran_order': 1}", ""), "neither True nor False"},
	{"negative dimension", file(strings.Replace(one, "1,", "-1,", 1), "abcd"), "expected an integer"},
	{"dimension beyond int64", file(strings.Replace(one, "1,", "9223372036854775808,", 1), "abcd"), "expected an integer"},
	{"product overflows", file(strings.Replace(one, "1,", "4294967296,4294967296,2", 1), ""), "product"},
	{"more bytes than the file", file(strings.Replace(one, "1,", "1000000000000,", 1), "abcd"), "cut off"},
	{"65 dimensions", file(strings.Replace(one, "1,", strings.Repeat("1,", 65), 1), "abcd"), "more than 64"},
	{"object", file(strings.Replace(one, "<f4", "|O", 1), "abcd"), "element type"},
	{"no order", file(strings.Replace(one, "<f4", "f4", 1), "abcd"), "element type"},
	{"empty type", file(strings.Replace(one, "<f4", "", 1), "abcd"), "element type"},
	{"native order", file(strings.Replace(one, "<f4", "=f4", 1), "abcd"), "element type"},
	{"f4 without order", file(strings.Replace(one, "<f4", "|f4", 1), "abcd"), "element type"},
}

// narrow reports whether a size was refused because a machine of 32 bits cannot
// count it, before the reason that others give.
func narrow(err error) bool {
	return strconv.IntSize == 32 && strings.Contains(err.Error(), "machine")
}

func TestHostileArraysAreRefused(t *testing.T) {
	if _, err := NewReader(bytes.NewReader(file(one, "abcd")), int64(len(one)+14)); err != nil {
		t.Fatal(err)
	}
	for _, c := range hostile {
		_, err := NewReader(bytes.NewReader(c.bytes), int64(len(c.bytes)))
		if !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) || !strings.Contains(err.Error(), c.reason) && !narrow(err) {
			t.Errorf("%s: %v; want %q", c.name, err, c.reason)
		}
	}
}

// archive makes a zip file with raw entries, whatever they say.
func archive(entries ...*zip.FileHeader) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateRaw(e)
		if err != nil {
			panic(err)
		}
		io.WriteString(w, e.Comment)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// raw is an entry whose comment is also its data.
func raw(name string, data []byte) *zip.FileHeader {
	return &zip.FileHeader{Name: name, Comment: string(data), CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data))}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	good := file(one, "abcd")
	bomb := raw("a.npy", good)
	bomb.Method, bomb.UncompressedSize64 = zip.Deflate, 1<<40
	method := raw("a.npy", good)
	method.Method = 99
	lies := raw("a.npy", good)
	lies.UncompressedSize64 = 1000
	sum := raw("a.npy", good)
	sum.CRC32++
	beyond := raw("a.npy", good)
	beyond.CompressedSize64 = 1 << 30
	// The second entry of the directory is pointed at the first one's data.
	overlap := archive(raw("a.npy", good), raw("b.npy", good))
	second := bytes.LastIndex(overlap, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(overlap[second+42:], 0)
	for name, c := range map[string]struct {
		bytes  []byte
		reason string
	}{
		"no archive":            {[]byte("PK\x03\x04"), "no .npz"},
		"another file":          {archive(raw("a.txt", good)), ".npy files only"},
		"a name twice":          {archive(raw("a.npy", good), raw("a.npy", good)), "twice"},
		"a bomb":                {archive(bomb), "more than deflate can do"},
		"another method":        {archive(method), "method 99"},
		"a size that lies":      {archive(lies), "two sizes"},
		"data beyond":           {archive(beyond), "outside the file"},
		"shared bytes":          {overlap, "overlap"},
		"an array that is none": {archive(raw("a.npy", []byte("hello"))), "no .npy"},
	} {
		_, err := NewArchive(bytes.NewReader(c.bytes), int64(len(c.bytes)))
		if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), c.reason) && !narrow(err) {
			t.Errorf("%s: %v; want %q", name, err, c.reason)
		}
	}
	b := archive(sum)
	a, err := NewArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Tensor("a"); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong sum: %v", err)
	}
	if _, err := a.Tensor("b"); !errors.Is(err, checkpoint.ErrMissing) {
		t.Errorf("a name that is not there: %v", err)
	}
}

// TestWriteThenReadEquals: any set of tensors comes back from a .npz file, and
// each alone from a .npy file, with data on a multiple of 64 bytes.
func TestWriteThenReadEquals(t *testing.T) {
	writable := []checkpoint.DType{
		checkpoint.F64, checkpoint.F32, checkpoint.F16, checkpoint.I64, checkpoint.I32, checkpoint.I16,
		checkpoint.I8, checkpoint.U64, checkpoint.U32, checkpoint.U16, checkpoint.U8, checkpoint.Bool,
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zπ_./0-9]{0,12}`), 0, 5, rapid.ID).Draw(t, "names")
		var set checkpoint.Set
		for _, name := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			i, err := checkpoint.NewInfo(name, rapid.SampledFrom(writable).Draw(t, "type"), shape)
			if err != nil {
				t.Fatal(err)
			}
			n := int(i.Bytes)
			set = append(set, checkpoint.Tensor{Info: i, Data: rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")})
		}
		var b bytes.Buffer
		if err := WriteArchive(&b, set); err != nil {
			t.Fatal(err)
		}
		a, err := NewArchive(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Names(), names) {
			t.Fatalf("names %q became %q", names, a.Names())
		}
		for _, want := range set {
			same := func(got checkpoint.Tensor, err error) {
				t.Helper()
				if err != nil || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
					t.Fatalf("%+v became %+v, %v", want, got, err)
				}
			}
			same(a.Tensor(want.Name))
			var b bytes.Buffer
			if err := Write(&b, want); err != nil {
				t.Fatal(err)
			}
			f, err := NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil {
				t.Fatal(err)
			}
			same(f.Tensor(checkpoint.Single))
			if i, _ := f.Info(checkpoint.Single); i.Offset%64 != 0 {
				t.Fatalf("data begins at %d", i.Offset)
			}
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	half, err := checkpoint.As("x", checkpoint.BF16, tensor.New(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(io.Discard, half); !errors.Is(err, checkpoint.ErrDType) {
		t.Errorf("bfloat16: %v", err)
	}
	a := checkpoint.Of("a", tensor.New(2))
	if err := WriteArchive(io.Discard, checkpoint.Set{a, a}); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("a name twice: %v", err)
	}
	a.Shape = []int{3}
	if err := Write(io.Discard, a); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("shape against data: %v", err)
	}
}

func fuzzSource(t *testing.T, s checkpoint.Source, limit int64, write func(io.Writer, checkpoint.Source) error) {
	var total int64
	for _, name := range s.Names() {
		i, ok := s.Info(name)
		if total += i.Bytes; !ok || total > limit {
			t.Fatalf("%q: %+v, %d bytes in all, limit %d", name, i, total, limit)
		}
		if _, err := s.Tensor(name); err != nil {
			return
		}
		if _, err := checkpoint.Float[float64](s, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(io.Discard, s); err != nil {
		t.Fatal(err)
	}
}

// FuzzNpy: whatever the bytes, they are refused or can be read and written,
// and never ask for more memory than they have.
func FuzzNpy(f *testing.F) {
	seed(f, "*.npy")
	for _, c := range hostile {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		fuzzSource(t, s, int64(len(b)), func(w io.Writer, s checkpoint.Source) error {
			x, err := s.Tensor(checkpoint.Single)
			if err != nil {
				return err
			}
			return Write(w, x)
		})
	})
}

// TestArchivesOfZerosAreRefused: a megabyte of zeros is a kilobyte, so that a
// small archive could ask for any memory.
func TestArchivesOfZerosAreRefused(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 3 {
		w, err := z.Create(fmt.Sprintf("a%d.npy", i))
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(w, checkpoint.Of("", tensor.DenseOf[float64]{Shape: []int{4 << 20}, Data: make([]float64, 4<<20)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewArchive(bytes.NewReader(b.Bytes()), int64(b.Len()))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "does not compress") {
		t.Errorf("%v, expected a refusal", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated to refuse it", n)
	}
}

// TestOpenTensorUnpacksPieceByPiece: the numbers of Tensor without a second
// copy, and a sum that is wrong is noticed at the end.
func TestOpenTensorUnpacksPieceByPiece(t *testing.T) {
	b, err := os.ReadFile("testdata/deflated.npz")
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range a.Names() {
		x, err := a.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		i, r, err := a.OpenTensor(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, x.Data) || int64(len(got)) != i.Bytes {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// FuzzNpz: as FuzzNpy, with deflate's ratio as the bound.
func FuzzNpz(f *testing.F) {
	seed(f, "*.npz")
	f.Add(archive(raw("a.npy", file(one, "abcd")), raw("b.npy", file(one, "abcd"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewArchive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		fuzzSource(t, s, (maxRatio+1)*int64(len(b)), WriteArchive)
	})
}

func seed(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal(fmt.Errorf("no seeds: %v", err))
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}
