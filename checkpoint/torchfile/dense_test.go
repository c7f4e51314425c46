package torchfile

import (
	"strings"
	"testing"
)

// denseFiles are valid files of about 200 kB that make the most of each byte.
func denseFiles(t testing.TB) map[string][]byte {
	const n = 200_000
	rep := func(s string) string { return strings.Repeat(s, n/len(s)) }
	all := map[string]string{
		"empty tuples":         "](" + rep(")") + "e",
		"empty lists":          "](" + rep("]") + "e",
		"empty dicts":          "](" + rep("}") + "e",
		"empty sets":           "](" + rep("\x8f") + "e",
		"None":                 "](" + rep("N") + "e",
		"small integers":       "](" + rep("K\x01") + "e",
		"memoized None":        "](" + rep("N\x94") + "e",
		"memo over and over":   "](N" + rep("\x94") + "e",
		"marks":                rep("(1") + "N",
		"open marks":           rep("("),
		"tuples of one":        "](" + rep("N\x85") + "e",
		"tuples by mark":       "](" + rep("(t") + "e",
		"dicts of one":         "](" + rep("}NNs") + "e",
		"dict of many":         "}(" + rep("U\x02ab\x85N") + "d",
		"distinct keys":        "}(" + distinct(n/8) + "u",
		"objects":              name("a", "B") + binput(0) + "0](" + rep("h\x00)\x81") + "e",
		"objects with items":   name("a", "B") + binput(0) + "0](" + rep("h\x00)\x81NNs") + "e",
		"names":                "](" + rep("ca\nB\n") + "e",
		"calls":                name("collections", "OrderedDict") + binput(0) + "0](" + rep("h\x00)R") + "e",
		"shared tuple":         ")" + binput(0) + "0](" + rep("h\x00") + "e",
		"one tensor":           "](" + floats4 + binput(0) + rep("h\x00") + "e",
		"empty tensors":        "](" + empty + binput(0) + rep("h\x00") + "e",
		"short strings":        "](" + rep("U\x01a") + "e",
		"strings not of UTF-8": "](" + rep("\x8c\x01\xff") + "e",
		"long integers":        "](" + rep("\x8a\x09aaaaaaaaa") + "e",
		"integers":             "](" + rep("\x8a\x03aaa") + "e",
		"lines":                "](" + rep("I1\n") + "e",
		"floats":               "](" + rep(float(1)) + "e",
		"complex numbers":      float(1) + float(2) + "\x86" + binput(1) + "0" + name("builtins", "complex") + binput(0) + "0](" + rep("h\x00h\x01R") + "e",
		"sets copied":          name("builtins", "set") + binput(0) + "0](" + rep("N") + "e\x85" + binput(1) + "0](h\x00h\x01Rh\x00h\x01Re",
		"numpy numbers":        scalar + "](" + rep("h\x00h\x01R") + "e",
		"lists inside a list":  "](" + rep("](NNe") + "e",
		"None under a path":    "}" + str(strings.Repeat("k", 50)) + "](" + rep("N") + "es",
		"None on two paths":    "](" + rep("N") + "e" + binput(0) + "0}" + str(strings.Repeat("k", 24)) + "h\x00s" + str(strings.Repeat("l", 24)) + "h\x00s",
		"all at once":          name("builtins", "list") + binput(1) + "0](" + rep("N") + "e\x85" + binput(0) + "0h\x01h\x00R" + binput(2) + "0}" + str(strings.Repeat("k", 24)) + "h\x02s" + str(strings.Repeat("l", 24)) + "h\x02s",
	}
	files := make(map[string][]byte, len(all))
	for what, p := range all {
		files[what] = file(t, p)
	}
	entries := []zipEntry{{"m/data.pkl", "N."}}
	for i := range 3000 {
		entries = append(entries, zipEntry{itoa(i), ""})
	}
	files["zip entries"] = zipOf(t, entries...)
	return files
}

// refusedDense are those of denseFiles that are refused: at their end, or where
// what they hold is more than a file of their size may.
var refusedDense = map[string]bool{
	"open marks": true, "dict of many": true,
	"empty dicts": true, "empty lists": true, "empty sets": true, "empty tuples": true, "tuples of one": true,
	"tuples by mark": true, "dicts of one": true, "None": true, "None under a path": true, "None on two paths": true,
	"one tensor": true, "empty tensors": true, "sets copied": true, "objects": true, "objects with items": true,
	"all at once": true, "calls": true,
}

var empty = tensorOf(storageOf("FloatStorage", "0", 0), 0, []int64{0}, []int64{1})

// scalar leaves numpy's scalar at memo place 0 and its arguments at 1.
var scalar = name("numpy.core.multiarray", "scalar") + binput(0) + "0" +
	name("numpy", "dtype") + tup(str("f8")) + "R" + "C\x08abcdefgh" + "\x86" + binput(1) + "0"

func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("\x8c\x04" + string([]byte{byte('a' + i%16), byte('a' + i>>4%16), byte('a' + i>>8%16), byte('a' + i>>12%16)}) + "N")
	}
	return b.String()
}
