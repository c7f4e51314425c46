package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func recurrentLayers() map[string]row {
	return map[string]row{
		"LSTM": recurrent, "GRU": recurrent, "SimpleRNN": recurrent, "RNN": recurrent,
		"CuDNNLSTM": recurrent, "CuDNNGRU": recurrent,
		"Bidirectional": bidirectional,
		"ConvLSTM1D":    convLSTMRow(1), "ConvLSTM2D": convLSTMRow(2), "ConvLSTM3D": convLSTMRow(3),
	}
}

// flags are the settings of a recurrent layer beside its cells'.
type flags struct {
	sequences, state, backwards, stateful bool
	zero                                  bool // masked steps give zeros
}

func readFlags(l *keras.Layer) (f flags, err error) {
	for _, p := range []struct {
		key string
		to  *bool
	}{{"return_sequences", &f.sequences}, {"return_state", &f.state}, {"go_backwards", &f.backwards}, {"stateful", &f.stateful}, {"zero_output_for_mask", &f.zero}} {
		if *p.to, err = l.Config.Bool(p.key, false); err != nil {
			return f, err
		}
	}
	if major, err := l.Config.Bool("time_major", false); err != nil || major {
		return f, refuse(l, "time_major")
	}
	return f, nil
}

// cells are those of a recurrent layer, from below.
func (b *builder) cells(l *keras.Layer) ([]*cell, error) {
	list := []*keras.Layer{l}
	if l.Class == "RNN" {
		if list = l.Inner; list[0].Class == "StackedRNNCells" {
			list = list[0].Inner
		}
	}
	out := make([]*cell, len(list))
	var err error
	for i, in := range list {
		if out[i], err = b.readCell(in); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, wrong(l, "it has no cells")
	}
	return out, nil
}

// start finds the initial states of a call: the values behind the first, or
// initial_state.
func (c *call) start() ([]value, error) {
	states := c.in[1:]
	for _, at := range (keras.Call{Args: []any{c.kwargs["initial_state"]}}).Refs() {
		v, err := c.ref(at)
		if err != nil {
			return nil, err
		}
		states = append(slices.Clone(states), v)
	}
	return states, nil
}

// maskless drops the mask of a layer that is called with initial states: Keras 3
// hands a mask on by itself only where a call has one argument that is a value.
func (b *builder) maskless(l *keras.Layer, c *call, x value) value {
	_, said := c.kwargs["mask"].(keras.Ref)
	if b.major < 3 || said || x.mask == "" || len((keras.Call{Args: []any{c.kwargs["initial_state"]}}).Refs()) == 0 {
		return x
	}
	b.notes = append(b.notes, fmt.Sprintf("layer %q does not use the mask of its input, as Keras 3 does not where initial states are given", l.Path))
	x.mask = ""
	return x
}

// stateful notes that a layer keeps its state between runs in Keras.
func (b *builder) stateful(l *keras.Layer, f flags) {
	if f.stateful {
		b.notes = append(b.notes, fmt.Sprintf("layer %q is stateful in Keras: here each run begins with zeros", l.Path))
	}
}

// stateNames names the states of a layer's cells.
func stateNames(l *keras.Layer, cells []*cell) []string {
	var names []string
	for i, c := range cells {
		number := ""
		if i > 0 {
			number = fmt.Sprint(i)
		}
		for _, s := range []string{"h", "c"}[:c.states()] {
			names = append(names, l.Path+"."+s+number)
		}
	}
	return names
}

// carry makes the states that a layer begins with inputs of the program.
func (b *builder) carry(l *keras.Layer, cells []*cell) []value {
	if b.told == nil {
		b.told = map[string]bool{}
	}
	b.told[l.Path] = true
	var start []value
	for _, c := range cells {
		for range c.states() {
			start = append(start, value{typ: graph.F32, dims: []int{-1, c.units}})
		}
	}
	for i, name := range stateNames(l, cells) {
		start[i].name = b.Input(name+"_in", graph.F32, graph.Dim{Size: -1, Name: "batch"}, graph.Dim{Size: start[i].dims[1]})
	}
	return start
}

func recurrent(b *builder, l *keras.Layer, c *call) ([]value, error) {
	f, err := readFlags(l)
	if err != nil {
		return nil, err
	}
	cells, err := b.cells(l)
	if err != nil {
		return nil, err
	}
	start, err := c.start()
	if err != nil {
		return nil, err
	}
	carried := b.states && b.many == 0 && len(start) == 0 && !f.backwards && !b.told[l.Path]
	if carried {
		start = b.carry(l, cells)
	} else {
		b.stateful(l, f)
	}
	x := b.maskless(l, c, c.in[0])
	if err := unmasked(l, x); err != nil {
		return nil, err
	}
	total := 0
	for _, d := range cells {
		total += d.states()
	}
	if len(start) != 0 && len(start) != total {
		return nil, wrong(l, "it is called with %d initial states, expected %d", len(start), total)
	}
	var out result
	var states []value
	for i, d := range cells {
		from := start
		if len(start) > 0 {
			from, start = start[:d.states()], start[d.states():]
		}
		list, err := b.masked([]*cell{d}, []bool{f.backwards}, x, from, f.zero && i == len(cells)-1, carried)
		if err != nil {
			return nil, err
		}
		out = list[0]
		states = append(states, out.states...)
		mask := x.mask
		x = out.sequence
		x.mask = mask
	}
	if carried {
		for i, name := range stateNames(l, cells) {
			b.ends = append(b.ends, end{name + "_out", states[i].name, graph.F32})
		}
	}
	y := out.last
	if f.sequences {
		// Keras leaves the outputs in the order in which they were made.
		if y = out.sequence; f.backwards {
			y = b.flip(y, 1)
		}
		y.mask = c.in[0].mask
	}
	if f.state {
		return append([]value{y}, states...), nil
	}
	return []value{y}, nil
}
