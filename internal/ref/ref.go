// Package ref is the textbook: PyTorch's equations for RNN, LSTM and GRU in
// float64, one scalar loop after another, forward only. It is slow and plain
// on purpose and shares no code with the engine, which is judged by it. Only
// tests import it.
//
// Letters in shapes: T steps, B sequences, I inputs, H hidden units, L layers,
// D directions, P projection, S the size of a hidden state: P with a
// projection, else H. Every slice is row-major.
//
// The equations are those of torch.nn.RNN, torch.nn.LSTM and torch.nn.GRU
// (https://pytorch.org/docs/stable/nn.html#recurrent-layers).
package ref

import (
	"fmt"
	"math"
)

// Layer is a stacked layer and its parameters under PyTorch's names
// (weight_ih_l0, bias_hh_l1_reverse, weight_hr_l0, ...). Where no bias of a
// name is there, it is zero.
type Layer struct {
	Mode          string // RNN_TANH, RNN_RELU, LSTM or GRU
	InputSize     int    // I
	HiddenSize    int    // H
	NumLayers     int    // L
	ProjSize      int    // P, 0 for none; LSTM only
	Bidirectional bool
	Params        map[string][]float64
	Variant       Variant
	// Int8, by layer, makes Steps of what weights multiply: a vector of float64 stays
	// where nil or false. The weights are taken as they are.
	Int8 []bool
}

// Variant is what ONNX's operators allow beyond torch.nn, with their names and
// definitions (see ONNXOp). The peepholes are weight_peephole_l0 [3*H], of i f o.
type Variant struct {
	Reverse     bool
	Functions   [2][]Function // of each direction, f g h; nil: the cell's own
	Clip        float64
	InputForget bool
	ResetBefore bool // linear_before_reset 0
	Peepholes   bool
}

// Function is an activation by its name.
type Function struct {
	Name        string
	Alpha, Beta float64
}

// Input is what a layer is run on. Resets[t,b] draws a boundary before step t:
// forward, step t starts from the initial state; in reverse, step t-1 does.
type Input struct {
	T, B    int
	X       []float64   // [T,B,I]
	H0      []float64   // [L*D,B,S]; nil means zeros
	C0      []float64   // [L*D,B,H]; nil means zeros; LSTM only
	Lengths []int       // [B]; nil means T each
	Resets  []bool      // [T,B]; nil means none
	Skips   []bool      // [T,B]: masked steps; they keep the state and repeat the output before, zeros before the first that is not masked since the beginning or a boundary
	Masks   [][]float64 // L-1 times [T,B,D*S]; layer l's output is multiplied by Masks[l]; nil means none
}

// Result is what came out. Beyond a sequence's length Y is zero; HN and CN are
// the states after each sequence's own last step.
type Result struct {
	Y      []float64 // [T,B,D*S]
	HN     []float64 // [L*D,B,S]
	CN     []float64 // [L*D,B,H], LSTM only
	Record []Record  // [L*D], layer by layer, forward before reverse
}

// Record holds what happened in one layer and direction at every step; zero
// beyond a sequence's length.
type Record struct {
	Hidden []float64 // [T,B,S]
	Cell   []float64 // [T,B,H], LSTM only
	// Gates are [T,B,H], after activation: i f g o; r z n. Beside them stand nh,
	// a GRU's W_hn h + b_hn, and h, an LSTM's hidden state before its projection.
	Gates map[string][]float64
}

// gates are the names in the order of the parameters' rows.
var gates = map[string][]string{
	"RNN_TANH": {""},
	"RNN_RELU": {""},
	"LSTM":     {"i", "f", "g", "o"},
	"GRU":      {"r", "z", "n"},
}

// Run runs the layer. It panics where sizes do not fit, for it is only called
// by tests.
func Run(l Layer, in Input) Result {
	D, H, S := 1, l.HiddenSize, l.HiddenSize
	if l.Bidirectional {
		D = 2
	}
	if l.ProjSize > 0 {
		S = l.ProjSize
	}
	T, B := in.T, in.B
	res := Result{HN: make([]float64, l.NumLayers*D*B*S)}
	if l.Mode == "LSTM" {
		res.CN = make([]float64, l.NumLayers*D*B*H)
	}
	x, I := in.X, l.InputSize
	for layer := range l.NumLayers {
		if layer > 0 && in.Masks != nil {
			masked := make([]float64, len(x))
			for i := range x {
				masked[i] = x[i] * in.Masks[layer-1][i]
			}
			x = masked
		}
		y := make([]float64, T*B*D*S)
		for d := range D {
			k := layer*D + d
			c := newCell(l, layer, d, I)
			rec := Record{Hidden: make([]float64, T*B*S), Gates: map[string][]float64{}}
			if l.Mode == "LSTM" {
				rec.Cell = make([]float64, T*B*H)
			}
			for b := range B {
				c.sequence(l, in, &res, &rec, y, x, k, d, D, b, S, I)
			}
			res.Record = append(res.Record, rec)
		}
		x, I = y, D*S
	}
	res.Y = x
	return res
}

// sequence runs sequence b in direction d of D, from inputs x of I numbers to outputs y
// of S, with the state and the record k.
func (c *cell) sequence(l Layer, in Input, res *Result, rec *Record, y, x []float64, k, d, D, b, S, I int) {
	T, B, H := in.T, in.B, l.HiddenSize
	h0, c0 := make([]float64, S), make([]float64, H)
	if in.H0 != nil {
		copy(h0, in.H0[(k*B+b)*S:][:S])
	}
	if in.C0 != nil {
		copy(c0, in.C0[(k*B+b)*H:][:H])
	}
	h, cc, out := h0, c0, make([]float64, S)
	length := T
	if in.Lengths != nil {
		length = in.Lengths[b]
	}
	for n := range length {
		t := n
		if d == 1 || l.Variant.Reverse {
			t = length - 1 - n
		}
		boundary := t // the boundary crossed on the way to step t
		if d == 1 || l.Variant.Reverse {
			boundary = t + 1
		}
		if in.Resets != nil && n > 0 && in.Resets[boundary*B+b] {
			h, cc, out = h0, c0, make([]float64, S)
		}
		if in.Skips != nil && in.Skips[t*B+b] {
			copy(rec.Hidden[(t*B+b)*S:], out)
			copy(y[((t*B+b)*D+d)*S:], out)
			if rec.Cell != nil {
				copy(rec.Cell[(t*B+b)*H:], cc)
			}
			continue
		}
		var g map[string][]float64
		h, cc, g = c.step(x[(t*B+b)*I:][:I], h, cc)
		out = h
		copy(rec.Hidden[(t*B+b)*S:], h)
		copy(y[((t*B+b)*D+d)*S:], h)
		if rec.Cell != nil {
			copy(rec.Cell[(t*B+b)*H:], cc)
		}
		for name, v := range g {
			if rec.Gates[name] == nil {
				rec.Gates[name] = make([]float64, T*B*H)
			}
			copy(rec.Gates[name][(t*B+b)*H:], v)
		}
	}
	copy(res.HN[(k*B+b)*S:], h)
	if res.CN != nil {
		copy(res.CN[(k*B+b)*H:], cc)
	}
}

// cell is one layer in one direction.
type cell struct {
	mode                   string
	I, H, S                int
	wih, whh, bih, bhh, wr []float64
	peep                   []float64
	v                      Variant
	f                      []func(float64) float64
	int8                   bool
}

func newCell(l Layer, layer, direction, I int) cell {
	suffix := fmt.Sprintf("_l%d", layer)
	if direction == 1 {
		suffix += "_reverse"
	}
	H, S, rows := l.HiddenSize, l.HiddenSize, len(gates[l.Mode])*l.HiddenSize
	if rows == 0 {
		panic("ref: no such mode: " + l.Mode)
	}
	c := cell{mode: l.Mode, I: I, H: H, S: S, int8: l.Int8 != nil && l.Int8[layer]}
	get := func(name string, n int, needed bool) []float64 {
		p, ok := l.Params[name+suffix]
		if !ok && !needed {
			return make([]float64, n)
		}
		if len(p) != n {
			panic(fmt.Sprintf("ref: %s%s has %d elements, needs %d", name, suffix, len(p), n))
		}
		return p
	}
	if l.ProjSize > 0 {
		c.S = l.ProjSize
		c.wr = get("weight_hr", l.ProjSize*H, true)
	}
	c.wih = get("weight_ih", rows*I, true)
	c.whh = get("weight_hh", rows*c.S, true)
	c.bih = get("bias_ih", rows, false)
	c.bhh = get("bias_hh", rows, false)
	c.v = l.Variant
	if c.v.Peepholes {
		c.peep = get("weight_peephole", 3*H, true)
	}
	c.f = own[l.Mode]
	for i, f := range c.v.Functions[direction] {
		if f.Name != "" {
			c.f = append([]func(float64) float64{}, c.f...)
			c.f[i] = onnxFunction(f.Name, f.Alpha, f.Beta)
		}
	}
	return c
}

// step returns the next hidden state, cell state and the gates.
func (c cell) step(x, h, cc []float64) (hn, cn []float64, g map[string][]float64) {
	H := c.H
	hn, cn = make([]float64, H), cc
	switch c.mode {
	case "RNN_TANH", "RNN_RELU": // h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
		for j := range H {
			a := c.dot(c.wih, j, x) + c.bih[j] + c.dot(c.whh, j, h) + c.bhh[j]
			hn[j] = c.f[0](c.clip(a))
		}
	case "LSTM":
		g = map[string][]float64{}
		for n, name := range gates[c.mode] {
			g[name] = make([]float64, H)
			for j := range H {
				row := n*H + j
				a := c.dot(c.wih, row, x) + c.bih[row] + c.dot(c.whh, row, h) + c.bhh[row]
				switch {
				case name == "g":
					g[name][j] = c.f[1](c.clip(a))
				case name == "o":
					g[name][j] = a // its peephole sees the new state
				case name == "f" && c.v.InputForget:
					g[name][j] = 1 - g["i"][j]
				default:
					g[name][j] = c.f[0](c.clip(a + c.peephole(n, j)*cc[j]))
				}
			}
		}
		cn = make([]float64, H)
		for j := range H { // c' = f c + i g, h' = o tanh(c')
			cn[j] = g["f"][j]*cc[j] + g["i"][j]*g["g"][j]
			g["o"][j] = c.f[0](c.clip(g["o"][j] + c.peephole(2, j)*cn[j]))
			hn[j] = g["o"][j] * c.f[2](cn[j])
		}
		if c.wr != nil { // h' = W_hr (o tanh(c'))
			full := hn
			g["h"] = full
			hn = make([]float64, c.S)
			for p := range hn {
				hn[p] = c.dot(c.wr, p, full)
			}
		}
	case "GRU":
		r, z, n, nh := make([]float64, H), make([]float64, H), make([]float64, H), make([]float64, H)
		g = map[string][]float64{"r": r, "z": z, "n": n, "nh": nh}
		in := func(k, j int) float64 { return c.dot(c.wih, k*H+j, x) + c.bih[k*H+j] }
		hid := func(k, j int, h []float64) float64 { return c.dot(c.whh, k*H+j, h) + c.bhh[k*H+j] }
		late := make([]float64, H)
		for j := range H {
			r[j] = c.f[0](c.clip(in(0, j) + hid(0, j, h)))
			z[j] = c.f[0](c.clip(in(1, j) + hid(1, j, h)))
			late[j] = r[j] * h[j]
		}
		for j := range H {
			nh[j] = hid(2, j, h)
			a := in(2, j) + r[j]*nh[j] // b_hn inside the product with r
			if c.v.ResetBefore {
				a = in(2, j) + hid(2, j, late)
			}
			n[j] = c.f[1](c.clip(a))
			hn[j] = (1-z[j])*n[j] + z[j]*h[j]
		}
	}
	return hn, cn, g
}

// own are the functions f, g and h of each mode; PyTorch's relu passes a NaN on.
var own = map[string][]func(float64) float64{
	"RNN_TANH": {math.Tanh},
	"RNN_RELU": {func(x float64) float64 {
		if x < 0 {
			return 0
		}
		return x
	}},
	"LSTM": {sigmoid, math.Tanh, math.Tanh},
	"GRU":  {sigmoid, math.Tanh},
}

func (c cell) clip(a float64) float64 {
	if c.v.Clip > 0 {
		return math.Max(-c.v.Clip, math.Min(c.v.Clip, a))
	}
	return a
}

// peephole returns that of place k (i f o), 0 without.
func (c cell) peephole(k, j int) float64 {
	if c.peep == nil {
		return 0
	}
	return c.peep[k*c.H+j]
}

// dot is the product of a matrix's row with x, or with int8 of what x is rounded to.
func (c cell) dot(w []float64, row int, x []float64) float64 {
	if c.int8 {
		x = Steps(x)
	}
	s := 0.0
	for i, v := range x {
		s += w[row*len(x)+i] * v
	}
	return s
}

// Steps rounds x to whole steps of 255 from its least number to its largest, 0 among
// them.
func Steps(x []float64) []float64 {
	lo, hi := 0.0, 0.0
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo == hi {
		return x
	}
	step := (hi - lo) / 255
	below := math.RoundToEven(-lo / step)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = step * min(math.RoundToEven(v/step), 255-below)
	}
	return y
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
