package statedict

import (
	"errors"
	"maps"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

func TestLoadTakesEveryParameterFromItsTensor(t *testing.T) {
	for _, file := range []string{"state_dict_lstm_bi_proj.pth", "checkpoint_adam.pt", "state_dict_gru_nobias.pt", "double.pt"} {
		src := golden(t, file)
		parts, err := Find(src, Options{})
		if err != nil {
			t.Fatal(err)
		}
		layer, err := Load[float32](src, parts[0])
		if err != nil {
			t.Fatal(err)
		}
		params := layer.Params()
		if len(params) == 0 || len(params) != len(parts[0].Params) {
			t.Fatalf("%s: %d parameters, want %d", file, len(params), len(parts[0].Params))
		}
		for _, p := range params {
			want, err := checkpoint.Float[float32](src, parts[0].Prefix+p.Name)
			if err != nil {
				t.Fatal(err)
			}
			testkit.BitsDense(t, p.Name, p.Value, want)
		}
	}
}

func TestLoadReturnsThePartsOwnError(t *testing.T) {
	src := set(stateDict("", unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}))
	if _, err := Load[float32](src, Part{Err: ErrInconsistent}); !errors.Is(err, ErrInconsistent) {
		t.Errorf("got %v", err)
	}
}

// Reading a layer takes its parameters' memory once.
func TestLoadTakesNoMemoryButTheParameters(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.LSTM, InputSize: 256, HiddenSize: 256, NumLayers: 2}
	file := filepath.Join(t.TempDir(), "layer.safetensors")
	if err := safetensors.WriteFile(file, set(stateDict("", cfg)), nil); err != nil {
		t.Fatal(err)
	}
	src, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	parts, err := Find(src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var layer *unroll.Layer
	got := testkit.Allocated(func() { layer, err = Load[float32](src, parts[0]) })
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for _, p := range layer.Params() {
		bytes += 4 * len(p.Value.Data)
	}
	if got > uint64(bytes)*21/20 {
		t.Errorf("%d bytes of memory for %d of parameters", got, bytes)
	}
}

// A Part whose names or shapes are not the layer's is refused as Layer.Load refuses.
func TestLoadRefusesWhatIsNoParameter(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}
	src := set(stateDict("", cfg))
	parts, err := Find(src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	swapped := parts[0]
	swapped.Params = maps.Clone(swapped.Params)
	swapped.Params["weight_ih_l0"] = swapped.Params["bias_ih_l0"]
	if _, err := Load[float32](src, swapped); !errors.Is(err, unroll.ErrParams) {
		t.Errorf("a shape: got %v", err)
	}
	delete(swapped.Params, "weight_ih_l0")
	if _, err := Load[float32](src, swapped); !errors.Is(err, unroll.ErrParams) {
		t.Errorf("a missing name: got %v", err)
	}
	swapped.Params["weight_ih_l0"] = "nowhere"
	if _, err := Load[float32](src, swapped); !errors.Is(err, checkpoint.ErrMissing) {
		t.Errorf("a missing tensor: got %v", err)
	}
}
