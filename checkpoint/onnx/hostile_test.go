package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// message builds protobuf fields for hostile files.
func message(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func sub(num protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
}

func num(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func str(n protowire.Number, s string) []byte { return sub(n, []byte(s)) }

func tensorBytes(name string, dims ...uint64) []byte {
	b := str(8, name)
	for _, d := range dims {
		b = append(b, num(1, d)...)
	}
	return append(b, num(2, 1)...)
}

// nested is an attribute that is a graph in a graph in a graph.
func nested(deep int) (b []byte) {
	for range deep {
		b = sub(5, message(str(1, "body"), sub(6, sub(1, message(str(4, "If"), b)))))
	}
	return b
}

func TestHostileFilesAreRefused(t *testing.T) {
	graph := func(parts ...[]byte) []byte { return sub(7, message(parts...)) }
	tests := map[string]struct {
		b    []byte
		want string
	}{
		"nothing":                {nil, "there is no graph"},
		"text":                   {[]byte("not an ONNX file at all"), "model"},
		"a length beyond":        {append(protowire.AppendTag(nil, 7, protowire.BytesType), 0xff, 0xff, 0xff, 0xff, 0x0f), "field 7"},
		"an endless number":      {[]byte{8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "field 1"},
		"a group":                {[]byte{7<<3 | 3}, "wire type"},
		"two graphs":             {message(graph(), graph()), "two graphs"},
		"graph as a number":      {num(7, 1), "wire type"},
		"shape overflows":        {graph(sub(5, tensorBytes("w", 1<<40, 1<<40))), `tensor "w"`},
		"negative dimension":     {graph(sub(5, tensorBytes("w", 1<<63))), "dimension 0"},
		"dimensions without end": {graph(sub(5, tensorBytes("w", make([]uint64, 100)...))), "more than 64 dimensions"},
		"data too short":         {graph(sub(5, message(tensorBytes("w", 1000), sub(9, []byte{1, 2, 3, 4})))), "needs 4000 bytes, 4 are there"},
		"tensor twice":           {graph(sub(5, tensorBytes("w", 0)), sub(5, tensorBytes("w", 0))), `"w" is there twice`},
		"segments":               {graph(sub(5, message(tensorBytes("w", 0), sub(3, nil)))), "segments"},
		"sparse":                 {graph(sub(15, nil)), "sparse"},
		"node without operator":  {graph(sub(1, str(3, "n"))), "no operator"},
		"attribute twice":        {graph(sub(1, message(str(4, "LSTM"), sub(5, str(1, "a")), sub(5, str(1, "a"))))), `"a" is there twice`},
		"nodes without end":      {graph(bytes.Repeat(sub(1, str(4, "A")), maxNodes+1)), "more than 131072 nodes"},
		"graphs without end":     {graph(sub(1, message(str(4, "If"), nested(40)))), "32 deep"},
		"a sparse attribute":     {graph(sub(1, message(str(4, "A"), sub(5, message(str(1, "a"), sub(22, nil)))))), "sparse tensors"},
		"a function of itself":   {message(num(1, 8), sub(8, num(2, 17)), graph(sub(1, message(str(4, "F"), str(7, "d")))), sub(25, message(str(1, "F"), str(10, "d"), sub(7, message(str(4, "F"), str(7, "d")))))), "call each other"},
		"a name of megabytes":    {graph(str(2, strings.Repeat("x", 1<<21))), "string of 2097152 bytes"},
		"external offset":        {graph(sub(5, message(tensorBytes("w", 1), num(14, 1), sub(13, message(str(1, "offset"), str(2, "-5")))))), "offset"},
		"external nowhere":       {graph(sub(5, message(tensorBytes("w", 1), num(14, 1)))), "no location"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.b, "x.onnx")
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.onnx: ") {
				t.Errorf("got %v\nwant an ErrFormat of x.onnx with %q", err, tt.want)
			}
		})
	}
}

func TestExternalDataStaysInTheFolder(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "model")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Join(outer, "secret"), filepath.Join(dir, "w.data")} {
		if err := os.WriteFile(p, []byte{0, 0, 0, 0, 0, 0, 0x80, 0x3f}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outer, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	tests := []struct{ location, offset, length, want string }{
		{"w.data", "4", "4", ""},
		{"w.data", "4", "", ""},
		{"w.data", "8", "4", "are not there"},
		{"w.data", "4", "8", "needs 4 bytes"},
		{"w.data", "9223372036854775807", "4", "are not there"},
		{"../secret", "0", "4", "leads out of the folder"},
		{filepath.Join(outer, "secret"), "0", "4", "leads out of the folder"},
		{"link", "0", "4", "escapes"},
		{".", "0", "4", "are not there"},
		{"gone", "0", "4", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.location+" "+tt.offset+" "+tt.length, func(t *testing.T) {
			w := message(tensorBytes("w", 1), num(14, 1),
				sub(13, message(str(1, "location"), str(2, tt.location))), sub(13, message(str(1, "offset"), str(2, tt.offset))))
			if tt.length != "" {
				w = append(w, sub(13, message(str(1, "length"), str(2, tt.length)))...)
			}
			path := filepath.Join(dir, "m.onnx")
			if err := os.WriteFile(path, sub(7, sub(5, w)), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			d, err := checkpoint.Float[float32](f, "w")
			if tt.want == "" {
				if err != nil || d.Data[0] != 1 {
					t.Errorf("got %v, %v", d.Data, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.onnx")
	if err != nil || len(paths) < 60 {
		f.Fatal(len(paths), err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b, "x.onnx")
		if err == nil {
			for _, name := range file.Names() {
				if x, err := file.Tensor(name); err == nil && x.Check() != nil {
					t.Fatal("a tensor that does not hold together:", x.Check())
				}
			}
			for i := range file.Graph.Nodes {
				_, _ = file.Recurrent(&file.Graph.Nodes[i])
			}
		}
		if err != nil && !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) && !errors.Is(err, checkpoint.ErrMissing) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

// Empty nodes, names and numbers are what grows most in memory.
func TestMemoryIsBoundByTheFile(t *testing.T) {
	repeat := func(b []byte) []byte {
		var out []byte
		for len(out) < 1<<19 {
			out = append(out, b...)
		}
		return out
	}
	tests := map[string][]byte{
		"nodes":      sub(7, repeat(sub(1, str(4, "A")))),
		"inputs":     sub(7, sub(1, append(str(4, "A"), repeat(str(1, ""))...))),
		"ints":       sub(7, sub(1, append(str(4, "A"), sub(5, append(str(1, "a"), sub(8, make([]byte, 1<<20))...))...))),
		"graph ends": sub(7, repeat(sub(11, str(1, "a")))),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			var err error
			if grew := testkit.Allocated(func() { _, err = Parse(b, "x.onnx") }); grew > 80*uint64(len(b)) {
				t.Errorf("%d bytes allocated for a file of %d", grew, len(b))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
