package floors

// Row is one line of the floors table: who stands on which floor, and what it
// may import besides the standard library and the floors below.
type Row struct {
	Floor int
	// Path is a folder relative to the module's root; "." is the root package.
	// A row also holds for the folders inside it, which may import each other.
	// A last element "*" makes every folder at that place a row of its own.
	Path string
	Duty string
	// Libraries are prefixes of import paths: libraries outside the module, or
	// packages of the same floor.
	Libraries []string
	// Anything lifts the check of import paths outside the module.
	Anything bool
	// TestOnly packages may be imported by test files and by each other, and
	// are not bound to a floor themselves.
	TestOnly bool
}

// Table is the rule of the project. docs/architecture.md holds a copy that
// the test of this package keeps equal.
var Table = []Row{
	{Floor: 0, Path: "tensor", Duty: "`Dense`: shape and contiguous row-major slice, float32 or float64; `ErrShape`"},
	{Floor: 0, Path: "rng", Duty: "PyTorch's CPU generator: same seed, same numbers"},
	{Floor: 0, Path: "internal/kernel", Duty: "matrix products, activations, fused gates, packing, workers", Libraries: []string{"golang.org/x/sys/cpu", "golang.org/x/sys/unix", "github.com/unroll-ml/unroll/internal/fmath"}},
	{Floor: 0, Path: "internal/atomicfile", Duty: "files that are there whole or not at all: temporary name, sync, rename"},
	{Floor: 0, Path: "internal/fmath", Duty: "exp, log, cos and sin with the same bits on every platform"},
	{Floor: 1, Path: "internal/cell", Duty: "one file a cell: gate names, equations, forward and backward of one step"},
	{Floor: 2, Path: "internal/scan", Duty: "time, direction, layers, lengths, resets, projection, dropout; knows no cell by name"},
	{Floor: 2, Path: "checkpoint", Duty: "what every format shares: element types, `Source`, conversion to the engine's numbers"},
	{Floor: 3, Path: ".", Duty: "the public layer: `Config`, `Layer`, `State`, `Pass`, `Stream`; validation and names"},
	{Floor: 3, Path: "checkpoint/safetensors", Duty: "named tensors in safetensors files"},
	{Floor: 3, Path: "checkpoint/torchfile", Duty: "named tensors in PyTorch's files, read as data"},
	{Floor: 3, Path: "checkpoint/hdf5", Duty: "groups, attributes and datasets of HDF5 files, read-only"},
	{Floor: 3, Path: "checkpoint/onnx", Duty: "named tensors and nodes in ONNX files", Libraries: []string{"google.golang.org/protobuf"}},
	{Floor: 3, Path: "checkpoint/keras", Duty: "layers, settings and named tensors of Keras files", Libraries: []string{"github.com/unroll-ml/unroll/checkpoint/hdf5"}},
	{Floor: 3, Path: "checkpoint/*", Duty: "one folder a format: reads and writes named tensors, knows no layer", Libraries: []string{"github.com/parquet-go/parquet-go", "github.com/klauspost/compress", "github.com/andybalholm/brotli", "github.com/pierrec/lz4/v4"}},
	{Floor: 4, Path: "internal/statedict", Duty: "finds layers among named tensors by names and shapes"},
	{Floor: 4, Path: "nn", Duty: "`Embedding`, `Linear`, losses, and `Model`: input, layer, head; model folders", Libraries: []string{"github.com/unroll-ml/unroll/internal/statedict"}},
	{Floor: 4, Path: "internal/graph", Duty: "programs of ONNX's operators over named values: check, fold, plan for given shapes, run; one file a family of operators"},
	{Floor: 5, Path: "train", Duty: "optimisers, clipping, schedules, data pipelines, the loop"},
	{Floor: 5, Path: "internal/chain", Duty: "a line over named tensors becomes a graph: PyTorch's models, whose files hold no forward()"},
	{Floor: 5, Path: "internal/modelfile", Duty: "a file of weights of any format becomes a layer or a model, and back"},
	{Floor: 5, Path: "internal/kerasgraph", Duty: "a model of Keras becomes a program of ONNX's operators: layers, arguments, masks"},
	{Floor: 5, Path: "model", Duty: "the public door: opens any file or folder of a model, runs it by names of inputs and outputs", Libraries: []string{"github.com/unroll-ml/unroll/internal/modelfile", "github.com/unroll-ml/unroll/internal/kerasgraph", "github.com/unroll-ml/unroll/internal/chain"}},
	{Floor: 5, Path: "internal/explain", Duty: "a recorded pass turned into formulas, numbers and the page"},
	{Floor: 6, Path: "task", Duty: "classify, tag, text, forecast, music as values: read data, fit, predict, measure, show", Libraries: []string{"gitlab.com/gomidi/midi", "github.com/unroll-ml/unroll/live"}},
	{Floor: 6, Path: "internal/score", Duty: "tables of many series through a model: a row a step, the order verified, states kept"},
	{Floor: 6, Path: "live", Duty: "many live sequences over one layer or model, each under a key, stepped together, kept and taken elsewhere"},
	{Floor: 7, Path: "internal/server", Duty: "the Open Inference Protocol over `live`, `model` and `task`: REST, gRPC, limits, metrics; generated code in `oip`", Libraries: []string{"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc/errdetails", "github.com/prometheus/client_golang", "go.opentelemetry.io/contrib", "go.opentelemetry.io/otel", "golang.org/x/net/netutil"}},
	{Floor: 8, Path: "cmd", Duty: "one file a subcommand: flags in, exit code out", Anything: true},
	{Floor: 8, Path: "examples", Duty: "programs and model folders to start from", Anything: true},
	{Path: "internal/ref", Duty: "the textbook in float64: PyTorch's equations as scalar loops; imports nothing of the project", TestOnly: true},
	{Path: "internal/testkit", Duty: "the one comparison function, gradient check, golden loader, guarded slices, loop over kernel levels", TestOnly: true},
	{Path: "internal/floors", Duty: "this table and its check", TestOnly: true},
}

// testLibraries may be imported by test files and test-only packages.
var testLibraries = []string{
	"github.com/chromedp/cdproto",
	"github.com/chromedp/chromedp",
	"github.com/google/go-cmp",
	"github.com/rogpeppe/go-internal",
	"gonum.org/v1/gonum/diff/fd",
	"google.golang.org/protobuf",
	"pgregory.net/rapid",
}
