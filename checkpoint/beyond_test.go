package checkpoint_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// A float64 that float32 has no number for is no infinity; infinities are.
func TestNumbersBeyondFloat32(t *testing.T) {
	of := func(at int, v float64) checkpoint.Set {
		d := tensor.NewOf[float64](20_000) // more than one piece
		d.Data[at] = v
		return checkpoint.Set{checkpoint.Of("x", d)}
	}
	for _, at := range []int{0, 1, 8191, 8192, 19_999} {
		for _, v := range []float64{1e300, -1e39, math.MaxFloat64} {
			_, err := checkpoint.Float[float32](of(at, v), "x")
			var e *checkpoint.Error
			if !errors.As(err, &e) || !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "beyond the range of float32") || e.Place != fmt.Sprintf("element %d", at) {
				t.Errorf("%v at %d: %v", v, at, err)
			}
			if d, err := checkpoint.Float[float64](of(at, v), "x"); err != nil || d.Data[at] != v {
				t.Errorf("%v at %d as float64: %v", v, at, err)
			}
		}
		for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat32, 1e-300} {
			d, err := checkpoint.Float[float32](of(at, v), "x")
			if err != nil || d.Data[at] != float32(v) && v == v {
				t.Errorf("%v at %d: %v, %v", v, at, d.Data[at], err)
			}
		}
	}
}
