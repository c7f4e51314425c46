package statedict

import (
	"errors"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
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
