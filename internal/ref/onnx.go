package ref

import (
	"fmt"
	"math"
)

// ONNXOp is a node RNN, LSTM or GRU of ONNX's default domain with all its
// attributes, in the operator's own order of gates: LSTM i o f c, GRU z r h.
// The definitions are those of https://onnx.ai/onnx/operators/onnx__LSTM.html,
// onnx__GRU.html and onnx__RNN.html; where they leave room, what ONNX Runtime
// does is taken: alphas and betas are consumed only by functions that have
// them, input_forget means f = 1-i, and clip bounds the sums before f and g but
// not the cell state before h.
type ONNXOp struct {
	Op                string   // RNN, LSTM or GRU
	Direction         string   // forward (or empty), reverse, bidirectional
	HiddenSize        int      // H
	Activations       []string // empty: the operator's defaults
	Alpha, Beta       []float64
	Clip              float64 // 0: none
	InputForget       bool    // LSTM
	LinearBeforeReset bool    // GRU
	BatchFirst        bool    // layout 1
}

// ONNXInput is the operator's inputs; nil stands for an absent one. D is the
// number of directions, G of gates.
type ONNXInput struct {
	T, B, I int
	X       []float64 // [T,B,I]; layout 1: [B,T,I]
	W       []float64 // [D,G*H,I]
	R       []float64 // [D,G*H,H]
	Bias    []float64 // [D,2*G*H], those of W before those of R
	Lengths []int     // [B]
	H0, C0  []float64 // [D,B,H]; layout 1: [B,D,H]
	P       []float64 // [D,3*H], of i o f
}

// ONNXOutput is the operator's outputs.
type ONNXOutput struct {
	Y      []float64 // [T,D,B,H]; layout 1: [B,T,D,H]
	YH, YC []float64 // [D,B,H]; layout 1: [B,D,H]
}

var onnxGates = map[string]int{"RNN": 1, "LSTM": 4, "GRU": 3}

var onnxDefaults = map[string][]string{
	"RNN":  {"Tanh"},
	"LSTM": {"Sigmoid", "Tanh", "Tanh"},
	"GRU":  {"Sigmoid", "Tanh"},
}

// onnxConstants are the default alpha and beta of functions that have one or
// both, those of the operators of the same names.
var onnxConstants = map[string][]float64{
	"Affine":          {1, 0},
	"LeakyRelu":       {0.01},
	"ThresholdedRelu": {1},
	"ScaledTanh":      {1, 1},
	"HardSigmoid":     {0.2, 0.5},
	"Elu":             {1},
}

// onnxFunctions returns the functions of all directions in order, each taking
// its alpha and beta off the lists.
func onnxFunctions(op ONNXOp, dirs int) [][]func(float64) float64 {
	names := op.Activations
	per := len(onnxDefaults[op.Op])
	if len(names) == 0 {
		for range dirs {
			names = append(names, onnxDefaults[op.Op]...)
		}
	}
	if len(names) != per*dirs {
		panic(fmt.Sprintf("ref: %d activations, want %d", len(names), per*dirs))
	}
	alphas, betas := op.Alpha, op.Beta
	out := make([][]func(float64) float64, dirs)
	for i, name := range names {
		var constant [2]float64
		def := onnxConstants[name]
		copy(constant[:], def)
		if len(def) > 0 && len(alphas) > 0 {
			constant[0], alphas = alphas[0], alphas[1:]
		}
		if len(def) > 1 && len(betas) > 0 {
			constant[1], betas = betas[0], betas[1:]
		}
		out[i/per] = append(out[i/per], onnxFunction(name, constant[0], constant[1]))
	}
	return out
}

func onnxFunction(name string, alpha, beta float64) func(float64) float64 {
	switch name {
	case "Relu":
		return func(x float64) float64 { return math.Max(x, 0) }
	case "Tanh":
		return math.Tanh
	case "Sigmoid":
		return func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	case "Affine":
		return func(x float64) float64 { return alpha*x + beta }
	case "LeakyRelu":
		return func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return alpha * x
		}
	case "ThresholdedRelu":
		return func(x float64) float64 {
			if x > alpha {
				return x
			}
			return 0
		}
	case "ScaledTanh":
		return func(x float64) float64 { return alpha * math.Tanh(beta*x) }
	case "HardSigmoid":
		return func(x float64) float64 { return math.Min(math.Max(alpha*x+beta, 0), 1) }
	case "Elu":
		return func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return alpha * math.Expm1(x)
		}
	case "Softsign":
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	case "Softplus":
		return func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	}
	return kerasFunction(name, alpha, beta)
}

// kerasFunction has the functions that Keras's layers take beside those.
func kerasFunction(name string, alpha, beta float64) func(float64) float64 {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	softplus := func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	switch name {
	case "Selu":
		return func(x float64) float64 {
			return 1.0507009873554805 * (math.Max(x, 0) + math.Min(0, 1.6732632423543772*math.Expm1(x)))
		}
	case "Exp":
		return math.Exp
	case "Celu":
		return func(x float64) float64 { return math.Max(x, 0) + math.Min(0, alpha*math.Expm1(x/alpha)) }
	case "Clip":
		return func(x float64) float64 { return math.Max(alpha, math.Min(beta, x)) }
	case "LogSigmoid":
		return func(x float64) float64 { return -softplus(-x) }
	case "Squareplus":
		return func(x float64) float64 { return (x + math.Sqrt(x*x+alpha)) / 2 }
	case "Swish":
		return func(x float64) float64 { return x * sigmoid(alpha*x) }
	case "Gelu":
		return func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
	case "Mish":
		return func(x float64) float64 { return x * math.Tanh(softplus(x)) }
	case "HardSwish":
		return func(x float64) float64 { return x * math.Max(0, math.Min(1, x/6+0.5)) }
	case "TanhShrink":
		return func(x float64) float64 { return x - math.Tanh(x) }
	}
	panic("ref: unknown activation " + name)
}

// RunONNX runs one node. It panics where sizes do not fit, for it is only
// called by tests.
func RunONNX(op ONNXOp, in ONNXInput) ONNXOutput {
	G, H, D := onnxGates[op.Op], op.HiddenSize, 1
	if op.Direction == "bidirectional" {
		D = 2
	}
	out := ONNXOutput{Y: make([]float64, in.T*D*in.B*H), YH: make([]float64, D*in.B*H)}
	if op.Op == "LSTM" {
		out.YC = make([]float64, D*in.B*H)
	}
	functions := onnxFunctions(op, D)
	for d := range D {
		one := onnxOne{op: op, G: G, H: H, I: in.I, act: functions[d]}
		one.W, one.R = in.W[d*G*H*in.I:][:G*H*in.I], in.R[d*G*H*H:][:G*H*H]
		if in.Bias != nil {
			one.WB, one.RB = in.Bias[d*2*G*H:][:G*H], in.Bias[d*2*G*H+G*H:][:G*H]
		}
		if in.P != nil {
			one.P = in.P[d*3*H:][:3*H]
		}
		reverse := d == 1 || op.Direction == "reverse"
		for b := range in.B {
			length := in.T
			if in.Lengths != nil {
				length = in.Lengths[b]
			}
			state := (d*in.B + b) * H
			if op.BatchFirst {
				state = (b*D + d) * H
			}
			h, c := make([]float64, H), make([]float64, H)
			if in.H0 != nil {
				copy(h, in.H0[state:][:H])
			}
			if in.C0 != nil {
				copy(c, in.C0[state:][:H])
			}
			for k := range length {
				t := k
				if reverse {
					t = length - 1 - k
				}
				x, y := (t*in.B+b)*in.I, ((t*D+d)*in.B+b)*H
				if op.BatchFirst {
					x, y = (b*in.T+t)*in.I, ((b*in.T+t)*D+d)*H
				}
				h, c = one.step(in.X[x:][:in.I], h, c)
				copy(out.Y[y:], h)
			}
			copy(out.YH[state:], h)
			if out.YC != nil {
				copy(out.YC[state:], c)
			}
		}
	}
	return out
}

// onnxOne is one direction of a node.
type onnxOne struct {
	op      ONNXOp
	G, H, I int
	W, R, P []float64
	WB, RB  []float64
	act     []func(float64) float64
}

// in and rec are the two parts of the sum of gate g, unit j; hidden states come
// scaled by s where s is not nil.
func (o onnxOne) in(g, j int, x []float64) float64 {
	row, sum := g*o.H+j, 0.0
	for i, v := range x {
		sum += o.W[row*o.I+i] * v
	}
	if o.WB != nil {
		sum += o.WB[row]
	}
	return sum
}

func (o onnxOne) rec(g, j int, h, s []float64) float64 {
	row, sum := g*o.H+j, 0.0
	for i, v := range h {
		if s != nil {
			v *= s[i]
		}
		sum += o.R[row*o.H+i] * v
	}
	if o.RB != nil {
		sum += o.RB[row]
	}
	return sum
}

func (o onnxOne) clip(x float64) float64 {
	if o.op.Clip > 0 {
		return math.Max(-o.op.Clip, math.Min(o.op.Clip, x))
	}
	return x
}

// peep is the peephole of gate g (i o f), unit j.
func (o onnxOne) peep(g, j int, c float64) float64 {
	if o.P == nil {
		return 0
	}
	return o.P[g*o.H+j] * c
}

func (o onnxOne) step(x, h, c []float64) (h1, c1 []float64) {
	h1, c1 = make([]float64, o.H), make([]float64, o.H)
	switch o.op.Op {
	case "RNN":
		for j := range h1 {
			h1[j] = o.act[0](o.clip(o.in(0, j, x) + o.rec(0, j, h, nil)))
		}
	case "LSTM":
		f, g, last := o.act[0], o.act[1], o.act[2]
		for j := range h1 {
			it := f(o.clip(o.in(0, j, x) + o.rec(0, j, h, nil) + o.peep(0, j, c[j])))
			ft := 1 - it
			if !o.op.InputForget {
				ft = f(o.clip(o.in(2, j, x) + o.rec(2, j, h, nil) + o.peep(2, j, c[j])))
			}
			ct := g(o.clip(o.in(3, j, x) + o.rec(3, j, h, nil)))
			c1[j] = ft*c[j] + it*ct
			ot := f(o.clip(o.in(1, j, x) + o.rec(1, j, h, nil) + o.peep(1, j, c1[j])))
			h1[j] = ot * last(c1[j])
		}
	case "GRU":
		f, g := o.act[0], o.act[1]
		r := make([]float64, o.H)
		for j := range r {
			r[j] = f(o.clip(o.in(1, j, x) + o.rec(1, j, h, nil)))
		}
		for j := range h1 {
			z := f(o.clip(o.in(0, j, x) + o.rec(0, j, h, nil)))
			sum := o.in(2, j, x)
			if o.op.LinearBeforeReset {
				sum += r[j] * o.rec(2, j, h, nil)
			} else {
				sum += o.rec(2, j, h, r)
			}
			h1[j] = (1-z)*g(o.clip(sum)) + z*h[j]
		}
	}
	return h1, c1
}
