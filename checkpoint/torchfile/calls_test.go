package torchfile

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"pgregory.net/rapid"
)

// TestCallsTakeAnyArguments gives every interpreted call drawn arguments of
// every kind: it opens or is an ErrFormat, and what opens can be read.
func TestCallsTakeAnyArguments(t *testing.T) {
	kinds := []string{
		"N", "\x88", num(-1), num(2), num(1 << 62), float(1), str("latin1"), str("2"), "C\x02ab", ")", "]", "}", "\x8f",
		nums(2), nums(2, 1), nums(1, 2, 3), tup(str("a"), "N"), "]" + tup(str("a"), "N") + "a", dictOf(str("a"), "N"),
		name("torch", "float32"), name("torch", "nothing"), name("a", "B"), name("a", "B") + ")\x81",
		name("torch._utils", "_rebuild_tensor_v2"), storageOf("FloatStorage", "0", 4), storageOf("UntypedStorage", "0", 16), floats4,
		name("numpy", "dtype") + tup(str("f4")) + "R", array("f4", nums(4), "C\x10"+four),
		tup(storageOf("FloatStorage", "0", 4), num(0), nums(2), nums(1)),
	}
	names := slices.Sorted(maps.Keys(calls))
	rapid.Check(t, func(rt *rapid.T) {
		callee := rapid.SampledFrom(names).Draw(rt, "callee")
		args := rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 8).Draw(rt, "args")
		dot := strings.LastIndexByte(callee, '.')
		b := file(t, name(callee[:dot], callee[dot+1:])+tup(args...)+"R")
		f, err := open(b)
		if err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				rt.Fatalf("%v", err)
			}
			return
		}
		for _, n := range f.Names() {
			if x, err := f.Tensor(n); err != nil && !errors.Is(err, checkpoint.ErrDType) || err == nil && x.Check() != nil {
				rt.Fatalf("%s: %v", n, err)
			}
		}
	})
}

// TestNumpyNumbers reads one number of each type.
func TestNumpyNumbers(t *testing.T) {
	for code, c := range map[string]struct {
		bytes string
		want  any
	}{
		"f8": {"\x00\x00\x00\x00\x00\x00\xf8\x3f", 1.5}, "f4": {"\x00\x00\xc0\x3f", 1.5}, "f2": {"\x00\x3e", 1.5},
		"i8": {"\xfe\xff\xff\xff\xff\xff\xff\xff", int64(-2)}, "i4": {"\xfe\xff\xff\xff", int64(-2)}, "i2": {"\xfe\xff", int64(-2)}, "i1": {"\xfe", int64(-2)},
		"u8": {"\xfe\x00\x00\x00\x00\x00\x00\x00", int64(254)}, "u4": {"\xfe\xff\xff\xff", int64(1<<32 - 2)}, "u2": {"\xfe\xff", int64(65534)}, "u1": {"\xfe", int64(254)},
		"b1": {"\x01", true}, "<f4": {"\x00\x00\xc0\x3f", 1.5},
	} {
		f := mustOpen(t, file(t, name("numpy.core.multiarray", "scalar")+name("numpy", "dtype")+tup(str(code), "\x89", "\x88")+"RC"+string([]byte{byte(len(c.bytes))})+c.bytes+"\x86R"))
		if v := f.Values(); len(v) != 1 || v[0].Data != c.want {
			t.Errorf("%s: %+v, expected %v", code, v, c.want)
		}
	}
	for what, pickle := range map[string]string{
		"too few bytes":     name("numpy", "dtype") + tup(str("f8")) + "RC\x04abcd",
		"a type of text":    name("numpy", "dtype") + tup(str("U1")) + "RC\x04abcd",
		"beyond an int64":   name("numpy", "dtype") + tup(str("u8")) + "RC\x08\xff\xff\xff\xff\xff\xff\xff\xff",
		"no type":           "NC\x04abcd",
		"a type of no code": name("numpy", "dtype") + ")RC\x04abcd",
	} {
		f := mustOpen(t, file(t, name("numpy.core.multiarray", "scalar")+pickle+"\x86R"))
		if v := f.Values(); len(v) == 0 || v[0].Class != "numpy.scalar" {
			t.Errorf("%s: %+v, expected an opaque object", what, v)
		}
	}
}

// TestModulesInsideOtherThings: paths of modules in dictionaries, shared
// modules, buffers that are not persistent, attributes that are tensors.
func TestModulesInsideOtherThings(t *testing.T) {
	mod := func(class string, parts ...string) string {
		return name("a.b", class) + ")\x81" + dictOf(parts...) + "b"
	}
	leaf := mod("Leaf", str("_parameters"), dictOf(str("w"), floats4, str("b"), "N"),
		str("_buffers"), dictOf(str("kept"), floats4, str("scratch"), floats4),
		str("_non_persistent_buffers_set"), "\x8f("+str("scratch")+"\x90",
		str("_modules"), "}", str("size"), "K\x04", str("cache"), floats4, str("_hidden"), "K\x01")
	top := mod("Top", str("_parameters"), "}", str("_modules"), dictOf(str("x"), leaf+binput(9), str("y"), "h\x09", str("none"), "N"), str("size"), "K\x02")
	f := mustOpen(t, file(t, dictOf(str("net"), top, str("epoch"), "K\x07")))
	if got, want := f.Names(), []string{"net/x.w", "net/x.kept", "net/y.w", "net/y.kept"}; !slices.Equal(got, want) {
		t.Errorf("tensors %q, expected %q", got, want)
	}
	want := []Value{
		{Path: "net", Class: "a.b.Top"},
		{Path: "net/size", Data: int64(2)},
		{Path: "net/x", Class: "a.b.Leaf"},
		{Path: "net/x.size", Data: int64(4)},
		{Path: "net/y", Class: "a.b.Leaf"},
		{Path: "net/y.size", Data: int64(4)},
		{Path: "epoch", Data: int64(7)},
	}
	if got := f.Values(); !slices.Equal(got, want) {
		t.Errorf("values %+v, expected %+v", got, want)
	}
	for what, c := range map[string]struct {
		pickle string
		want   []Value
	}{
		"a parameter that is a number": {mod("M", str("_parameters"), dictOf(str("w"), "K\x01"), str("_modules"), "}"), []Value{{Class: "a.b.M"}, {Path: "w", Data: Skipped("a module's parameter that is an int")}}},
		"a part that is a number":      {mod("M", str("_parameters"), "}", str("_modules"), dictOf(str("m"), "K\x01")), []Value{{Class: "a.b.M"}, {Path: "m", Data: Skipped("a module's part that is an int")}}},
	} {
		if got := mustOpen(t, file(t, c.pickle)).Values(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, expected %+v", what, got, c.want)
		}
	}
	unnamed := mod("M", str("_parameters"), "}", str("_modules"), dictOf("K\x01", leaf))
	if _, err := open(file(t, unnamed)); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "is called an int") {
		t.Errorf("a part without a name: %v", err)
	}
}
