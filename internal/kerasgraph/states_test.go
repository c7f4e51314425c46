package kerasgraph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// TestStatesAreCarried: a sequence in two parts, the second from the states the
// first ended with, gives the outputs of the whole, bit by bit.
func TestStatesAreCarried(t *testing.T) {
	numbers, err := array.Open("testdata/io.npz", array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	for name, pairs := range map[string]int{"lstm_nobias_seq": 2, "gru_reset_before": 1, "simplernn_state": 1, "rnn_stacked": 4, "mask_lstm_seq": 2, "mask_lstm_zero": 2, "mask_gru": 1, "gru": 1} {
		path := "testdata/" + name + ".keras"
		text := strings.ReplaceAll(string(config(t, path)), "[null, 5", "[null, null") // any number of steps
		m, err := keras.Assemble([]byte(text), path, weightsOf(t, path))
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := Build(m, Options{States: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := graph.States(g); len(got) != pairs {
			t.Errorf("%s: %d pairs of states are found, expected %d: %v", name, len(got), pairs, got)
		}
		p, err := graph.Compile(g, graph.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := numbers.Tensor(name + "/in0")
		if err != nil {
			t.Fatal(err)
		}
		all := given(t, x, g.Inputs[0].Type)
		whole := carriedOver(t, p, pairs, []graph.Value{all})
		for cut := 1; cut < all.Shape[1]; cut++ {
			parts := carriedOver(t, p, pairs, []graph.Value{stepsOf(t, all, 0, cut), stepsOf(t, all, cut, all.Shape[1])})
			if !slices.Equal(whole, parts) {
				t.Errorf("%s, cut after %d steps: %v, whole %v", name, cut, parts, whole)
			}
		}
	}
}

// carriedOver runs parts of a sequence, each from the states of the one before,
// and returns the first output of all steps, then the final states.
func carriedOver(t *testing.T, p *graph.Program, pairs int, parts []graph.Value) []float32 {
	t.Helper()
	g := p.Graph()
	own := len(g.Outputs) - pairs
	states := make([]graph.Value, pairs)
	for i := range states {
		var err error
		if states[i], err = graph.New(graph.F32, parts[0].Shape[0], g.Inputs[1+i].Shape[1].Size); err != nil {
			t.Fatal(err)
		}
	}
	rows := make([][]float32, parts[0].Shape[0])
	for _, x := range parts {
		out := make([]graph.Value, len(g.Outputs))
		if err := p.Run(append([]graph.Value{x}, states...), out); err != nil {
			t.Fatal(err)
		}
		y := graph.Data[float32](out[0])
		for b := range rows {
			n := len(y) / len(rows)
			if len(out[0].Shape) == 2 { // of the last step alone
				rows[b] = nil
			}
			rows[b] = append(rows[b], y[b*n:(b+1)*n]...)
		}
		states = out[own:]
	}
	all := slices.Concat(rows...)
	for _, s := range states {
		all = append(all, graph.Data[float32](s)...)
	}
	return all
}

// stepsOf are steps [from, to) of a value [B,T,...].
func stepsOf(t *testing.T, x graph.Value, from, to int) graph.Value {
	t.Helper()
	shape := slices.Clone(x.Shape)
	shape[1] = to - from
	v, err := graph.New(x.Type, shape...)
	if err != nil {
		t.Fatal(err)
	}
	row := 1
	for _, d := range shape[2:] {
		row *= d
	}
	for b := range shape[0] {
		switch x.Type {
		case graph.F32:
			copy(graph.Data[float32](v)[b*(to-from)*row:][:(to-from)*row], graph.Data[float32](x)[(b*x.Shape[1]+from)*row:])
		case graph.I32:
			copy(graph.Data[int32](v)[b*(to-from)*row:][:(to-from)*row], graph.Data[int32](x)[(b*x.Shape[1]+from)*row:])
		default:
			t.Fatal(fmt.Sprint(x.Type))
		}
	}
	return v
}
