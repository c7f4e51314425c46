package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"pgregory.net/rapid"
)

func readAll(t testing.TB, f *File, name string) []float32 {
	t.Helper()
	d, err := checkpoint.Float[float32](f, name)
	if err != nil {
		t.Fatal(err)
	}
	return d.Data
}

// TestNewerCallsGiveTheSameTensor reads what PyTorch 2 writes: untyped
// storages with the element type beside, subclasses, parameters with
// attributes.
func TestNewerCallsGiveTheSameTensor(t *testing.T) {
	untyped := tup(str("storage"), name("torch.storage", "UntypedStorage"), str("0"), str("cpu"), num(16)) + "Q"
	ordered := name("collections", "OrderedDict") + ")R"
	inner := tup(storageOf("FloatStorage", "0", 4), num(0), nums(2, 2), nums(2, 1), "\x89", ordered)
	for what, pickle := range map[string]string{
		"_rebuild_tensor":                     name("torch._utils", "_rebuild_tensor") + tup(storageOf("FloatStorage", "0", 4), num(0), nums(2, 2), nums(2, 1)) + "R",
		"_rebuild_tensor_v2":                  floats4,
		"_rebuild_tensor_v2 with metadata":    name("torch._utils", "_rebuild_tensor_v2") + tup(storageOf("FloatStorage", "0", 4), num(0), nums(2, 2), nums(2, 1), "\x89", ordered, "}") + "R",
		"_rebuild_tensor_v3":                  name("torch._utils", "_rebuild_tensor_v3") + tup(untyped, num(0), nums(2, 2), nums(2, 1), "\x89", ordered, name("torch", "float32")) + "R",
		"_rebuild_from_type_v2":               name("torch._tensor", "_rebuild_from_type_v2") + tup(name("torch._utils", "_rebuild_tensor_v2"), name("a", "Sub"), inner, "}") + "R",
		"_rebuild_parameter":                  name("torch._utils", "_rebuild_parameter") + tup(floats4, "\x88", ordered) + "R",
		"_rebuild_parameter_with_state":       name("torch._utils", "_rebuild_parameter_with_state") + tup(floats4, "\x88", ordered, "}") + "R",
		"storage on a graphics card":          tensorOf(tup(str("storage"), name("torch.cuda", "FloatStorage"), str("0"), str("cuda:0"), num(4))+"Q", 0, []int64{2, 2}, []int64{2, 1}),
		"storage whose key is a number":       tensorOf(tup(str("storage"), name("torch", "FloatStorage"), "K\x00", str("cpu"), num(4))+"Q", 0, []int64{2, 2}, []int64{2, 1}),
		"numpy array":                         array("f4", nums(2, 2), "C\x10"+four),
		"tensor inside an opaque object":      name("__main__", "Box") + ")\x81" + dictOf(str("tensor"), floats4) + "b",
		"strides of dimensions of length one": tensorOf(storageOf("FloatStorage", "0", 4), 0, []int64{1, 4, 1}, []int64{99, 1, 77}),
	} {
		f, err := open(file(t, pickle))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := readAll(t, f, "tensor"); !slices.Equal(got, []float32{1, 2, 3, 4}) {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestOldFilesWithViews reads a storage that is a part of another, as PyTorch
// before 0.4 wrote views.
func TestOldFilesWithViews(t *testing.T) {
	part := tup(str("storage"), name("torch", "FloatStorage"), str("0"), str("cpu"), num(4), tup(str("1"), num(1), num(2))) + "Q"
	f := mustOpen(t, legacyFile(tensorOf(part, 0, []int64{2}, []int64{1}), littleEndian, "]("+str("0")+"e", legacyFour, "what follows is another file"))
	if got := readAll(t, f, "tensor"); !slices.Equal(got, []float32{2, 3}) {
		t.Errorf("%v, expected [2 3]", got)
	}
	if _, err := open(legacyFile(tensorOf(part, 0, []int64{3}, []int64{1}), littleEndian, "]("+str("0")+"e", legacyFour)); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("a tensor beyond its part gives %v, expected an ErrFormat", err)
	}
}

// TestBigEndianStoragesAreTurned reads storages written on a big-endian
// machine, contiguous and not.
func TestBigEndianStoragesAreTurned(t *testing.T) {
	var be []byte
	for _, x := range []float32{1, 2, 3, 4} {
		be = binary.BigEndian.AppendUint32(be, math.Float32bits(x))
	}
	s := storageOf("FloatStorage", "0", 4)
	f := mustOpen(t, zipOf(t,
		zipEntry{"m/data.pkl", "\x80\x02" + dictOf(
			str("a"), tensorOf(s, 0, []int64{2, 2}, []int64{2, 1}), str("b"), tensorOf(s, 0, []int64{2, 2}, []int64{1, 2}),
			str("c"), tensorOf(storageOf("ByteStorage", "0", 16), 0, []int64{2}, []int64{1})) + "."},
		zipEntry{"m/byteorder", "big"}, zipEntry{"m/data/0", string(be)}))
	if got := readAll(t, f, "a"); !slices.Equal(got, []float32{1, 2, 3, 4}) {
		t.Errorf("a = %v", got)
	}
	if got := readAll(t, f, "b"); !slices.Equal(got, []float32{1, 3, 2, 4}) {
		t.Errorf("b = %v", got)
	}
	if got := readAll(t, f, "c"); !slices.Equal(got, []float32{0x3f, 0x80}) {
		t.Errorf("c = %v", got)
	}
	if whole, err := f.Tensor("a"); err != nil || !bytes.Equal(whole.Data, []byte(four)) {
		t.Errorf("a as bytes: %v, %v", whole.Data, err)
	}
}

// TestNumpyArrays reads Fortran order and big-endian elements.
func TestNumpyArrays(t *testing.T) {
	dtype := name("numpy", "dtype") + tup(str("i2"), "\x89", "\x88") + "R" + tup("K\x03", str(">"), "N", "N", "N", num(-1), num(-1), "K\x00") + "b"
	fortran := name("numpy._core.multiarray", "_reconstruct") + tup(name("numpy", "ndarray"), tup("K\x00"), "C\x01b") + "R" +
		tup("K\x01", nums(2, 3), dtype, "\x88", "C\x0c\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06") + "b"
	text := array("U3", nums(1), "C\x0ca\x00\x00\x00b\x00\x00\x00c\x00\x00\x00")
	f := mustOpen(t, file(t, dictOf(str("a"), fortran, str("b"), text)))
	if got := readAll(t, f, "a"); !slices.Equal(got, []float32{1, 3, 5, 2, 4, 6}) {
		t.Errorf("a = %v", got)
	}
	if v := f.Values(); len(v) == 0 || v[0].Path != "b" || v[0].Class != "numpy.ndarray" {
		t.Errorf("an array of text gives %v", v)
	}
}

// TestUnknownElementTypesAreListed: their other tensors stay readable.
func TestUnknownElementTypesAreListed(t *testing.T) {
	f := mustOpen(t, file(t, dictOf(
		str("a"), tensorOf(storageOf("ComplexFloatStorage", "0", 2), 0, []int64{2}, []int64{1}),
		str("b"), floats4, str("c"), storageOf("FloatStorage", "0", 4))))
	info, ok := f.Info("a")
	if !ok || info.DType != checkpoint.Unknown || info.TypeName != "complex64" || info.Bytes != 16 {
		t.Errorf("%+v, %v", info, ok)
	}
	if _, err := f.Tensor("a"); !errors.Is(err, checkpoint.ErrDType) {
		t.Errorf("complex numbers are read: %v", err)
	}
	if got := readAll(t, f, "b"); len(got) != 4 {
		t.Errorf("b = %v", got)
	}
	if v := f.Values(); len(v) != 1 || v[0].Path != "c" || v[0].Class != "torch.storage" {
		t.Errorf("a storage by itself gives %v", v)
	}
	if _, err := f.Tensor("q"); !errors.Is(err, checkpoint.ErrMissing) {
		t.Errorf("a missing tensor gives %v", err)
	}
}

// TestSmallCompressedEntriesAreRead: a file packed again by other tools.
func TestSmallCompressedEntriesAreRead(t *testing.T) {
	f := mustOpen(t, deflated(t, zipEntry{"m/data/0", four}, zipEntry{"m/data.pkl", "\x80\x02" + floats4 + "."}))
	if got := readAll(t, f, "tensor"); !slices.Equal(got, []float32{1, 2, 3, 4}) {
		t.Errorf("%v", got)
	}
	if info, _ := f.Info("tensor"); info.Offset != 0 {
		t.Errorf("a compressed tensor is said to be at %d", info.Offset)
	}
}

// TestOffsetsPointIntoTheFile checks Info.Offset on the goldens' contiguous
// tensors.
func TestOffsetsPointIntoTheFile(t *testing.T) {
	checked := 0
	for _, path := range goldenFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := mustOpen(t, b)
		for _, n := range f.Names() {
			x, err := f.Tensor(n)
			if err != nil {
				t.Fatal(err)
			}
			if x.Offset == 0 || x.DType == checkpoint.Bool {
				continue
			}
			checked++
			if !bytes.Equal(b[x.Offset:x.Offset+x.Bytes], x.Data) {
				t.Errorf("%s: %s is not at %d", path, n, x.Offset)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d tensors have an offset", checked)
	}
}

// TestBooleansAreZeroOrOne, whatever byte the file has.
func TestBooleansAreZeroOrOne(t *testing.T) {
	f := mustOpen(t, zipOf(t, zipEntry{"m/data.pkl", "\x80\x02" + tensorOf(storageOf("BoolStorage", "0", 3), 0, []int64{3}, []int64{1}) + "."}, zipEntry{"m/data/0", "\x00\x01\xff"}))
	x, err := f.Tensor("tensor")
	if err != nil || !bytes.Equal(x.Data, []byte{0, 1, 1}) {
		t.Errorf("%v, %v", x.Data, err)
	}
}

// TestViewsAgainstAnOdometer draws shapes, strides and offsets and compares
// each element with the one index arithmetic names.
func TestViewsAgainstAnOdometer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
		stride := rapid.SliceOfN(rapid.Int64Range(0, 9), len(shape), len(shape)).Draw(t, "stride")
		offset := rapid.Int64Range(0, 5).Draw(t, "offset")
		var want []byte
		var walk func(axis int, at int64)
		walk = func(axis int, at int64) {
			if axis == len(shape) {
				want = binary.LittleEndian.AppendUint16(want, uint16(at))
				return
			}
			for i := range shape[axis] {
				walk(axis+1, at+int64(i)*stride[axis])
			}
		}
		walk(0, offset)
		v := &stored{rec: numbers(200), dtype: dtypes["int16"], offset: offset, shape: shape, stride: stride, numel: int64(len(want) / 2)}
		got, err := v.gather(false)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v, %v; expected %v", got, err, want)
		}
		if v.contiguous() && v.numel > 0 {
			whole := make([]byte, len(want))
			if _, err := v.rec.r.ReadAt(whole, 2*offset); err != nil || !bytes.Equal(whole, want) {
				t.Fatalf("called contiguous but is not")
			}
		}
	})
}

// numbers is a record of n int16: 0, 1, 2, ...
func numbers(n int) *record {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(i))
	}
	return &record{r: bytesAt(b), size: int64(len(b))}
}

// TestLargeViewsAreReadPiecewise transposes 18 MB and counts what is read and
// kept.
func TestLargeViewsAreReadPiecewise(t *testing.T) {
	const rows, cols = 3000, 3000
	b := make([]byte, rows*cols*2)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	c := &counting{r: bytesAt(b)}
	v := &stored{rec: &record{r: c, size: int64(len(b))}, dtype: dtypes["int16"], shape: []int{cols, rows}, stride: []int64{1, cols}, numel: rows * cols}
	got, err := v.gather(false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cols {
		for j := range rows {
			if k := 2 * (j*cols + i); got[2*(i*rows+j)] != b[k] || got[2*(i*rows+j)+1] != b[k+1] {
				t.Fatalf("element %d, %d differs", i, j)
			}
		}
	}
	if c.largest > gatherBytes || c.total > int64(len(b))*11/10 {
		t.Errorf("read %d bytes, %d at a time; expected about %d and at most %d", c.total, c.largest, len(b), gatherBytes)
	}
}

type counting struct {
	r       io.ReaderAt
	total   int64
	largest int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.total += int64(len(p))
	c.largest = max(c.largest, len(p))
	return c.r.ReadAt(p, off)
}

// TestOpeningReadsNoStorage counts the bytes read from a file whose one storage
// has 8 MB.
func TestOpeningReadsNoStorage(t *testing.T) {
	b := zipOf(t, zipEntry{"m/data.pkl", "\x80\x02" + tensorOf(storageOf("FloatStorage", "0", 2<<20), 0, []int64{2 << 20}, []int64{1}) + "."}, zipEntry{"m/data/0", strings.Repeat("abcd", 2<<20)})
	c := &counting{r: bytes.NewReader(b)}
	f, err := New(c, int64(len(b)), "x.pt")
	if err != nil {
		t.Fatal(err)
	}
	if c.total > 1<<17 {
		t.Errorf("opening read %d bytes", c.total)
	}
	c.largest = 0
	if d := readAll(t, f, "tensor"); len(d) != 2<<20 || c.largest > 1<<20 {
		t.Errorf("%d elements, read %d bytes at a time", len(d), c.largest)
	}
}

// TestReadingFromSeveralGoroutines reads one file at once; the race detector
// watches.
func TestReadingFromSeveralGoroutines(t *testing.T) {
	f, err := Open("testdata/golden/views.pt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, n := range f.Names() {
				if _, err := f.Tensor(n); err != nil {
					t.Error(err)
				}
			}
			_ = f.Values()
		})
	}
	wg.Wait()
}

// TestOpenErrors: files that are not there, are folders, or fail while read.
func TestOpenErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.pt")
	if _, err := Open(missing); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), missing) {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("a folder gives %v", err)
	}
	b, err := os.ReadFile("testdata/golden/legacy_module_rnn.pt")
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		f, err := New(bytesAt(b[:n]), int64(len(b)), "x.pt")
		if err != nil {
			continue
		}
		// The pickles and heads were there, the last storage is not whole.
		names := f.Names()
		if _, err := f.Tensor(names[len(names)-1]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("with %d of %d bytes its last tensor gives %v", n, len(b), err)
		}
	}
}

func TestStrip(t *testing.T) {
	for from, want := range map[string]string{
		"weight":              "weight",
		"module":              "module",
		"module.weight":       "weight",
		"module.rnn.weight":   "rnn.weight",
		"_orig_mod.weight":    "weight",
		"module._orig_mod.w":  "w",
		"_orig_mod.module.w":  "w",
		"rnn._orig_mod.w":     "rnn.w",
		"rnn.module.w":        "rnn.module.w",
		"a/module.b/module.w": "a/module.b/w",
		"model_state_dict/module._orig_mod.rnn.weight_ih_l0": "model_state_dict/rnn.weight_ih_l0",
		"": "",
	} {
		if got := Strip(from); got != want {
			t.Errorf("Strip(%q) = %q, expected %q", from, got, want)
		}
	}
}
