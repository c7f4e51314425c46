package checkpoint_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
)

// part is a field of a protobuf message.
func part(num protowire.Number, body ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(body, nil))
}

func number(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func word(num protowire.Number, s string) []byte { return part(num, []byte(s)) }

// graph is an ONNX file of a graph with output "o".
func graph(parts ...[]byte) []byte {
	return part(7, append(parts, part(12, word(1, "o")))...)
}

func node(op string, in []string, out ...string) []byte {
	b := [][]byte{word(4, op)}
	for _, s := range in {
		b = append(b, word(1, s))
	}
	for _, s := range out {
		b = append(b, word(2, s))
	}
	return part(1, b...)
}

// floats is an initializer of zeros.
func floats(name string, dims ...int) []byte {
	b, n := [][]byte{word(8, name), number(2, 1)}, 4
	for _, d := range dims {
		b, n = append(b, number(1, uint64(d))), n*d
	}
	return part(5, append(b, part(9, make([]byte, n)))...)
}

// shape is a type of float32 in an input of a graph.
func shape(dims ...int) []byte {
	var d [][]byte
	for _, n := range dims {
		d = append(d, part(1, number(1, uint64(n))))
	}
	return part(2, part(1, number(1, 1), part(2, d...)))
}

// until repeats what f makes until there is about a megabyte of it.
func until(f func(i int) []byte) []byte {
	var b []byte
	for i := 0; len(b) < 1<<20; i++ {
		b = append(b, f(i)...)
	}
	return b
}

// denseFiles are files of about a megabyte in which each byte costs its reader
// as much as we know to make it.
func denseFiles(t testing.TB) map[string][]byte {
	t.Helper()
	header := func(entries []byte) []byte {
		entries = append([]byte("{"), bytes.TrimSuffix(entries, []byte(","))...)
		entries = append(entries, '}')
		return append(binary.LittleEndian.AppendUint64(nil, uint64(len(entries))), entries...)
	}
	archive := func(name func(i int) string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		npy := "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }"
		npy += strings.Repeat(" ", 128-1-len(npy)) + "\n"
		for i := 0; b.Len() < 1<<20; i++ {
			e, err := z.CreateHeader(&zip.FileHeader{Name: name(i), Method: zip.Store})
			if err == nil {
				_, err = e.Write([]byte(npy))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const h = 64
	squeeze := func(in, out string) []byte {
		axes := part(5, word(1, "axes"), number(8, 1), number(20, 7))
		return part(1, word(4, "Squeeze"), word(1, in), word(2, out), axes)
	}
	lstm := [][]byte{floats("W", 1, 3*h, h), floats("R", 1, 3*h, h), part(11, word(1, "x0"), shape(1, 1, h))}
	small := [][]byte{floats("W", 1, 3, 1), floats("R", 1, 3, 1), part(11, word(1, "x0"), shape(1, 1, 1))}
	var states [][]byte
	var finals []string
	for i := range 4000 {
		finals = append(finals, fmt.Sprintf("h%x", i))
		states = append(states, node("GRU", []string{fmt.Sprintf("x%x", i), "W", "R"}, fmt.Sprintf("y%x", i), finals[i]), squeeze(fmt.Sprintf("y%x", i), fmt.Sprintf("x%x", i+1)))
	}
	states = append(states, node("Concat", finals, "s"))
	last := "s"
	states = append(states, until(func(i int) []byte {
		from := last
		last = fmt.Sprintf("s%x", i+1)
		return node("Concat", []string{from}, last)
	}), node("Identity", []string{last}, "s0"))
	return map[string][]byte{
		"safetensors: empty tensors": header(until(func(i int) []byte {
			return fmt.Appendf(nil, `"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`, i)
		})),
		"safetensors: dimensions": header(until(func(i int) []byte {
			return fmt.Appendf(nil, `"%x":{"dtype":"U8","shape":[0%s],"data_offsets":[0,0]},`, i, strings.Repeat(",1", 63))
		})),
		"safetensors: metadata": header(append(append([]byte(`"__metadata__":{`), bytes.TrimSuffix(until(func(i int) []byte { return fmt.Appendf(nil, `"%x":"",`, i) }), []byte(","))...), "},"...)),
		"npz: empty arrays":     archive(func(i int) string { return fmt.Sprintf("%x.npy", i) }),
		"csv: lines":            until(func(int) []byte { return []byte("1\n") }),
		"csv: one line":         until(func(int) []byte { return []byte("1,") }),
		"csv: names":            until(func(int) []byte { return []byte("a,") }),
		"jsonl: lines":          until(func(int) []byte { return []byte("1\n") }),
		"jsonl: one line":       append([]byte("[1"), append(until(func(int) []byte { return []byte(",1") }), ']')...),
		"jsonl: nesting":        until(func(int) []byte { return []byte("[") }),
		"jsonl: empty arrays":   append([]byte("[[]"), append(until(func(int) []byte { return []byte(",[]") }), ']')...),
		"jsonl: keys":           append([]byte(`{"":1`), append(until(func(i int) []byte { return fmt.Appendf(nil, `,"%x":1`, i) }), '}')...),
		"onnx: identities":      graph(part(11, word(1, "x"), shape(1, 1, 1)), until(func(i int) []byte { return node("Identity", []string{"x"}, fmt.Sprintf("%x", i)) }), node("Identity", []string{"x"}, "o")),
		"onnx: a chain": graph(part(11, word(1, "-1"), shape(1, 1, 1)), until(func(i int) []byte {
			return node("Identity", []string{fmt.Sprint(i - 1)}, fmt.Sprint(i))
		}), node("Identity", []string{"9"}, "o")),
		"onnx: inputs":       graph(until(func(i int) []byte { return part(11, word(1, fmt.Sprintf("%x", i)), shape(1, 1)) })),
		"onnx: initializers": graph(until(func(i int) []byte { return floats(fmt.Sprintf("%x", i)) })),
		"onnx: shapes of shapes": graph(part(11, word(1, "x"), shape(1, 1, 1)), node("Shape", []string{"x"}, "0"), until(func(i int) []byte {
			return node("Concat", []string{fmt.Sprint(i), fmt.Sprint(i)}, fmt.Sprint(i+1))
		}), node("Identity", []string{"4"}, "o")),
		// A stack whose layers all read the same weights, and states joined again and
		// again.
		"onnx: the same weights": graph(append(lstm, until(func(i int) []byte {
			return slices.Concat(
				node("GRU", []string{fmt.Sprintf("x%x", i), "W", "R"}, fmt.Sprintf("y%x", i), fmt.Sprintf("h%x", i)),
				squeeze(fmt.Sprintf("y%x", i), fmt.Sprintf("x%x", i+1)))
		}), node("Identity", []string{"h800"}, "o"))...),
		"onnx: states": graph(append(small, slices.Concat(states...), node("Identity", []string{"s0"}, "o"))...),
	}
}

func TestEveryReaderOnDenseFiles(t *testing.T) {
	all := readers()
	for name, b := range denseFiles(t) {
		t.Run(name, func(t *testing.T) {
			format, _, _ := strings.Cut(name, ":")
			r := all[format]
			if r.read == nil {
				t.Fatal("no such reader")
			}
			if err := r.keeps(t, name, b); err != nil {
				t.Logf("%.200s", err)
			}
		})
	}
}

// What a contract allows is no more than what a file can be made to cost.
func TestDenseFilesAreRead(t *testing.T) {
	read := 0
	for name, b := range denseFiles(t) {
		format, _, _ := strings.Cut(name, ":")
		if readers()[format].read(&counted{b: b}) == nil {
			read++
		}
	}
	if read < 4 {
		t.Errorf("only %d of the dense files are read to their end", read)
	}
	if _, err := checkpoint.NewInfo("x", checkpoint.F64, []int{math.MaxInt/2 + 1, 2}); err == nil {
		t.Error("a shape whose product overflows is accepted")
	}
}
