package nn

import "github.com/unroll-ml/unroll/internal/fmath"

// Exp returns e**x with the same bits on every platform, for those who turn
// logits into probabilities.
func Exp(x float64) float64 { return fmath.Exp(x) }
