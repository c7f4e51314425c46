package unroll

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/tensor"
)

// Hidden returns every hidden state of the last recorded Forward for one layer
// and direction (0 forward, 1 reverse): [T,B,H'], time first also with
// BatchFirst, [T,H'] unbatched. It is zero beyond a sequence's end. The result
// is new memory. It is an ErrUsage without a record, or for a layer or
// direction that is not there.
func (p *PassOf[F]) Hidden(layer, direction int) (tensor.DenseOf[F], error) {
	return p.read("Hidden", layer, direction, p.size(Config.StateSize), func(dst scan.Strided[F]) {
		p.run.Hidden(layer, direction, dst)
	})
}

// Cell is Hidden for the cell states of an LSTM: [T,B,H].
func (p *PassOf[F]) Cell(layer, direction int) (tensor.DenseOf[F], error) {
	if p.Layer.made("") == nil && !p.Layer.cfg.HasCell() {
		return tensor.DenseOf[F]{}, &ArgError{Kind: ErrUsage, Arg: "Pass.Cell", Got: p.Layer.cfg.Mode.String(), Want: "an LSTM, which alone has a cell state"}
	}
	return p.read("Cell", layer, direction, p.size(func(c Config) int { return c.HiddenSize }), func(dst scan.Strided[F]) {
		p.run.Cell(layer, direction, dst)
	})
}

// Gate is Hidden for a gate after its activation: [T,B,H]. The names are those
// of Layer.Gates (i f g o of an LSTM, r z n of a GRU, h of an RNN, which is its
// hidden state), and "nh" for the recurrent part W_hn h + b_hn of a GRU's n,
// and "h" of an LSTM with a projection for o*tanh(c) before it is projected.
func (p *PassOf[F]) Gate(layer, direction int, name string) (tensor.DenseOf[F], error) {
	if err := p.recorded("Gate"); err != nil {
		return tensor.DenseOf[F]{}, err
	}
	c := p.Layer.cfg
	names := p.Layer.Gates()
	if name == "h" && c.ProjSize > 0 {
		return p.read("Gate", layer, direction, c.HiddenSize, func(dst scan.Strided[F]) { p.run.Full(layer, direction, dst) })
	}
	if len(names) == 1 && name == names[0] {
		return p.Hidden(layer, direction)
	}
	if p.Layer.stack.Traits.Apart {
		names = append(names, names[len(names)-1]+"h")
	}
	g := slices.Index(names, name)
	if g < 0 {
		return tensor.DenseOf[F]{}, &ArgError{Kind: ErrUsage, Arg: "gate", Got: fmt.Sprintf("%q", name), Want: "one of " + strings.Join(names, " ")}
	}
	return p.read("Gate", layer, direction, c.HiddenSize, func(dst scan.Strided[F]) { p.run.Gate(layer, direction, g, dst) })
}

// DropoutMask returns the factors [T,B,D*H'] (0 or 1/(1-p)) that multiplied the
// output of a layer on its way to the next in the last recorded Forward; ones
// where no dropout was drawn. The layer is from 0 to L-2.
func (p *PassOf[F]) DropoutMask(layer int) (tensor.DenseOf[F], error) {
	if p.recorded("") == nil && layer == p.Layer.cfg.Layers()-1 {
		return tensor.DenseOf[F]{}, &ArgError{Kind: ErrUsage, Arg: "layer", Got: fmt.Sprint(layer), Want: "any layer but the last, whose output has no dropout"}
	}
	return p.read("DropoutMask", layer, 0, p.size(Config.OutputSize), func(dst scan.Strided[F]) {
		if p.run.Masks == nil {
			for i := range dst.Data {
				dst.Data[i] = 1
			}
			return
		}
		p.run.Mask(layer, dst)
	})
}

func (p *PassOf[F]) size(of func(Config) int) int { return of(p.Layer.Config()) }

// recorded returns an ErrUsage unless there is the record of a Forward of the
// very layer that is set.
func (p *PassOf[F]) recorded(method string) error {
	got := "a pass without record"
	if p.valid && p.Layer.made("") == nil {
		if p.run.Stack == &p.Layer.stack {
			return nil
		}
		got = "the record of another layer"
	}
	return &ArgError{Kind: ErrUsage, Arg: "Pass." + method, Got: got, Want: "a successful Forward with Record or Train set before it"}
}

// read checks that there is a record and lets fill write it.
func (p *PassOf[F]) read(method string, layer, direction, size int, fill func(scan.Strided[F])) (tensor.DenseOf[F], error) {
	if err := p.recorded(method); err != nil {
		return tensor.DenseOf[F]{}, err
	}
	c, d := p.Layer.cfg, p.dims
	if layer < 0 || layer >= c.Layers() {
		return tensor.DenseOf[F]{}, &ArgError{Kind: ErrUsage, Arg: "layer", Got: fmt.Sprint(layer), Want: fmt.Sprintf("0 to %d", c.Layers()-1)}
	}
	if direction < 0 || direction >= c.Directions() {
		return tensor.DenseOf[F]{}, &ArgError{Kind: ErrUsage, Arg: "direction", Got: fmt.Sprint(direction), Want: fmt.Sprintf("0 to %d", c.Directions()-1)}
	}
	out := tensor.NewOf[F](d.t, d.b, size)
	if !d.batched {
		out.Shape = []int{d.t, size}
	}
	if d.b > 0 {
		fill(scan.Strided[F]{Data: out.Data, Step: d.b * size, Seq: size})
	}
	return out, nil
}
