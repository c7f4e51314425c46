package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"testing"
)

// Pickles in these tests are put together from pieces of text.

// str pushes a string, num an integer.
func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func num(i int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(i)))
}

func float(f float64) string {
	return "G" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

// tup makes a tuple of what its parts push, dictOf a dictionary.
func tup(parts ...string) string { return "(" + cat(parts) + "t" }

func dictOf(parts ...string) string { return "}(" + cat(parts) + "u" }

func cat(parts []string) string {
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString(p)
	}
	return b.String()
}

func name(module, name string) string { return "c" + module + "\n" + name + "\n" }

func nums(n ...int64) string {
	parts := make([]string, len(n))
	for i, x := range n {
		parts[i] = num(x)
	}
	return tup(parts...)
}

// storageOf pushes a storage, tensorOf a tensor on one.
func storageOf(class, key string, numel int64) string {
	return tup(str("storage"), name("torch", class), str(key), str("cpu"), num(numel)) + "Q"
}

func tensorOf(storage string, offset int64, size, stride []int64) string {
	return name("torch._utils", "_rebuild_tensor_v2") +
		tup(storage, num(offset), nums(size...), nums(stride...), "\x89", name("collections", "OrderedDict")+")R") + "R"
}

// floats4 is a tensor of four float32, [2,2], on storage "0".
var floats4 = tensorOf(storageOf("FloatStorage", "0", 4), 0, []int64{2, 2}, []int64{2, 1})

type zipEntry struct{ name, data string }

// zipOf is a zip file of stored entries.
func zipOf(t testing.TB, entries ...zipEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(e.data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deflated is a zip file whose first entry is compressed.
func deflated(t testing.TB, first zipEntry, rest ...zipEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, e := range append([]zipEntry{first}, rest...) {
		method := zip.Store
		if i == 0 {
			method = zip.Deflate
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		if err == nil {
			_, err = f.Write([]byte(e.data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file is a zip checkpoint with this pickle, whose storage "0" has 16 bytes:
// the float32 1, 2, 3, 4.
func file(t testing.TB, pickle string, more ...zipEntry) []byte {
	t.Helper()
	return zipOf(t, append([]zipEntry{{"m/data.pkl", "\x80\x02" + pickle + "."}, {"m/data/0", four}, {"m/version", "3\n"}}, more...)...)
}

var four = string(le32(1, 2, 3, 4))

func le32(f ...float32) []byte {
	var b []byte
	for _, x := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// legacyFile is a checkpoint of the old format.
func legacyFile(pickle string, facts string, keys string, storages ...string) []byte {
	const p = "\x80\x02"
	return []byte(p + "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + p + "M\xe9\x03." + p + facts + "." + p + pickle + "." + p + keys + "." + cat(storages))
}

var (
	littleEndian = dictOf(str("little_endian"), "\x88")
	legacyFour   = string(binary.LittleEndian.AppendUint64(nil, 4)) + four
)

func open(b []byte) (*File, error) { return New(bytes.NewReader(b), int64(len(b)), "x.pt") }

// mustOpen opens bytes that hold a checkpoint.
func mustOpen(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func binput(i int) string { return "q" + string([]byte{byte(i)}) }

func binget(i int) string { return "h" + string([]byte{byte(i)}) }

func itoa(i int) string { return strconv.Itoa(i) }
