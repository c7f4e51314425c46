package cell

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Function is an activation by its name in ONNX, with what it is set to. The
// definitions are those of the operators of the same names; of those that take
// no Alpha or Beta these are left alone.
type Function struct {
	Name        string
	Alpha, Beta float64
}

// activation is a function as a cell applies it, to sums bounded by a clip.
type activation[F kernel.Float] struct {
	clip  F // 0: none
	bound kernel.Line[F]
	// to applies the function to rows of units in place.
	to onRows[F]
	// slope is its derivative, by its value.
	slope  func(y F) F
	lo, hi F // its values at both ends of the clip, beyond which nothing moves it
}

// onRows is a function applied to m rows of n units, in place.
type onRows[F kernel.Float] = func(m, n int, x kernel.Rows[F])

// definition is one row of the table of functions.
type definition struct {
	constants int // how many of Alpha and Beta it takes
	// text and tex name it in formulas; means is the formula in x and its
	// constants α and β, empty where the name says enough.
	text, tex, means string
	bounded          bool // its values lie within -1 and 1
	// make and make64 return the function and its slope by its value.
	make   func(Function) (onRows[float32], func(float32) float32)
	make64 func(Function) (onRows[float64], func(float64) float64)
}

// functions are the activations: those that ONNX's recurrent operators have
// (https://onnx.ai/onnx/operators/onnx__LSTM.html), and those of function_more.go.
var functions = map[string]definition{
	"Tanh":            {0, "tanh", `\tanh`, "", true, tanhOf[float32], tanhOf[float64]},
	"Sigmoid":         {0, "sigmoid", `\sigma`, "", true, sigmoidOf[float32], sigmoidOf[float64]},
	"Relu":            {0, "relu", `\operatorname{ReLU}`, "", false, reluOf[float32], reluOf[float64]},
	"Affine":          {2, "affine", `\operatorname{affine}`, "α·x + β", false, affineOf[float32], affineOf[float64]},
	"LeakyRelu":       {1, "leakyrelu", `\operatorname{LeakyReLU}`, "x where x ≥ 0, else α·x", false, leakyOf[float32], leakyOf[float64]},
	"ThresholdedRelu": {1, "thresholdedrelu", `\operatorname{ThresholdedReLU}`, "x where x > α, else 0", false, thresholdOf[float32], thresholdOf[float64]},
	"ScaledTanh":      {2, "scaledtanh", `\operatorname{ScaledTanh}`, "α·tanh(β·x)", false, scaledTanhOf[float32], scaledTanhOf[float64]},
	"HardSigmoid":     {2, "hardsigmoid", `\operatorname{HardSigmoid}`, "max(0, min(1, α·x + β))", true, hardSigmoidOf[float32], hardSigmoidOf[float64]},
	"Elu":             {1, "elu", `\operatorname{ELU}`, "x where x ≥ 0, else α·(exp(x) - 1)", false, eluOf[float32], eluOf[float64]},
	"Softsign":        {0, "softsign", `\operatorname{softsign}`, "x / (1 + |x|)", true, softsignOf[float32], softsignOf[float64]},
	"Softplus":        {0, "softplus", `\operatorname{softplus}`, "ln(1 + exp(x))", false, softplusOf[float32], softplusOf[float64]},
}

// FunctionNames lists the activations.
func FunctionNames() string {
	return strings.Join(slices.Sorted(maps.Keys(functions)), ", ")
}

// Text returns the name of f in a formula, as text and in LaTeX, and what it is
// of x as text where the name does not say it, with its constants as numbers.
func (f Function) Text() (text, tex, means string) {
	d := functions[f.Name]
	constant := func(v float64) string {
		if v < 0 {
			return fmt.Sprintf("(%g)", v)
		}
		return fmt.Sprintf("%g", v)
	}
	return d.text, d.tex, strings.NewReplacer("α", constant(f.Alpha), "β", constant(f.Beta)).Replace(d.means)
}

// Bounded reports whether the values of f lie within -1 and 1.
func (f Function) Bounded() bool { return functions[f.Name].bounded }

// At returns f of one number, as cells compute it.
func (f Function) At(x float32) float32 {
	v := []float32{x}
	a := activate[float32](f, 0)
	a.slice(v)
	return v[0]
}

// FunctionOf returns the cell's function of a place, as set or its own.
func (k *Kind) FunctionOf(s Settings, place int) Function {
	f := s.Functions[place]
	if f.Name == "" {
		f.Name = k.Functions[place]
	}
	return f
}

// Backwards reports whether the derivative of f follows from its value: not
// where it has one value for two arguments, as with a negative Alpha of LeakyRelu.
func (f Function) Backwards() bool {
	if make := functions[f.Name].make64; make != nil {
		if _, slope := make(f); slope == nil {
			return false
		}
	}
	return f.Alpha > 0 || f.Name != "LeakyRelu" && f.Name != "Elu" && f.Name != "Celu"
}

// normal clears what the function does not take.
func (f Function) normal() Function {
	if n := functions[f.Name].constants; n < 2 {
		f.Beta = 0
		if n < 1 {
			f.Alpha = 0
		}
	}
	return f
}

// activate returns a function of the table.
func activate[F kernel.Float](f Function, clip float64) activation[F] {
	var a activation[F]
	switch a := any(&a).(type) {
	case *activation[float32]:
		a.to, a.slope = functions[f.Name].make(f)
	case *activation[float64]:
		a.to, a.slope = functions[f.Name].make64(f)
	}
	if a.clip = F(clip); clip > 0 {
		a.bound = line(1, negativeZero[F](), -a.clip, a.clip)
		ends := []F{-a.clip, a.clip}
		a.to(1, 2, kernel.Rows[F]{Data: ends})
		a.lo, a.hi = ends[0], ends[1]
	}
	return a
}

// apply replaces sums, m rows of n, by the function of them.
func (a *activation[F]) apply(m, n int, x kernel.Rows[F]) {
	if a.clip > 0 {
		kernel.LineRows(m, n, x, x, &a.bound)
	}
	a.to(m, n, x)
}

// slice is apply for one row.
func (a *activation[F]) slice(x []F) { a.apply(1, len(x), kernel.Rows[F]{Data: x}) }

// pair is apply for two gates of panel memory, of which z is the first.
func (a *activation[F]) pair(m, n int, z kernel.Rows[F]) {
	if n == kernel.Lane {
		a.apply(m, 2*n, z)
		return
	}
	a.apply(m, n, z)
	a.apply(m, n, lanes(z, 1))
}

// lanes returns panel memory from a gate on.
func lanes[F kernel.Float](z kernel.Rows[F], gate int) kernel.Rows[F] {
	return kernel.Rows[F]{Data: z.Data[gate*kernel.Lane:], Row: z.Row}
}

func line[F kernel.Float](slope, offset, lo, hi F) kernel.Line[F] {
	return kernel.Line[F]{Slope: slope, Offset: offset, Lo: lo, Hi: hi}
}

// endless is a line without bounds.
func endless[F kernel.Float](slope, offset F) kernel.Line[F] {
	inf := F(math.Inf(1))
	return line(slope, offset, -inf, inf)
}

// negativeZero as an offset changes no product: not even -0, which +0 would.
func negativeZero[F kernel.Float]() F { return F(math.Copysign(0, -1)) }

// back is the derivative by the sum, given the value.
func (a *activation[F]) back(y F) F {
	if a.clip > 0 && (y == a.lo || y == a.hi) {
		return 0
	}
	return a.slope(y)
}

// each makes a function of rows of one of numbers.
func each[F kernel.Float](f func(F) F) onRows[F] {
	return func(m, n int, x kernel.Rows[F]) {
		for r := range m {
			row := x.At(r, n)
			for i, v := range row {
				row[i] = f(v)
			}
		}
	}
}

// along makes one of a line.
func along[F kernel.Float](l kernel.Line[F]) onRows[F] {
	return func(m, n int, x kernel.Rows[F]) { kernel.LineRows(m, n, x, x, &l) }
}

func tanhOf[F kernel.Float](Function) (onRows[F], func(F) F) {
	return kernel.TanhRows[F], func(y F) F { return kernel.FMA(-y, y, 1) }
}

func sigmoidOf[F kernel.Float](Function) (onRows[F], func(F) F) {
	return kernel.SigmoidRows[F], func(y F) F { return F(y * (1 - y)) }
}

func reluOf[F kernel.Float](Function) (onRows[F], func(F) F) {
	return kernel.ReLURows[F], func(y F) F {
		if y <= 0 {
			return 0
		}
		return 1
	}
}

func affineOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	alpha, beta := F(f.Alpha), F(f.Beta)
	return along(endless(alpha, beta)), func(F) F { return alpha }
}

func leakyOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	alpha := F(f.Alpha)
	return func(m, n int, x kernel.Rows[F]) { kernel.LeakyRows(m, n, x, alpha) },
		func(y F) F {
			if y < 0 {
				return alpha
			}
			return 1
		}
}

func thresholdOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	alpha := F(f.Alpha)
	return func(m, n int, x kernel.Rows[F]) { kernel.ThresholdRows(m, n, x, alpha) },
		func(y F) F {
			if y <= alpha || y == 0 {
				return 0
			}
			return 1
		}
}

func scaledTanhOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	alpha, beta := F(f.Alpha), F(f.Beta)
	inner, outer := endless(beta, negativeZero[F]()), endless(alpha, negativeZero[F]())
	return func(m, n int, x kernel.Rows[F]) {
			kernel.LineRows(m, n, x, x, &inner)
			kernel.TanhRows(m, n, x)
			kernel.LineRows(m, n, x, x, &outer)
		}, func(y F) F {
			t := y / alpha
			return F(F(alpha*beta) * kernel.FMA(-t, t, 1))
		}
}

func hardSigmoidOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	alpha, beta := F(f.Alpha), F(f.Beta)
	return along(line(alpha, beta, 0, 1)), func(y F) F {
		if y <= 0 || y >= 1 {
			return 0
		}
		return alpha
	}
}

func eluOf[F kernel.Float](f Function) (onRows[F], func(F) F) {
	return each(func(x F) F {
			if x < 0 {
				return F(f.Alpha * (fmath.Exp(float64(x)) - 1))
			}
			return x
		}), func(y F) F {
			if y < 0 {
				return y + F(f.Alpha)
			}
			return 1
		}
}

func softsignOf[F kernel.Float](Function) (onRows[F], func(F) F) {
	return kernel.SoftsignRows[F], func(y F) F {
		d := 1 - max(y, -y)
		return F(d * d)
	}
}

func softplusOf[F kernel.Float](Function) (onRows[F], func(F) F) {
	return each(func(x F) F { return F(fmath.Softplus(float64(x))) }),
		func(y F) F { return F(1 - fmath.Exp(-math.Abs(float64(y)))) }
}
