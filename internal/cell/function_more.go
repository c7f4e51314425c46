package cell

import (
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Functions that Keras's recurrent layers take beside those of ONNX's operators
// (https://keras.io/api/layers/activations/): loops over numbers in float64, rounded
// once. Some of them give one value for two arguments, so that no derivative follows
// from the value; these have no slope.

// mapped makes both forms of a function of one number; slope may be nil.
func mapped(make func(Function) (f, slope func(float64) float64)) (func(Function) (onRows[float32], func(float32) float32), func(Function) (onRows[float64], func(float64) float64)) {
	return numbers[float32](make), numbers[float64](make)
}

func numbers[F kernel.Float](make func(Function) (f, slope func(float64) float64)) func(Function) (onRows[F], func(F) F) {
	return func(s Function) (onRows[F], func(F) F) {
		f, slope := make(s)
		rows := each(func(x F) F { return F(f(float64(x))) })
		if slope == nil {
			return rows, nil
		}
		return rows, func(y F) F { return F(slope(float64(y))) }
	}
}

// extra describes a function of this file.
func extra(constants int, text, tex, means string, make func(Function) (f, slope func(float64) float64)) definition {
	single, double := mapped(make)
	return definition{constants, text, tex, means, false, single, double}
}

// fixed is a function without constants.
func fixed(f, slope func(float64) float64) func(Function) (func(float64) float64, func(float64) float64) {
	return func(Function) (func(float64) float64, func(float64) float64) { return f, slope }
}

func logistic(x float64) float64 { return 1 / (1 + fmath.Exp(-x)) }

// hyperbolic is tanh, by exponentials that neither end overflows.
func hyperbolic(x float64) float64 {
	e := fmath.Expm1(-2 * math.Abs(x))
	return math.Copysign(-e/(e+2), x)
}

const (
	seluAlpha = 1.6732632423543772
	seluScale = 1.0507009873554805
)

// moreFunctions are rows of the table of functions.
func moreFunctions() map[string]definition {
	return map[string]definition{
		"Selu": extra(0, "selu", `\operatorname{SELU}`, "1.0507·x where x > 0, else 1.7581·(exp(x) - 1)", fixed(
			func(x float64) float64 {
				if x > 0 {
					return float64(seluScale * x)
				}
				return float64(seluScale * float64(seluAlpha*fmath.Expm1(x)))
			},
			func(y float64) float64 {
				if y > 0 {
					return seluScale
				}
				return y + seluScale*seluAlpha
			})),
		"Exp": extra(0, "exp", `\exp`, "", fixed(fmath.Exp, func(y float64) float64 { return y })),
		"Celu": extra(1, "celu", `\operatorname{CELU}`, "x where x ≥ 0, else α·(exp(x/α) - 1)", func(s Function) (f, slope func(float64) float64) {
			return func(x float64) float64 {
					if x < 0 {
						return float64(s.Alpha * fmath.Expm1(x/s.Alpha))
					}
					return x
				}, func(y float64) float64 {
					if y < 0 {
						return y/s.Alpha + 1
					}
					return 1
				}
		}),
		"Clip": extra(2, "clip", `\operatorname{clip}`, "max(α, min(β, x))", func(s Function) (f, slope func(float64) float64) {
			return func(x float64) float64 { return max(s.Alpha, min(s.Beta, x)) }, func(y float64) float64 {
				if y <= s.Alpha || y >= s.Beta {
					return 0
				}
				return 1
			}
		}),
		"LogSigmoid": extra(0, "logsigmoid", `\operatorname{logsigmoid}`, "-ln(1 + exp(-x))", fixed(
			func(x float64) float64 { return -fmath.Softplus(-x) },
			func(y float64) float64 { return -fmath.Expm1(y) })),
		"Squareplus": extra(1, "squareplus", `\operatorname{squareplus}`, "(x + sqrt(x² + α))/2", func(s Function) (f, slope func(float64) float64) {
			return func(x float64) float64 { return (x + math.Sqrt(math.FMA(x, x, s.Alpha))) / 2 },
				// y is above 0, and x is y - α/4y
				func(y float64) float64 { return float64(y*y) / math.FMA(y, y, s.Alpha/4) }
		}),
		"Swish": extra(1, "swish", `\operatorname{swish}`, "x/(1 + exp(-α·x))", func(s Function) (f, slope func(float64) float64) {
			return func(x float64) float64 { return float64(x * logistic(float64(s.Alpha*x))) }, nil
		}),
		"Gelu":       extra(0, "gelu", `\operatorname{GELU}`, "x/2·(1 + erf(x/sqrt(2)))", fixed(func(x float64) float64 { return float64(x/2) * (1 + fmath.Erf(x/math.Sqrt2)) }, nil)),
		"Mish":       extra(0, "mish", `\operatorname{mish}`, "x·tanh(ln(1 + exp(x)))", fixed(func(x float64) float64 { return float64(x * hyperbolic(fmath.Softplus(x))) }, nil)),
		"HardSwish":  extra(0, "hardswish", `\operatorname{HardSwish}`, "x·max(0, min(1, x/6 + 1/2))", fixed(func(x float64) float64 { return float64(x * max(0, min(1, math.FMA(x, 1.0/6, 0.5)))) }, nil)),
		"TanhShrink": extra(0, "tanhshrink", `\operatorname{tanhshrink}`, "x - tanh(x)", fixed(func(x float64) float64 { return x - hyperbolic(x) }, nil)),
		"Shrink": extra(2, "shrink", `\operatorname{shrink}`, "x - β where x > α, x + β where x < -α, else 0", func(s Function) (f, slope func(float64) float64) {
			return func(x float64) float64 {
				switch {
				case x > s.Alpha:
					return x - s.Beta
				case x < -s.Alpha:
					return x + s.Beta
				}
				return 0
			}, nil
		}),
	}
}

func init() {
	for name, d := range moreFunctions() {
		functions[name] = d
	}
}

// ofONNX are the functions that ONNX's recurrent operators have.
var ofONNX = map[string]bool{"Tanh": true, "Sigmoid": true, "Relu": true, "Affine": true, "LeakyRelu": true, "ThresholdedRelu": true, "ScaledTanh": true, "HardSigmoid": true, "Elu": true, "Softsign": true, "Softplus": true}

// InONNX reports whether ONNX's recurrent operators have the function.
func (f Function) InONNX() bool { return ofONNX[f.Name] }
