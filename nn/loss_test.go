package nn_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

type lossCase struct {
	Name        string
	X           [][]float64
	Y           json.RawMessage
	Mean, Sum   float64
	None        json.RawMessage
	Up          json.RawMessage
	MeanGrad    [][]float64 `json:"mean_grad"`
	SumGrad     [][]float64 `json:"sum_grad"`
	NoneGrad    [][]float64 `json:"none_grad"`
	Weight      []float64
	IgnoreIndex int     `json:"ignore_index"`
	Smoothing   float64 `json:"label_smoothing"`
	Arg         float64
}

func flat(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	var m [][]float64
	if json.Unmarshal(raw, &m) == nil {
		return concat(m)
	}
	var v []float64
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func concat(m [][]float64) (v []float64) {
	for _, r := range m {
		v = append(v, r...)
	}
	return v
}

func near(t *testing.T, what string, got, want []float64, rtol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= 1e-13+rtol*math.Abs(want[i])) {
			t.Errorf("%s[%d] = %v, PyTorch has %v", what, i, got[i], want[i])
		}
	}
}

// The numbers are PyTorch's; testdata/losses.py made them.
func TestLossesAreThoseOfPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	checkLosses(t, data)
}

// Where PyTorch is installed, its present release is asked, about other numbers.
func TestLossesAreThoseOfTheInstalledPyTorch(t *testing.T) {
	checkLosses(t, testkit.Torch(t, "testdata/losses.py", "2"))
}

func checkLosses(t *testing.T, data []byte) {
	var file struct{ Cases []lossCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 27 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if strings.HasPrefix(c.Name, "CrossEntropy") {
				checkCrossEntropy(t, c)
			} else {
				checkPointwise(t, c)
			}
		})
	}
}

func checkCrossEntropy(t *testing.T, c lossCase) {
	var targets []int
	for _, v := range flat(t, c.Y) {
		targets = append(targets, int(v))
	}
	x, _ := tensor.Of(concat(c.X), len(c.X), len(c.X[0]))
	grad := make([]float64, len(x.Data))
	for _, r := range []nn.Reduction{nn.Mean, nn.Sum} {
		l := nn.CrossEntropyOf[float64]{Weight: c.Weight, IgnoreIndex: &c.IgnoreIndex, LabelSmoothing: c.Smoothing, Reduction: r}
		got, err := l.Loss(x, targets, grad)
		if err != nil {
			t.Fatal(err)
		}
		want, wantGrad := c.Mean, c.MeanGrad
		if r == nn.Sum {
			want, wantGrad = c.Sum, c.SumGrad
		}
		near(t, r.String(), []float64{got}, []float64{want}, 1e-13)
		near(t, r.String()+" gradient", grad, concat(wantGrad), 1e-12)
	}
	l := nn.CrossEntropyOf[float64]{Weight: c.Weight, IgnoreIndex: &c.IgnoreIndex, LabelSmoothing: c.Smoothing}
	each := make([]float64, len(targets))
	if err := l.Each(each, x, targets, flat(t, c.Up), grad); err != nil {
		t.Fatal(err)
	}
	near(t, "none", each, flat(t, c.None), 1e-13)
	near(t, "none gradient", grad, concat(c.NoneGrad), 1e-12)
}

func checkPointwise(t *testing.T, c lossCase) {
	x, _ := tensor.Of(concat(c.X), len(c.X), len(c.X[0]))
	y, _ := tensor.Of(flat(t, c.Y), x.Shape...)
	grad := make([]float64, len(x.Data))
	of := func(r nn.Reduction) *nn.PointwiseOf[float64] {
		switch c.Name {
		case "MSE":
			return nn.MSEOf[float64](r)
		case "L1":
			return nn.L1Of[float64](r)
		case "Huber":
			return nn.HuberOf[float64](c.Arg, r)
		case "SmoothL1":
			return nn.SmoothL1Of[float64](c.Arg, r)
		case "BCEWithLogits":
			return nn.BCEWithLogitsOf(c.Weight, r)
		}
		t.Fatal("unknown loss")
		return nil
	}
	for _, r := range []nn.Reduction{nn.Mean, nn.Sum} {
		got, err := of(r).Loss(x, y, grad)
		if err != nil {
			t.Fatal(err)
		}
		want, wantGrad := c.Mean, c.MeanGrad
		if r == nn.Sum {
			want, wantGrad = c.Sum, c.SumGrad
		}
		near(t, r.String(), []float64{got}, []float64{want}, 1e-13)
		near(t, r.String()+" gradient", grad, concat(wantGrad), 1e-12)
	}
	each := make([]float64, len(x.Data))
	if err := of(nn.Sum).Each(each, x, y, flat(t, c.Up), grad); err != nil {
		t.Fatal(err)
	}
	near(t, "none", each, flat(t, c.None), 1e-13)
	near(t, "none gradient", grad, concat(c.NoneGrad), 1e-12)
}

func TestLossesRefuseWrongUse(t *testing.T) {
	x := tensor.New(2, 3)
	_, beyond := (&nn.CrossEntropy{}).Loss(x, []int{0, 3}, nil) // errors.json: cross_entropy_target_out_of_range
	_, negative := (&nn.CrossEntropy{}).Loss(x, []int{0, -1}, nil)
	_, rows := (&nn.CrossEntropy{}).Loss(x, []int{0}, nil)
	_, weights := (&nn.CrossEntropy{Weight: []float32{1}}).Loss(x, []int{0, 1}, nil)
	_, smooth := (&nn.CrossEntropy{LabelSmoothing: 1.5}).Loss(x, []int{0, 1}, nil)
	_, short := (&nn.CrossEntropy{}).Loss(x, []int{0, 1}, make([]float32, 5))
	_, shape := nn.MSE(nn.Mean).Loss(x, tensor.New(3, 2), nil)
	_, delta := nn.Huber(0, nn.Mean).Loss(x, x, nil)
	_, beta := nn.SmoothL1(-1, nn.Mean).Loss(x, x, nil)
	_, pos := nn.BCEWithLogits([]float32{1, 2}, nn.Mean).Loss(x, x, nil)
	for name, c := range map[string]struct{ err, kind error }{
		"target beyond the classes": {beyond, nn.ErrIndex},
		"negative target":           {negative, nn.ErrIndex},
		"too few targets":           {rows, nn.ErrShape},
		"too few weights":           {weights, nn.ErrShape},
		"label smoothing above 1":   {smooth, nn.ErrConfig},
		"gradient too short":        {short, nn.ErrShape},
		"target of another shape":   {shape, nn.ErrShape},
		"Huber with delta 0":        {delta, nn.ErrConfig},
		"SmoothL1 with beta -1":     {beta, nn.ErrConfig},
		"pos_weight too short":      {pos, nn.ErrShape},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v, want %v", name, c.err, c.kind)
		}
	}
}

func TestAllIgnoredIsNaN(t *testing.T) {
	got, err := (&nn.CrossEntropy{}).Loss(tensor.New(2, 3), []int{-100, -100}, nil)
	if err != nil || !math.IsNaN(got) {
		t.Errorf("%v, %v; PyTorch gives NaN", got, err)
	}
}
