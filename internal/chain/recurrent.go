package chain

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
)

// Recurrent makes the program of one recurrent layer alone, which is what a state
// dict without a line does. Letters as in torch.nn: input x [T,B,I], or [B,T,I]
// where the layout says so, outputs output, h_n [L*D,B,H'] and, of an LSTM, c_n
// [L*D,B,H]. With opt.States there are inputs h_0 and c_0 too; without them the
// states begin as zeros. opt.Layout has to be said.
func Recurrent(src checkpoint.Source, part statedict.Part, opt Options) (*Network, error) {
	if part.Err != nil {
		return nil, part.Err
	}
	name := part.Label()
	if name == "" {
		name = part.Config.Mode.String()
	}
	if opt.Layout == NotSaid {
		return nil, &LayoutError{Module: name, Shape: []int{-1, -1, part.Config.InputSize}}
	}
	if opt.Type == graph.None {
		opt.Type = graph.F32
	}
	if opt.Type != graph.F32 && opt.Type != graph.F64 {
		return nil, fmt.Errorf("%w: Options.Type is %s, expected float32 or float64", ErrArgument, opt.Type)
	}
	part.Config.BatchFirst = opt.Layout == BatchFirst
	l, err := statedict.Load[float32](src, part)
	if err != nil {
		return nil, err
	}
	cfg := l.Config()
	any := func(name string) graph.Dim { return graph.Dim{Size: -1, Name: name} }
	size := func(n int) graph.Dim { return graph.Dim{Size: n} }
	var b graph.Builder
	first, second := "steps", "batch"
	if cfg.BatchFirst {
		first, second = second, first
	}
	x := b.Input("x", opt.Type, any(first), any(second), size(cfg.InputSize))
	var h0, c0 string
	if opt.States {
		rows := size(cfg.Layers() * cfg.Directions())
		h0 = b.Input("h_0", opt.Type, rows, any("batch"), size(cfg.StateSize()))
		if cfg.HasCell() {
			c0 = b.Input("c_0", opt.Type, rows, any("batch"), size(cfg.HiddenSize))
		}
	}
	y, hn, cn := b.Layer(l, x, h0, c0, "", "")
	b.Output("output", opt.Type, y)
	b.Output("h_n", opt.Type, hn)
	if cn != "" {
		b.Output("c_n", opt.Type, cn)
	}
	return &Network{Graph: b.Graph(), Prefix: part.Prefix, Layers: map[string]*unroll.Layer{part.Label(): l}}, nil
}
