package torchfile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// expectation is what NAME.expect.safetensors says a reader must find in NAME.
type expectation struct {
	PythonType string `json:"python_type"`
	Tensors    map[string]struct {
		DType   string
		Shape   []int
		Stride  []int64
		Offset  int64 `json:"storage_offset"`
		Storage int
	}
	Values map[string]any
	data   map[string]any // []float64 or []int64, by name
}

func readExpectation(t *testing.T, path string) expectation {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	var meta struct{ Config string }
	if err := json.Unmarshal(header["__metadata__"], &meta); err != nil {
		t.Fatal(err)
	}
	e := expectation{data: make(map[string]any)}
	if err := json.Unmarshal([]byte(meta.Config), &e); err != nil {
		t.Fatal(err)
	}
	delete(header, "__metadata__")
	for name, raw := range header {
		var h struct {
			DType string
			At    [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &h); err != nil {
			t.Fatal(err)
		}
		data := b[8+n+h.At[0] : 8+n+h.At[1]]
		switch h.DType {
		case "F32":
			v := make([]float64, len(data)/4)
			for i := range v {
				v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
			}
			e.data[name] = v
		case "F64":
			v := make([]float64, len(data)/8)
			for i := range v {
				v[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
			}
			e.data[name] = v
		case "I64":
			v := make([]int64, len(data)/8)
			for i := range v {
				v[i] = int64(binary.LittleEndian.Uint64(data[8*i:]))
			}
			e.data[name] = v
		default:
			t.Fatalf("%s: element type %s", path, h.DType)
		}
	}
	return e
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/golden/*.pt*")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.HasSuffix(s, ".safetensors") })
	if len(all) != 15 {
		t.Fatalf("%d golden checkpoints, expected 15", len(all))
	}
	return all
}

// TestGoldens reads what PyTorch 1.13.1 wrote and finds every tensor, its
// type, shape, stride, offset and shared storage, and every other value.
func TestGoldens(t *testing.T) {
	for _, path := range goldenFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			compare(t, f, readExpectation(t, path+".expect.safetensors"))
		})
	}
}

func compare(t *testing.T, f *File, e expectation) {
	t.Helper()
	if len(f.Names()) != len(e.Tensors) {
		t.Errorf("tensors %v, expected %d", f.Names(), len(e.Tensors))
	}
	storages := make(map[*record]int)
	for name, want := range e.Tensors {
		info, ok := f.Info(name)
		if !ok {
			t.Errorf("tensor %q is missing", name)
			continue
		}
		got := f.tensors[f.index[name]]
		if got.dtype.name != want.DType || !slices.Equal(info.Shape, want.Shape) {
			t.Errorf("%s: %s %v, expected %s %v", name, got.dtype.name, info.Shape, want.DType, want.Shape)
		}
		if got.numel > 0 && (!slices.Equal(got.stride, want.Stride) || got.offset != want.Offset) {
			t.Errorf("%s: stride %v offset %d, expected %v %d", name, got.stride, got.offset, want.Stride, want.Offset)
		}
		if s, ok := storages[got.rec]; ok && s != want.Storage {
			t.Errorf("%s shares storage %d, expected %d", name, s, want.Storage)
		}
		storages[got.rec] = want.Storage
		same(t, f, name, e.data[name])
	}
	distinct := make(map[int]bool)
	for _, s := range storages {
		if distinct[s] {
			t.Errorf("storage %d is read as two", s)
		}
		distinct[s] = true
	}
	values(t, f, e)
}

// same compares a tensor's elements, bit by bit but for NaN.
func same(t *testing.T, f *File, name string, want any) {
	t.Helper()
	switch want := want.(type) {
	case []float64:
		got, err := checkpoint.Float[float64](f, name)
		if err != nil || len(got.Data) != len(want) {
			t.Errorf("%s: %v, %v; expected %v", name, got.Data, err, want)
			return
		}
		for i, w := range want {
			if g := got.Data[i]; math.Float64bits(g) != math.Float64bits(w) && !(g != g && w != w) {
				t.Errorf("%s[%d] = %v, expected %v", name, i, g, w)
			}
		}
	case []int64:
		got, _, err := checkpoint.Ints(f, name)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; expected %v", name, got, err, want)
		}
	default:
		t.Errorf("%s has no expected data", name)
	}
	// The two ways to read a tensor give the same bytes.
	whole, err := f.Tensor(name)
	if err != nil || whole.Check() != nil {
		t.Errorf("%s: %v, %v", name, err, whole.Check())
	}
}

// values compares what is no tensor. A module's expectation holds none, as its
// state_dict has none; its hyper-parameters are tested by name below.
func values(t *testing.T, f *File, e expectation) {
	t.Helper()
	if strings.HasPrefix(e.PythonType, "torch.nn.modules") {
		if v := f.Values()[0]; v.Path != "" || v.Class != e.PythonType {
			t.Errorf("the first value is %+v, expected class %s", v, e.PythonType)
		}
		return
	}
	got := make(map[string]any)
	for _, v := range f.Values() {
		if v.Class != "" {
			t.Errorf("%s is an object of class %s", v.Path, v.Class)
		}
		switch d := v.Data.(type) {
		case int64:
			got[v.Path] = float64(d)
		case *big.Int, Name, Same:
			got[v.Path] = fmt.Sprint(d)
		default:
			got[v.Path] = d
		}
	}
	if len(got)+len(e.Values) > 0 && !reflect.DeepEqual(got, e.Values) {
		t.Errorf("values %v, expected %v", got, e.Values)
	}
}

// TestModulesGiveTheirHyperParameters reads whole pickled modules.
func TestModulesGiveTheirHyperParameters(t *testing.T) {
	for file, want := range map[string]map[string]any{
		"module_gru.pt": {
			"mode": "GRU", "input_size": int64(4), "hidden_size": int64(5), "num_layers": int64(2),
			"bias": true, "batch_first": true, "dropout": 0.0, "bidirectional": false, "proj_size": int64(0),
		},
		"legacy_module_rnn.pt": {
			"mode": "RNN_RELU", "input_size": int64(3), "hidden_size": int64(4), "num_layers": int64(1),
		},
		"module_sequential.pt": {
			"0.in_features": int64(3), "0.out_features": int64(4),
		},
	} {
		f, err := Open("testdata/golden/" + file)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]any)
		for _, v := range f.Values() {
			got[v.Path] = v.Data
			if v.Class != "" {
				got[v.Path] = v.Class
			}
		}
		for k, w := range want {
			if got[k] != w {
				t.Errorf("%s: %s = %v, expected %v", file, k, got[k], w)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
