package explain

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// tensor returns the numbers that go by a name: input [T,I], h_0 [L*D,H'],
// c_0 [L*D,H] of an LSTM, or a parameter.
func (s *Session) tensor(name string) (tensor.Dense, error) {
	switch {
	case name == "input":
		return s.x, nil
	case name == "h_0":
		return s.s0.H, nil
	case name == "c_0" && s.trace.cfg.HasCell():
		return s.s0.C, nil
	}
	for _, p := range s.layer.Params() {
		if p.Name == name {
			return p.Value, nil
		}
	}
	return tensor.Dense{}, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "name", Got: name, Want: "input, h_0, c_0 of an LSTM, or a parameter's name"}
}

// laneOf returns the first lane that a parameter works in.
func (s *Session) laneOf(name string) int {
	for l := range s.trace.cfg.NumLayers {
		for d := range s.trace.cfg.Directions() {
			for _, kind := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_peephole"} {
				if ParamName(kind, l, d) == name {
					return l*s.trace.cfg.Directions() + d
				}
			}
		}
	}
	return 0
}

// numbers returns the numbers that go by a name.
func (s *Session) numbers(a Args, _ []byte) (any, []byte, error) {
	d, err := s.tensor(a.Name)
	if err != nil {
		return nil, nil, err
	}
	return nil, floats(d.Data), nil
}

// edit changes one number of what goes by a name, and runs.
func (s *Session) edit(a Args, _ []byte) (any, []byte, error) {
	d, err := s.tensor(a.Name)
	if err != nil {
		return nil, nil, err
	}
	if a.Index < 0 || a.Index >= len(d.Data) {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "index", Got: fmt.Sprint(a.Index), Want: fmt.Sprintf("0 to %d", len(d.Data)-1)}
	}
	d = d.Clone() // a kept run still shows the old one
	d.Data[a.Index] = float32(a.Value)
	switch a.Name {
	case "input":
		s.remember()
		s.x = d
		s.spoil(0, s.trace.time(0, a.Index/d.Shape[1]))
	case "h_0":
		s.remember()
		s.s0 = unroll.State{H: d, C: s.s0.C}
		s.spoil(a.Index/d.Shape[1], 0)
	case "c_0":
		s.remember()
		s.s0 = unroll.State{H: s.s0.H, C: d}
		s.spoil(a.Index/d.Shape[1], 0)
	default:
		next, err := unroll.New(s.layer.Config())
		if err != nil {
			return nil, nil, err
		}
		values := map[string]tensor.Dense{}
		for _, p := range s.layer.Params() {
			values[p.Name] = p.Value
		}
		values[a.Name] = d
		if err := next.Load(values); err != nil {
			return nil, nil, err
		}
		s.remember()
		s.layer = next
		s.spoil(s.laneOf(a.Name), 0)
	}
	return s.compute()
}

// input takes another input [T,I] for the model at hand: of a .npy file, or of
// text with a step a line, dropped, chosen or typed. Rows of the wrong width are
// an ErrShape.
func (s *Session) input(a Args, block []byte) (any, []byte, error) {
	var x tensor.Dense
	var err error
	if strings.HasSuffix(a.Name, ".npy") {
		var f *npy.File
		if f, err = npy.NewReader(bytes.NewReader(block), int64(len(block))); err == nil {
			x, err = checkpoint.Float[float32](f, f.Names()[0])
		}
	} else {
		x, _, err = text.ReadCSV[float32](bytes.NewReader(separated(block)), text.CSV{File: a.Name})
	}
	if err != nil {
		return nil, nil, err
	}
	size := s.layer.Config().InputSize
	if len(x.Shape) == 1 && size == 1 {
		x.Shape = []int{x.Shape[0], 1}
	}
	if len(x.Shape) != 2 || x.Shape[1] != size || x.Shape[0] < 1 {
		return nil, nil, &tensor.ShapeError{Arg: a.Name, Got: x.Shape, Want: fmt.Sprintf("[T,%d]: at least one step, and in each the %d inputs of this model", size, size)}
	}
	return s.replace(s.layer, x, s.s0, false, false)
}

// separated puts commas where numbers of a line are apart by blanks alone, as
// they are when pasted.
func separated(b []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if !bytes.ContainsAny(line, ",\"") {
			line = bytes.Join(bytes.FieldsFunc(line, func(r rune) bool { return r == ';' || unicode.IsSpace(r) }), []byte(","))
		}
		if len(line) > 0 {
			out.Write(append(line, '\n'))
		}
	}
	return out.Bytes()
}

// inputs makes the example one with N inputs, which stands for no other model.
func (s *Session) inputs(a Args, _ []byte) (any, []byte, error) {
	if !s.example || a.N < 1 || a.N > 64 {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "input_size", Got: fmt.Sprint(a.N), Want: "1 to 64, of the page's example"}
	}
	layer, x, err := example(a.N, s.layer.Config().Layers())
	if err != nil {
		return nil, nil, err
	}
	return s.replace(layer, x, unroll.State{}, true, s.drawn)
}

// fit makes the input as wide as what the layers above take, so that x[t] fits them all
// in a loop by hand: input and the first layer's input weights are drawn from seed 0, the
// rest stays.
func (s *Session) fit(Args, []byte) (any, []byte, error) {
	cfg := s.layer.Config()
	cfg.InputSize = cfg.OutputSize()
	next, err := unroll.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	g := rng.New(0)
	next.ResetParameters(g)
	values := map[string]tensor.Dense{}
	for _, p := range s.layer.Params() {
		values[p.Name] = p.Value
	}
	for _, p := range next.Params() {
		if !slices.Equal(p.Value.Shape, values[p.Name].Shape) {
			values[p.Name] = p.Value.Clone()
		}
	}
	if err := next.Load(values); err != nil {
		return nil, nil, err
	}
	x := tensor.New(s.x.Shape[0], cfg.InputSize)
	rng.Randn(g, x.Data)
	return s.replace(next, x, s.s0, false, true)
}

// layers makes the number of layers N. Those that stay keep their parameters;
// new ones are drawn: in the example as PyTorch would have, otherwise from
// seed 0.
func (s *Session) layers(a Args, _ []byte) (any, []byte, error) {
	if a.N < 1 || a.N > 64 {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "num_layers", Got: fmt.Sprint(a.N), Want: "1 to 64"}
	}
	cfg := s.layer.Config()
	cfg.NumLayers = a.N
	next, err := unroll.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	next.ResetParameters(rng.New(0))
	if s.example {
		if next, _, err = example(cfg.InputSize, a.N); err != nil {
			return nil, nil, err
		}
	}
	values := map[string]tensor.Dense{}
	for _, p := range next.Params() {
		values[p.Name] = p.Value.Clone()
	}
	for _, p := range s.layer.Params() {
		if _, ok := values[p.Name]; ok {
			values[p.Name] = p.Value
		}
	}
	if err := next.Load(values); err != nil {
		return nil, nil, err
	}
	return s.replace(next, s.x, unroll.State{}, s.example, s.drawn)
}
