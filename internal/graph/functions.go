package graph

import (
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// floatFunction is an operator that maps each floating-point number: in float32
// and float64 by one function of float64, where none of its own is said.
type floatFunction struct {
	op    string
	attrs []string
	// wide makes the function with the node's attributes.
	wide func(c *call) func(float64) float64
	// narrow is the loop over float32, if it is not wide's.
	narrow func(c *call) func(dst, x []float32)
}

func (f floatFunction) plan(c *call) (kernel, error) {
	wide := f.wide(c)
	forms := unaryForms{
		f32: over(func(x float32) float32 { return float32(wide(float64(x))) }),
		f64: over(wide),
	}
	if f.narrow != nil {
		forms.f32 = f.narrow(c)
	}
	return unary(c, forms)
}

// plain is a function without attributes.
func plain(f func(float64) float64) func(*call) func(float64) float64 {
	return func(*call) func(float64) float64 { return f }
}

func loop(f func(dst, x []float32)) func(*call) func(dst, x []float32) {
	return func(*call) func(dst, x []float32) { return f }
}

func floatFunctions() []floatFunction {
	return []floatFunction{
		{op: "Sqrt", wide: plain(math.Sqrt)},
		{op: "Exp", wide: plain(fmath.Exp)},
		{op: "Log", wide: plain(fmath.Log)},
		{op: "Erf", wide: plain(fmath.Erf)},
		{op: "Floor", wide: plain(math.Floor)},
		{op: "Ceil", wide: plain(math.Ceil)},
		{op: "Round", wide: plain(math.RoundToEven)},
		{op: "Reciprocal", wide: plain(func(x float64) float64 { return 1 / x })},
		{op: "Tanh", wide: plain(tanh64), narrow: loop(tanhTo)},
		{op: "Sigmoid", wide: plain(sigmoid64), narrow: loop(sigmoidTo)},
		{op: "Softplus", wide: plain(fmath.Softplus)},
		{op: "Softsign", wide: plain(func(x float64) float64 { return x / (1 + math.Abs(x)) })},
		{op: "LeakyRelu", attrs: []string{"alpha"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 0.01))
			return func(x float64) float64 {
				if x < 0 {
					return float64(alpha * x)
				}
				return x
			}
		}},
		{op: "ThresholdedRelu", attrs: []string{"alpha"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 1))
			return func(x float64) float64 {
				if x <= alpha {
					return 0
				}
				return x
			}
		}},
		{op: "Elu", attrs: []string{"alpha"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 1))
			return func(x float64) float64 {
				if x < 0 {
					return float64(alpha * fmath.Expm1(x))
				}
				return x
			}
		}},
		{op: "Celu", attrs: []string{"alpha"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 1))
			return func(x float64) float64 {
				if x < 0 {
					return float64(alpha * fmath.Expm1(x/alpha))
				}
				return x
			}
		}},
		{op: "Selu", attrs: []string{"alpha", "gamma"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 1.67326319217681884765625))
			gamma := float64(c.floatAttr("gamma", 1.05070102214813232421875))
			return func(x float64) float64 {
				if x <= 0 {
					return float64(gamma * float64(alpha*fmath.Expm1(x)))
				}
				return float64(gamma * x)
			}
		}},
		{op: "HardSigmoid", attrs: []string{"alpha", "beta"}, wide: func(c *call) func(float64) float64 {
			alpha, beta := float64(c.floatAttr("alpha", 0.2)), float64(c.floatAttr("beta", 0.5))
			return func(x float64) float64 { return max(0, min(1, math.FMA(alpha, x, beta))) }
		}},
		{op: "HardSwish", wide: plain(func(x float64) float64 { return float64(x * max(0, min(1, math.FMA(x, 1.0/6, 0.5)))) })},
		{op: "Mish", wide: plain(func(x float64) float64 { return float64(x * tanh64(fmath.Softplus(x))) })},
		{op: "Gelu", attrs: []string{"approximate"}, wide: func(c *call) func(float64) float64 {
			if c.strAttr("approximate", "none") == "tanh" {
				return func(x float64) float64 {
					inner := float64(0.7978845608028654 * math.FMA(float64(0.044715*x), float64(x*x), x)) // sqrt(2/pi)
					return float64(float64(0.5*x) * (1 + tanh64(inner)))
				}
			}
			return func(x float64) float64 { return float64(float64(0.5*x) * (1 + fmath.Erf(x/math.Sqrt2))) }
		}},
	}
}
