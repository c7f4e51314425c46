package torchfile

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// pickleIn returns the pickle of a zip checkpoint.
func pickleIn(b []byte) ([]byte, bool) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, false
	}
	for _, e := range z.File {
		if strings.HasSuffix(e.Name, "/data.pkl") {
			r, err := e.Open()
			if err != nil {
				return nil, false
			}
			p, err := io.ReadAll(io.LimitReader(r, 1<<16))
			return p, err == nil
		}
	}
	return nil, false
}

type plain struct {
	name   string
	bytes  []byte
	values []Value
}

// plainFiles hold one value each, as Python's picklers of protocols 0 to 5
// write it.
func plainFiles(t testing.TB) []plain {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	v := func(data any) []Value { return []Value{{Data: data}} }
	at := func(kv ...any) []Value {
		var all []Value
		for i := 0; i < len(kv); i += 2 {
			all = append(all, Value{Path: kv[i].(string), Data: kv[i+1]})
		}
		return all
	}
	seq := at("0", int64(1), "1", int64(2))
	var all []plain
	for _, c := range []struct {
		name, pickle string
		values       []Value
	}{
		{"None", "N", v(nil)},
		{"True", "\x88", v(true)},
		{"True of protocol 0", "I01\n", v(true)},
		{"False of protocol 0", "I00\n", v(false)},
		{"INT", "I-5\n", v(int64(-5))},
		{"LONG", "L-5L\n", v(int64(-5))},
		{"LONG beyond int64", "L-123456789012345678901234567890L\n", v(huge)},
		{"BININT", "J\xfe\xff\xff\xff", v(int64(-2))},
		{"BININT1", "K\xfe", v(int64(254))},
		{"BININT2", "M\xfe\xff", v(int64(65534))},
		{"LONG1 of no bytes", "\x8a\x00", v(int64(0))},
		{"LONG1 of one byte", "\x8a\x01\xfe", v(int64(-2))},
		{"LONG1 of eight bytes", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", v(int64(math.MinInt64))},
		{"LONG1 of nine bytes", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00", v(new(big.Int).Lsh(big.NewInt(1), 63))},
		{"LONG1 of nine bytes that fits", "\x8a\x09\xfe\xff\xff\xff\xff\xff\xff\xff\xff", v(int64(-2))},
		{"LONG4", "\x8b\x02\x00\x00\x00\xfe\xff", v(int64(-2))},
		{"FLOAT", "F-2.5\n", v(-2.5)},
		{"BINFLOAT", float(-2.5), v(-2.5)},
		{"STRING", "S'a\\'b\\x41\\n\"'\n", v("a'bA\n\"")},
		{"STRING not of UTF-8", "S'\\xff'\n", v([]byte{0xff})},
		{"BINSTRING", "T\x02\x00\x00\x00ab", v("ab")},
		{"SHORT_BINSTRING", "U\x02ab", v("ab")},
		{"UNICODE", "Va\\u00e9\\U0001f600\xe9\\\n", v("aé😀é\\")},
		{"BINUNICODE", str("é"), v("é")},
		{"BINUNICODE with a lone surrogate", str("a\xed\xa0\x80"), v("a\uFFFD")},
		{"SHORT_BINUNICODE", "\x8c\x02ab", v("ab")},
		{"BINUNICODE8", "\x8d\x02\x00\x00\x00\x00\x00\x00\x00ab", v("ab")},
		{"BINBYTES", "B\x02\x00\x00\x00ab", v([]byte("ab"))},
		{"SHORT_BINBYTES", "C\x02ab", v([]byte("ab"))},
		{"BINBYTES8", "\x8e\x02\x00\x00\x00\x00\x00\x00\x00ab", v([]byte("ab"))},
		{"BYTEARRAY8", "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab", v([]byte("ab"))},
		{"bytes in protocol 2", name("_codecs", "encode") + tup(str("aé"), str("latin1")) + "R", v([]byte("a\xe9"))},
		{"no bytes in protocol 2", name("__builtin__", "bytes") + ")R", v([]byte{})},
		{"bytearray in protocol 2", name("__builtin__", "bytearray") + tup(str("é"), str("latin-1")) + "R", v([]byte("\xe9"))},
		{"complex", name("builtins", "complex") + tup(float(1), float(-2)) + "R", v(complex(1, -2))},

		{"EMPTY_TUPLE", ")", nil},
		{"TUPLE2", "K\x01K\x02\x86", seq},
		{"TUPLE3 and TUPLE1", "K\x01K\x02K\x03\x85\x87", at("0", int64(1), "1", int64(2), "2/0", int64(3))},
		{"TUPLE", "(K\x01K\x02t", seq},
		{"LIST", "(K\x01K\x02l", seq},
		{"APPEND", "]K\x01aK\x02a", seq},
		{"APPENDS", "](K\x01K\x02e", seq},
		{"EMPTY_SET", "\x8f(K\x01K\x02\x90", seq},
		{"FROZENSET", "(K\x01K\x02\x91", seq},
		{"set in protocol 2", name("__builtin__", "set") + "](K\x01K\x02e\x85R", seq},
		{"deque", name("collections", "deque") + ")K\x05\x86R(K\x01K\x02e", seq},
		{"deque of old Python", name("collections", "deque") + "](K\x01K\x02e\x85R", seq},
		{"torch.Size", name("torch", "Size") + "K\x01K\x02\x86\x85R", seq},
		{"DICT", "(" + str("a") + "K\x01d", at("a", int64(1))},
		{"SETITEM", "}" + str("a") + "K\x01s", at("a", int64(1))},
		{
			"SETITEMS", dictOf(str("a"), "K\x01", "K\x07", "K\x02", "\x88", "N", "N", "N", float(0.5), "N", tup("K\x01", str("x")), "N"),
			at("a", int64(1), "7", int64(2), "True", nil, "None", nil, "0.5", nil, "(1, x)", nil),
		},
		{"OrderedDict", name("collections", "OrderedDict") + ")R" + str("a") + "K\x01s", at("a", int64(1))},
		{"OrderedDict of Python 2", name("collections", "OrderedDict") + "]](" + str("a") + "K\x01ea\x85R", at("a", int64(1))},
		{"OrderedDict with attributes", name("collections", "OrderedDict") + ")R" + str("a") + "K\x01s}" + str("_metadata") + "}sb", at("a", int64(1))},
		{"defaultdict", name("collections", "defaultdict") + name("builtins", "list") + "\x85R" + str("a") + "K\x01s", at("a", int64(1))},
		{"Counter", name("collections", "Counter") + dictOf(str("a"), "K\x01") + "\x85R", at("a", int64(1))},
		{"dictionary inside a list inside a dictionary", dictOf(str("a"), "]"+dictOf(str("b"), "K\x01")+"a"), at("a/0/b", int64(1))},

		{"DUP", "K\x012\x86", at("0", int64(1), "1", int64(1))},
		{"POP and POP_MARK", "K\x01N0(NN1(0", v(int64(1))},
		{"PUT and GET", "K\x01p0\ng0\n\x86", at("0", int64(1), "1", int64(1))},
		{"BINPUT and BINGET", "K\x01q\x00h\x00\x86", at("0", int64(1), "1", int64(1))},
		{"LONG_BINPUT and LONG_BINGET", "K\x01r\x00\x00\x00\x00j\x00\x00\x00\x00\x86", at("0", int64(1), "1", int64(1))},
		{"MEMOIZE", "K\x01\x94h\x00\x86", at("0", int64(1), "1", int64(1))},
		{"FRAME", "\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01", v(int64(1))},

		{"element type", name("torch", "float32"), v(Name("torch.float32"))},
		{"function as a value", name("torch.nn.functional", "relu"), v(Name("torch.nn.functional.relu"))},
		{"method as a value", name("__builtin__", "getattr") + name("torch._C", "_VariableFunctions") + str("tanh") + "\x86R", v(Name("torch._C._VariableFunctions.tanh"))},
		{"device", name("torch", "device") + str("cuda") + "K\x01\x86R", v("cuda:1")},
		{"layout", name("torch.serialization", "_get_layout") + str("torch.strided") + "\x85R", v("torch.strided")},
		{"numpy number", name("numpy.core.multiarray", "scalar") + name("numpy", "dtype") + tup(str("f8"), "\x89", "\x88") + "R" +
			"(K\x03" + str("<") + "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + "C\x08\x00\x00\x00\x00\x00\x00\xf8\x3f\x86R", v(1.5)},
		{"big-endian numpy number", name("numpy._core.multiarray", "scalar") + name("numpy", "dtype") + tup(str("i2"), "\x89", "\x88") + "R" +
			"(K\x03" + str(">") + "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + "C\x02\xff\xfe\x86R", v(int64(-2))},

		{
			"object", name("__main__", "Options") + ")\x81" + dictOf(str("lr"), float(0.5)) + "b",
			[]Value{{Class: "__main__.Options"}, {Path: "lr", Data: 0.5}},
		},
		{
			"object of protocol 0", name("copy_reg", "_reconstructor") + "(" + name("__main__", "Options") + name("__builtin__", "object") + "NtR(" + str("lr") + float(0.5) + "db",
			[]Value{{Class: "__main__.Options"}, {Path: "lr", Data: 0.5}},
		},
		{"object of INST", "(K\x01i__main__\nOptions\n", []Value{{Class: "__main__.Options"}, {Path: "args/0", Data: int64(1)}}},
		{"object of OBJ", "(" + name("__main__", "Options") + "K\x01o", []Value{{Class: "__main__.Options"}, {Path: "args/0", Data: int64(1)}}},
		{"object with keywords", name("__main__", "Options") + ")" + dictOf(str("a"), "K\x01") + "\x92", []Value{{Class: "__main__.Options"}, {Path: "args/0/a", Data: int64(1)}}},
		{"object with slots", name("__main__", "Options") + ")\x81N" + dictOf(str("a"), "K\x01") + "\x86b", []Value{{Class: "__main__.Options"}, {Path: "a", Data: int64(1)}}},
		{"object with another state", name("__main__", "Options") + ")\x81K\x01b", []Value{{Class: "__main__.Options"}, {Path: "state", Data: int64(1)}}},
		{"subclass of dict", name("a.b", "Config") + ")\x81" + str("a") + "K\x01s", []Value{{Class: "a.b.Config"}, {Path: "a", Data: int64(1)}}},
		{"subclass of list", name("a.b", "Items") + ")\x81K\x01a", []Value{{Class: "a.b.Items"}, {Path: "0", Data: int64(1)}}},
		{"enumeration", name("__main__", "Kind") + "K\x01\x85R", []Value{{Class: "__main__.Kind"}, {Path: "args/0", Data: int64(1)}}},
		{"date", name("datetime", "datetime") + "C\x02ab\x85R", []Value{{Class: "datetime.datetime"}, {Path: "args/0", Data: []byte("ab")}}},
		{
			"object that refers to itself", name("__main__", "Node") + ")\x81" + binput(0) + dictOf(str("me"), "]"+binget(0)+"a") + "b",
			[]Value{{Class: "__main__.Node"}, {Path: "me/0", Data: Same("")}},
		},
		{
			"list with an object that refers to it", "]" + binput(0) + name("__main__", "Node") + ")\x81" + dictOf(str("up"), binget(0)) + "ba",
			[]Value{{Path: "0", Class: "__main__.Node"}, {Path: "0/up", Data: Same("")}},
		},
		{
			"class and source of old files", tup(str("module"), name("__main__", "Net"), str("net.py"), str("class Net: pass")) + "Q)\x81",
			[]Value{{Class: "__main__.Net"}},
		},
	} {
		all = append(all, plain{c.name, file(t, c.pickle), c.values})
	}
	return all
}

// TestEveryInstruction reads one value by each opcode and each interpreted
// call.
func TestEveryInstruction(t *testing.T) {
	for _, c := range plainFiles(t) {
		f, err := open(c.bytes)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := f.Values(); len(got)+len(c.values) > 0 && !reflect.DeepEqual(got, c.values) {
			t.Errorf("%s: %s, expected %s", c.name, fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", c.values))
		}
	}
}
