package train_test

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// The loss of a batch of piano rolls is that of its sequences without their
// padding, laid one after another; padding has no gradient, whatever stands in it.
func TestKeysLeavePaddingOut(t *testing.T) {
	const steps, keys = 4, 3
	lengths := []int{4, 1}
	g := rng.New(1)
	logits, values := tensor.NewOf[float64](steps, 2, keys), tensor.NewOf[float64](steps, 2, keys)
	rng.Randn(g, logits.Data)
	for i := range values.Data {
		values.Data[i] = float64(i * 7 % 3 / 2)
	}
	var x, y tensor.DenseOf[float64]
	var at []int
	for b, n := range lengths {
		for k := range n {
			i := (k*2 + b) * keys
			at = append(at, i)
			x.Data, y.Data = append(x.Data, logits.Data[i:i+keys]...), append(y.Data, values.Data[i:i+keys]...)
		}
	}
	x.Shape, y.Shape = []int{len(at), keys}, []int{len(at), keys}
	short := make([]float64, len(x.Data))
	want, err := nn.BCEWithLogitsOf[float64](nil, nn.Sum).Loss(x, y, short)
	must(t, err)
	grad := make([]float64, len(logits.Data))
	var loss train.KeysOf[float64]
	for range 2 { // in fresh memory and in used memory
		sum, count, err := loss.Loss(logits, &train.BatchOf[float64]{Lengths: lengths, Values: values}, grad)
		must(t, err)
		testkit.Close(t, "sum and count", []float64{sum, count}, []float64{want, 5}, testkit.Tol{Rel: 1e-12})
		full := make([]float64, len(grad))
		for k, i := range at {
			for j := range keys {
				full[i+j] = short[k*keys+j] / 5
			}
		}
		testkit.Close(t, "gradient", grad, full, testkit.Tol{Abs: 1e-15, Rel: 1e-12})
	}
	sum, count, err := new(train.KeysOf[float64]).Loss(logits, &train.BatchOf[float64]{Values: values}, nil)
	must(t, err)
	all, err := nn.BCEWithLogitsOf[float64](nil, nn.Sum).Loss(logits, values, nil)
	must(t, err)
	testkit.Close(t, "without lengths", []float64{sum, count}, []float64{all, steps * 2}, testkit.Tol{Rel: 1e-12})
}
