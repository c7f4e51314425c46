package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

type hostile struct {
	name  string
	bytes []byte
	place string // what the message says besides the file: where ...
	why   string // ... and why
}

// hostileFiles are files made to do harm, each with its refusal.
func hostileFiles(t testing.TB) []hostile {
	const pkl = "m/data.pkl byte "
	rebuild := func(offset int64, size, stride []int64) []byte {
		return file(t, tensorOf(storageOf("FloatStorage", "0", 4), offset, size, stride))
	}
	all := []hostile{
		{"calls os.system", file(t, name("os", "system")+tup(str("true"))+"R"), pkl + "2", "os.system"},
		{"names posix.system only", file(t, dictOf(str("a"), name("posix", "system"))), pkl, "posix.system"},
		{"calls eval of Python 2", file(t, name("__builtin__", "eval")+tup(str("1"))+"R"), pkl, "builtins.eval"},
		{"makes a subprocess.Popen", file(t, name("subprocess", "Popen")+tup(str("true"))+"\x81"), pkl, "subprocess.Popen"},
		{"runs code through INST", file(t, "("+str("true")+"ios\nsystem\n"), pkl, "os.system"},
		{"runs code through OBJ", file(t, "("+name("nt", "system")+str("true")+"o"), pkl, "nt.system"},
		{"names by STACK_GLOBAL", file(t, str("os")+str("system")+"\x93"), pkl, "os.system"},
		{"leads through an import", file(t, str("torch.serialization")+str("os.system")+"\x93"), pkl, "os.system"},
		{"takes apart a builtin", file(t, name("builtins", "getattr")+tup(name("builtins", "object"), str("__subclasses__"))+"R"), pkl, "__subclasses__"},
		{"calls a string", file(t, str("os.system")+")R"), pkl, "expected a name"},
		{"calls without a tuple", file(t, name("collections", "OrderedDict")+"]R"), pkl, "expected a tuple"},
		{"loads something in a pickle", file(t, loads(".")), "byte 0", "neither a zip file nor a pickle"},
		{"loads a pickle that runs code in a pickle", file(t, loads("\x80\x02cos\nsystem\n.")), "first pickle byte", "os.system"},
		{"loads a pickle in a pickle in a pickle", file(t, loads("\x80\x02"+loads("\x80\x02N.")+".")), "x.pt", "checkpoint in a checkpoint"},
		{"a pickle with something after it", []byte("\x80\x02N.x"), "first pickle", "1 bytes follow"},

		{"huge LONG4", file(t, "\x8b\xff\xff\xff\x7f"), pkl, "2147483647 bytes is announced"},
		{"huge LONG1", file(t, "\x8b\x01\x04\x00\x00"+strings.Repeat("\x7f", 1025)), pkl, "an integer of 1025 bytes"},
		{"huge decimal", file(t, "L"+strings.Repeat("9", 3000)+"L\n"), pkl, "no integer"},
		{"huge text", file(t, "X\xff\xff\xff\xff"), pkl, "4294967295 bytes is announced"},
		{"huge text of 8 bytes length", file(t, "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), pkl, "18446744073709551615 bytes is announced"},
		{"huge frame", file(t, "\x95\xff\xff\xff\xff\xff\xff\xff\x7f"), pkl, "a frame of"},
		{"huge name", file(t, "c"+strings.Repeat("a", maxLine+1)+"\nb\n"), pkl, "longer than 4096"},
		{"memo place far away", file(t, "Nr\xff\xff\xff\xff"), pkl, "memo place 4294967295 is beyond"},
		{"decimal memo place far away", file(t, "Np4000000000\n"), pkl, "memo place 4000000000 is beyond"},
		{"memo place never filled", file(t, "h\x07"), pkl, "memo place 7 was never filled"},
		{"memo of nothing", file(t, "q\x00"), pkl, "the stack has none"},
		{"pop of an empty stack", file(t, "0N"), pkl, "the stack has none"},
		{"pop through a mark", file(t, "N(0"+"s"), pkl, "the stack has none"},
		{"tuple without a mark", file(t, "Nt"), pkl, "none was set"},
		{"tuple of too few", file(t, "N\x87"), pkl, "the stack has 1"},
		{"two results", file(t, "NN"), pkl, "2 values"},
		{"a mark as result", file(t, "N("), pkl, "1 values"},
		{"instruction that is none", file(t, "\xff"), pkl, "0xff is no pickle instruction"},
		{"extension code", file(t, "\x82\x01"), pkl, "0x82 has no meaning"},
		{"buffer from outside", file(t, "\x97"), pkl, "0x97 has no meaning"},
		{"protocol of the future", file(t, "\x80\x06N"), pkl, "protocol 6"},
		{"key without value", file(t, "}("+str("a")+"u"), pkl, "no value"},
		{"list as key", file(t, dictOf("]", "N")), pkl, "no key"},
		{"append to a number", file(t, "K\x01Na"), pkl, "no list"},
		{"set item of a list", file(t, "]NNs"), pkl, "no dictionary"},
		{"state of a number", file(t, "K\x01}b"), pkl, "only objects have"},
		{"state twice", file(t, name("a", "B")+")\x81}b}b"), pkl, "twice"},
		{"duplicate key", file(t, dictOf(str("a"), "K\x01", str("a"), "K\x02")), pkl, "key \"a\" is there twice"},
		{"duplicate key among many", file(t, "}("+manyKeys(20)+str("k7")+"N"+"u"), pkl, "key \"k7\" is there twice"},
		{"two paths that look the same", file(t, dictOf(str("a/b"), floats4, str("a"), dictOf(str("b"), floats4))), "tensor \"a/b\"", "two tensors have this path"},

		{"deep nesting of lists", file(t, strings.Repeat("]", 50000)+strings.Repeat("a", 49999)), "0/0/0", "nested more than 256 deep"},
		{"deep nesting of tuples", file(t, "N"+strings.Repeat("\x85", 50000)), "0/0/0", "nested more than 256 deep"},
		{"deep nesting of modules", file(t, nestedModules(1000)), "m.m.m", "modules are nested more than 256 deep"},
		{"list that contains itself", file(t, "]"+binput(0)+binget(0)+"a"), "0", "contains itself"},
		{"dictionary that contains itself", file(t, "}"+binput(0)+str("a")+"}"+str("b")+binget(0)+"ss"), "a/b", "contains itself"},
		{"module that contains itself", file(t, moduleIn()), "sub", "contains itself"},
		{"2^40 paths of lists", file(t, doubling(40, "N", func(i int) string { return "](" + binget(i) + binget(i) + "e" })), "0", "expand"},
		{"2^40 paths of dictionaries", file(t, doubling(40, floats4, func(i int) string { return dictOf(str("a"), binget(i), str("b"), binget(i)) })), "a/a/a", "expand"},
		{"long key on many paths", file(t, str(strings.Repeat("k", 4000))+binput(0)+"0]("+strings.Repeat("}"+binget(0)+"Ns", 2000)+"e"), "x.pt: ", "expand"},
		{"path of a megabyte", file(t, dictOf(str(strings.Repeat("k", 1<<20)), "N")), "the object saved", "at most 4096"},
		{"the same container copied again and again", file(t, "]("+strings.Repeat("N", 1000)+"e"+binput(0)+"\x85"+binput(1)+"0]("+strings.Repeat(name("builtins", "set")+binget(1)+"R", 3000)+"e"), pkl, "copied again and again"},
		{"one storage expanded", rebuild(0, []int64{1 << 20}, []int64{0}), "tensor \"tensor\"", "more than 64 times the file"},
		{"one storage under many names", file(t, "}"+"("+tensorNames(3000)+"u", zipEntry{"m/data/1", strings.Repeat("\x00", 1<<20)}), "tensor \"", "more than 64 times the file"},

		{"storage smaller than it says", file(t, tensorOf(storageOf("FloatStorage", "0", 5), 0, []int64{5}, []int64{1})), "m/data/0", "16 bytes, its storage needs 20"},
		{"storage of 2^61 elements", file(t, tensorOf(storageOf("DoubleStorage", "0", 1<<61), 0, []int64{5}, []int64{1})), pkl, "no number of elements"},
		{"storage of -1 elements", file(t, storageOf("FloatStorage", "0", -1)), pkl, "no number of elements"},
		{"storage that is not there", file(t, storageOf("FloatStorage", "9", 1)), "zip directory", "no entry m/data/9"},
		{"storage outside the archive", file(t, storageOf("FloatStorage", "../../0", 1)), "zip directory", "no entry m/data/../../0"},
		{"storage of an unknown class", file(t, storageOf("OddStorage", "0", 1)), pkl, "torch.OddStorage"},
		{"storage of another package", file(t, tup(str("storage"), name("evil", "FloatStorage"), str("0"), str("cpu"), num(4))+"Q"), pkl, "none of PyTorch's"},
		{"persistent id that is a string", file(t, str("0")+"Q"), pkl, "expected a tuple"},
		{"persistent id as text", file(t, "P0\n"), pkl, "0x50 has no meaning"},
		{"persistent id of another kind", file(t, nums(1, 2, 3, 4, 5)+"Q"), pkl, "persistent id is not"},
		{"tensor larger than its storage", rebuild(0, []int64{5}, []int64{1}), pkl, "reach element 4"},
		{"offset beyond the storage", rebuild(4, []int64{1}, []int64{1}), pkl, "reach element 4"},
		{"offset that overflows", rebuild(math.MaxInt64, []int64{2}, []int64{math.MaxInt64}), pkl, "reach element"},
		{"negative offset", rebuild(-1, []int64{1}, []int64{1}), pkl, "offset -1 is negative"},
		{"negative stride", rebuild(3, []int64{4}, []int64{-1}), pkl, "stride -1 of dimension 0 is negative"},
		{"negative size", rebuild(0, []int64{-4}, []int64{1}), pkl, "[-4]"},
		{"stride that overflows", rebuild(0, []int64{4, 4}, []int64{math.MaxInt64 / 2, math.MaxInt64 / 2}), pkl, "reach element"},
		{"product of sizes that overflows", rebuild(0, []int64{1 << 32, 1 << 32}, []int64{0, 0}), pkl, "[4294967296 4294967296]"},
		{"bytes that overflow", rebuild(0, []int64{1 << 61}, []int64{0}), pkl, "more bytes than"},
		{"more strides than sizes", rebuild(0, []int64{4}, []int64{1, 1}), pkl, "1 sizes and 2 strides"},
		{"65 dimensions", rebuild(0, make([]int64, 65), make([]int64, 65)), pkl, "at most 64"},
		{"tensor without a storage", file(t, name("torch._utils", "_rebuild_tensor_v2")+tup("N", num(0), nums(1), nums(1), "\x89", "N")+"R"), pkl, "expected a storage"},
		{"tensor without arguments", file(t, name("torch._utils", "_rebuild_tensor_v2")+")R"), pkl, "arguments"},
		{"numpy array without its bytes", file(t, array("f4", nums(1<<40), "C\x04abcd")), "the object saved", "does not need the 4 bytes"},
		{"numpy array whose shape overflows", file(t, array("f4", nums(1<<40, 1<<40), "C\x04abcd")), "the object saved", "[1099511627776 1099511627776]"},

		{"empty file", nil, "", "empty"},
		{"something else", []byte("hello, world"), "byte 0", "68 65 6c 6c"},
		{"tar file", append(make([]byte, 257), "ustar\x0000"...), "byte 257", "tar file"},
		{"zip that holds no checkpoint", zipOf(t, zipEntry{"a.npy", "x"}), "zip directory", "no NAME/data.pkl"},
		{"two pickles", file(t, "N", zipEntry{"n/data.pkl", "\x80\x02N."}), "n/data.pkl", "second data.pkl"},
		{"two entries of one name", file(t, "N", zipEntry{"m/data/0", "x"}), "m/data/0", "there twice"},
		{"version of the future", zipOf(t, zipEntry{"m/data.pkl", "N."}, zipEntry{"m/version", "11"}), "m/version", "\"11\""},
		{"odd byte order", zipOf(t, zipEntry{"m/data.pkl", "N."}, zipEntry{"m/byteorder", "middle"}), "m/byteorder", "\"middle\""},
		{"pickle without an end", zipOf(t, zipEntry{"m/data.pkl", "\x80\x02NNN"}), "m/data.pkl byte 5", "cut off"},
		{"zip bomb as pickle", deflated(t, zipEntry{"m/data.pkl", "\x80\x02" + strings.Repeat("N0", 1<<20) + "N."}), "m/data.pkl", "at most 131456 are unpacked"},
		{"zip bomb as storage", deflated(t, zipEntry{"m/data/0", strings.Repeat("\x00", 2<<20)}, zipEntry{"m/data.pkl", "\x80\x02" + floats4 + "."}), "m/data/0", "at most 131232 are unpacked"},
		{"compressed entry that lies about its size", patch(deflated(t, zipEntry{"m/data.pkl", "N."}), 24, 1000), "m/data.pkl", "cannot be unpacked"},
		{"stored entry with two sizes", patch(file(t, "N"), 24, 1000), "m/data.pkl", "two sizes"},
		{"entry beyond the file", patch(patch(file(t, "N"), 24, 1<<30), 20, 1<<30), "m/data.pkl", "beyond the file"},
		{"encrypted entry", patch16(file(t, "N"), 8, 1), "m/data.pkl", "encrypted"},
		{"unknown compression", patch16(file(t, "N"), 10, 99), "m/data.pkl", "method 99"},
		{"overlapping entries", overlap(file(t, floats4)), "m/data/0", "inside those of entry"},

		{"old file without storages", legacyFile(floats4, littleEndian, "]("+str("0")+"e"), "byte", "1 of 1 storages are missing"},
		{"old file with half a storage", legacyFile(floats4, littleEndian, "]("+str("0")+"e", legacyFour[:20]), "byte", "needs 16 bytes, 12 are left"},
		{"old file with another size", legacyFile(floats4, littleEndian, "]("+str("0")+"e", "\xff"+legacyFour[1:]), "byte", "has 255 elements here, the object says 4"},
		{"old file with an unknown storage", legacyFile(floats4, littleEndian, "]("+str("1")+"e", legacyFour), "fifth pickle", "not one of the 1"},
		{"old file that lists one twice", legacyFile(floats4, littleEndian, "]("+str("0")+str("0")+"e", legacyFour, legacyFour), "fifth pickle", "listed twice"},
		{"old file that lists none", legacyFile(floats4, littleEndian, "]"), "fifth pickle", "lists 0 storages"},
		{"old file without a list", legacyFile(floats4, littleEndian, "N"), "fifth pickle", "expected the list"},
		{"old big-endian file", legacyFile("N", dictOf(str("little_endian"), "\x89"), "]"), "third pickle", "little-endian"},
		{"old file with a persistent id in the keys", legacyFile("N", littleEndian, storageOf("FloatStorage", "0", 1)), "fifth pickle", "no meaning here"},
		{"old file with one storage of two sizes", legacyFile(floats4+storageOf("FloatStorage", "0", 5), littleEndian, "]"), "fourth pickle", "5 elements of 4 bytes here and 4 of 4 elsewhere"},
		{"old file with a view outside", legacyFile(tup(str("storage"), name("torch", "FloatStorage"), str("0"), str("cpu"), num(4), tup(str("1"), num(2), num(3)))+"Q", littleEndian, "]"), "fourth pickle", "outside its 4 elements"},
		{"old file of another version", bytes.Replace(legacyFile("N", littleEndian, "]"), []byte("M\xe9\x03"), []byte("M\xe8\x03"), 1), "second pickle", "1001"},
	}
	return all
}

// nestedModules is a module that has a module "m" that has a module "m", ...
func nestedModules(n int) string {
	const head = "ctorch.nn\nModule\n)\x81}"
	return strings.Repeat(head+str("_parameters")+"}s"+str("_modules")+"}"+str("m"), n) + "N" + strings.Repeat("ssb", n)
}

// moduleIn is a module whose part "sub" is itself.
func moduleIn() string {
	return name("torch.nn", "Module") + ")\x81" + binput(0) +
		dictOf(str("_parameters"), "}", str("_modules"), dictOf(str("sub"), binget(0))) + "b"
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(str("k"+itoa(i)) + "N")
	}
	return b.String()
}

// tensorNames is n keys, each with the same tensor of 2^18 float32.
func tensorNames(n int) string {
	var b strings.Builder
	b.WriteString(str("first") + tensorOf(storageOf("FloatStorage", "1", 1<<18), 0, []int64{1 << 18}, []int64{1}) + binput(0))
	for i := range n {
		b.WriteString(str("k"+itoa(i)) + binget(0))
	}
	return b.String()
}

// doubling puts v at memo place 0 and what twice makes of place i at i+1.
func doubling(n int, v string, twice func(i int) string) string {
	s := v + binput(0)
	for i := range n {
		s += "0" + twice(i) + binput(i+1)
	}
	return s
}

// loads is the call that reads a file of torch.save inside a pickle.
func loads(file string) string {
	return name("torch.storage", "_load_from_bytes") + tup("C"+string([]byte{byte(len(file))})+file) + "R"
}

func array(code, shape, data string) string {
	dtype := name("numpy", "dtype") + tup(str(code), "\x89", "\x88") + "R" + tup("K\x03", str("<"), "N", "N", "N", num(-1), num(-1), "K\x00") + "b"
	return name("numpy.core.multiarray", "_reconstruct") + tup(name("numpy", "ndarray"), tup("K\x00"), "C\x01b") + "R" +
		tup("K\x01", shape, dtype, "\x89", data) + "b"
}

// patch sets four bytes in the directory's first entry; patch16 two.
func patch(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[bytes.Index(b, []byte("PK\x01\x02"))+at:], v)
	return b
}

func patch16(b []byte, at int, v uint16) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint16(b[bytes.Index(b, []byte("PK\x01\x02"))+at:], v)
	return b
}

// overlap lets the first entry, data.pkl, reach into the second.
func overlap(b []byte) []byte {
	at := bytes.Index(b, []byte("PK\x01\x02"))
	size := binary.LittleEndian.Uint32(b[at+20:])
	return patch(patch(b, 20, size+60), 24, size+60)
}

// TestHostileFilesAreRefused opens each and finds in the message the file, the
// place and the reason.
func TestHostileFilesAreRefused(t *testing.T) {
	for _, h := range hostileFiles(t) {
		_, err := open(h.bytes)
		if !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%s: %v, expected an ErrFormat", h.name, err)
			continue
		}
		msg := err.Error()
		if strconv.IntSize == 32 && strings.Contains(msg, "beyond this machine's integers") {
			continue // refused earlier, at the first such size
		}
		if !strings.HasPrefix(msg, "x.pt: ") || !strings.Contains(msg, h.place) || !strings.Contains(msg, h.why) || len(msg) > 1000 {
			t.Errorf("%s: %q, expected %q and %q", h.name, msg, h.place, h.why)
		}
	}
}

// openAndRead opens bytes and, if they are a checkpoint, reads every tensor;
// it returns what each of the two allocated, and fails the test if a tensor is
// not what its description says.
func openAndRead(t testing.TB, b []byte) (opening, reading uint64, tensors int) {
	t.Helper()
	var before, between, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := open(b)
	runtime.ReadMemStats(&between)
	opening = between.TotalAlloc - before.TotalAlloc
	if err != nil {
		if !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%v is no ErrFormat", err)
		}
		return opening, 0, 0
	}
	names := f.Names()
	runtime.ReadMemStats(&between)
	for _, n := range names {
		x, err := f.Tensor(n)
		if errors.Is(err, checkpoint.ErrDType) {
			continue
		}
		if err != nil || x.Check() != nil {
			t.Errorf("tensor %q: %v, %v", n, err, x.Check())
		}
	}
	runtime.ReadMemStats(&after)
	return opening, after.TotalAlloc - between.TotalAlloc, len(names)
}

// bounded fails the test if opening or reading b allocated more than the
// package comment promises.
func bounded(t testing.TB, what string, b []byte) {
	t.Helper()
	opening, reading, n := openAndRead(t, b)
	size := uint64(len(b))
	if limit := openFixed + openFactor*size; opening > limit {
		t.Errorf("%s: opening %d bytes allocated %d, at most %d are promised", what, size, opening, limit)
	}
	if limit := uint64(n)*readFixed + readFactor*(size+dataFixed); reading > limit {
		t.Errorf("%s: reading %d tensors of %d bytes allocated %d, at most %d are promised", what, n, size, reading, limit)
	}
}

// TestHostileFilesAllocateLittle holds the promise of the package comment for
// the hostile files, the goldens, and files of 200 kB of what costs most per
// byte.
func TestHostileFilesAllocateLittle(t *testing.T) {
	for _, h := range hostileFiles(t) {
		bounded(t, h.name, h.bytes)
	}
	for what, b := range denseFiles(t) {
		bounded(t, what, b)
		opening, _, _ := openAndRead(t, b)
		if _, err := open(b); (err != nil) != refusedDense[what] {
			t.Errorf("%s: %v", what, err)
		}
		t.Logf("%-40s %4d bytes a byte", what, opening/uint64(len(b)))
	}
}
