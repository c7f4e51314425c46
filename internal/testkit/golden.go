package testkit

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// Config is a golden case of testdata/golden/layers: how the module was
// constructed and called. Field names are PyTorch's arguments.
type Config struct {
	File string `json:"file"` // below testdata/golden; only in the index
	Name string `json:"name"`
	Kind string `json:"kind"` // layer, cell or split; the index has others

	Module        string  `json:"module"` // RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell
	InputSize     int     `json:"input_size"`
	HiddenSize    int     `json:"hidden_size"`
	NumLayers     int     `json:"num_layers"`
	Nonlinearity  string  `json:"nonlinearity"` // empty but for RNN
	Bias          bool    `json:"bias"`
	BatchFirst    bool    `json:"batch_first"`
	Dropout       float64 `json:"dropout"`
	Bidirectional bool    `json:"bidirectional"`
	ProjSize      int     `json:"proj_size"`
	DType         string  `json:"dtype"` // float32 or float64

	Batched         bool    `json:"batched"`
	SeqLen          int     `json:"seq_len"`
	BatchSize       int     `json:"batch_size"` // says nothing where not batched
	HX              bool    `json:"hx"`         // called with initial states
	Training        bool    `json:"training"`
	DropoutSeed     int64   `json:"dropout_seed"`
	Packed          *Packed `json:"packed"`
	StoreParamGrads bool    `json:"store_param_grads"`

	// F32Error is, by tensor, the largest difference between PyTorch's
	// float32 result and the truth; only in a file's own Config.
	F32Error map[string]float64 `json:"-"`
}

// Packed says how the input was packed and the output padded.
type Packed struct {
	EnforceSorted bool    `json:"enforce_sorted"`
	PaddingValue  float64 `json:"padding_value"`
	TotalLength   int     `json:"total_length"` // 0: the longest length
	InputPadding  string  `json:"input_padding"`
}

// Mode returns PyTorch's name of the cell: RNN_TANH, RNN_RELU, LSTM or GRU.
func (c Config) Mode() string {
	m := strings.TrimSuffix(c.Module, "Cell")
	if m == "RNN" {
		m += "_" + strings.ToUpper(c.Nonlinearity)
	}
	return m
}

// Directions returns 2 for a bidirectional layer, else 1.
func (c Config) Directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

// File is a golden file in memory. Its methods end the test if a tensor is
// not there or of another type.
type File struct {
	Config
	t       testing.TB
	config  string
	names   []string
	tensors checkpoint.Source
}

// Root returns the folder testdata/golden.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", "golden")
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod above the working directory")
		}
	}
	t.Fatalf("looking for testdata/golden: %v", err)
	return ""
}

// Golden loads a file below testdata/golden, "layers/lstm-basic.safetensors"
// for instance.
func Golden(t testing.TB, name string) *File {
	t.Helper()
	return Load(t, filepath.Join(Root(t), filepath.FromSlash(name)))
}

// Load loads a file in the golden container from any path: a package's own
// testdata, say.
func Load(t testing.TB, path string) *File {
	t.Helper()
	s, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &File{t: t, config: s.Metadata()["config"], names: s.Names()}
	var set checkpoint.Set
	for _, name := range f.names {
		x, err := s.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, x)
	}
	f.tensors = set
	// Errors are stored as strings, so that their digits are PyTorch's.
	var head struct {
		Kind     string          `json:"kind"`
		F32Error map[string]text `json:"f32_error"`
	}
	f.Decode(&head)
	if isLayer(head.Kind) {
		f.Decode(&f.Config)
		f.F32Error = map[string]float64{}
		for name, v := range head.F32Error {
			f.F32Error[name] = float64(v)
		}
	}
	return f
}

// text is a number in quotes.
type text float64

func (x *text) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*x = text(v)
	return err
}

func isLayer(kind string) bool { return kind == "layer" || kind == "cell" || kind == "split" }

// Decode unmarshals the file's configuration into v, for what Config lacks.
func (f *File) Decode(v any) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(f.config), v); err != nil {
		f.t.Fatalf("config of %s: %v", f.Name, err)
	}
}

// Names returns the tensors' names that begin with prefix, in file order.
func (f *File) Names(prefix string) []string {
	return slices.DeleteFunc(slices.Clone(f.names), func(s string) bool { return !strings.HasPrefix(s, prefix) })
}

// Has reports whether the file holds a tensor of that name.
func (f *File) Has(name string) bool { _, ok := f.tensors.Info(name); return ok }

// F32 returns a tensor as float32; it must be stored as F32.
func (f *File) F32(name string) tensor.Dense {
	f.t.Helper()
	if i, _ := f.tensors.Info(name); i.DType != checkpoint.F32 {
		f.t.Fatalf("%s: tensor %q is %s, expected F32", f.Name, name, i.Type())
	}
	return As[float32](f, name)
}

// F64 returns a tensor as float64, exactly.
func (f *File) F64(name string) tensor.DenseOf[float64] {
	f.t.Helper()
	return As[float64](f, name)
}

// As returns a tensor as F; float64 to float32 rounds to nearest.
func As[F tensor.Float](f *File, name string) tensor.DenseOf[F] {
	f.t.Helper()
	d, err := checkpoint.Float[F](f.tensors, name)
	if err != nil {
		f.t.Fatalf("%s: %v", f.Name, err)
	}
	return d
}

// Optional is As, but the absent tensor where the file has none of the name.
func Optional[F tensor.Float](f *File, name string) tensor.DenseOf[F] {
	f.t.Helper()
	if !f.Has(name) {
		return tensor.DenseOf[F]{}
	}
	return As[F](f, name)
}

// Params returns the tensors below prefix ("param.", "init.") under their
// names without it.
func Params[F tensor.Float](f *File, prefix string) map[string]tensor.DenseOf[F] {
	f.t.Helper()
	p := map[string]tensor.DenseOf[F]{}
	for _, name := range f.Names(prefix) {
		if !strings.HasSuffix(name, ".f64") {
			p[strings.TrimPrefix(name, prefix)] = As[F](f, name)
		}
	}
	return p
}

// Ints returns an integer tensor's elements.
func (f *File) Ints(name string) []int {
	f.t.Helper()
	v, _, err := checkpoint.Ints(f.tensors, name)
	if err != nil {
		f.t.Fatalf("%s: %v", f.Name, err)
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// Truth returns a result computed in float64: the tensor's .f64 twin, or
// itself where it is F64.
func (f *File) Truth(name string) tensor.DenseOf[float64] {
	f.t.Helper()
	if f.Has(name + ".f64") {
		return f.F64(name + ".f64")
	}
	if i, _ := f.tensors.Info(name); i.DType != checkpoint.F64 {
		f.t.Fatalf("%s: %q has no float64 truth", f.Name, name)
	}
	return f.F64(name)
}

// Cases returns the layers, cells and splits of the index, in its order.
func Cases(t testing.TB) []Config {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Root(t), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Cases []json.RawMessage }
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	var out []Config
	for _, raw := range index.Cases {
		var kind struct{ Kind string }
		if err := json.Unmarshal(raw, &kind); err != nil {
			t.Fatal(err)
		}
		if !isLayer(kind.Kind) {
			continue
		}
		var c Config
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		t.Fatal("the index lists no layers")
	}
	return out
}

// Each runs f as a subtest for every layer, cell and split of the index.
func Each(t *testing.T, f func(t *testing.T, g *File)) {
	t.Helper()
	for _, c := range Cases(t) {
		t.Run(c.Name, func(t *testing.T) { f(t, Golden(t, c.File)) })
	}
}
