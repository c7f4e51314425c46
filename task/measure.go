package task

import (
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// Measurement is how good a model is on a part of its data.
type Measurement struct {
	Task      string             `json:"task"`
	Part      string             `json:"part"`
	Loss      float64            `json:"loss"`
	Unit      string             `json:"unit"`
	Accuracy  *float64           `json:"accuracy,omitempty"`
	Classes   []string           `json:"classes,omitempty"`
	Confusion [][]int            `json:"confusion,omitempty"` // [true class][answer]
	MAE       map[string]float64 `json:"mae,omitempty"`       // in the columns' units
	MSE       map[string]float64 `json:"mse,omitempty"`
	Scaled    map[string]float64 `json:"mse_standardised,omitempty"`
}

// Measure measures on the test part of s, which t loaded, or on the validation
// part if there is none. Its errors are those of train.Evaluate.
func Measure(m *nn.Model, t Task, s *Set, workers int) (*Measurement, error) {
	part, name := s.Part()
	e := &Measurement{Task: t.Kind().Name, Part: name, Unit: s.Unit}
	loss, err := train.Evaluate(m, part, s.Objective, workers, t.watch(s, e))
	if err != nil {
		return nil, err
	}
	e.Loss = loss
	if e.Confusion != nil {
		right, all := 0, 0
		for i, row := range e.Confusion {
			right += row[i]
			for _, n := range row {
				all += n
			}
		}
		if all > 0 {
			a := float64(right) / float64(all)
			e.Accuracy = &a
		}
	}
	for _, k := range []map[string]float64{e.MAE, e.MSE, e.Scaled} {
		n := k["n"]
		delete(k, "n")
		for name := range k {
			k[name] /= n
		}
	}
	return e, nil
}

// confusion counts answers by their true class.
func (e *Measurement) confusion(classes []string) func(b *train.Batch, y tensor.Dense) error {
	e.Classes, e.Confusion = classes, make([][]int, len(classes))
	for i := range e.Confusion {
		e.Confusion[i] = make([]int, len(classes))
	}
	return func(b *train.Batch, y tensor.Dense) error {
		for n, want := range b.Classes {
			if want >= 0 {
				e.Confusion[want][argmax(y.Data[n*len(classes):(n+1)*len(classes)])]++
			}
		}
		return nil
	}
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// softmax returns probabilities at a temperature.
func softmax(x []float32, temperature float64) []float64 {
	w := make([]float64, len(x))
	most := math.Inf(-1)
	for _, v := range x {
		most = max(most, float64(v))
	}
	sum := 0.0
	for i, v := range x {
		w[i] = nn.Exp((float64(v) - most) / temperature)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// maxTable is the number of classes up to which Text lists each.
const maxTable = 30

// Text is the measurement for people, some lines.
func (e *Measurement) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s loss %s %s\n", e.Part, figure(e.Loss, 0.00005), e.Unit)
	if e.Accuracy != nil {
		fmt.Fprintf(&b, "%s accuracy %.2f%%\n", e.Part, 100**e.Accuracy)
		if len(e.Classes) <= maxTable {
			e.classes(&b)
		}
	}
	if e.MAE != nil {
		fmt.Fprintf(&b, "%-15s %10s %10s %10s\n", "forecast", "MAE", "MSE", "MSE (std.)")
		for _, n := range []string{"model", "naive", "seasonal naive"} {
			fmt.Fprintf(&b, "%-15s %10s %10s %10s\n", n, figure(e.MAE[n], 0.001), figure(e.MSE[n], 0.001), figure(e.Scaled[n], 0.001))
		}
		var better []string
		for _, n := range []string{"naive", "seasonal naive"} {
			if e.MSE["model"] >= e.MSE[n] {
				better = append(better, n)
			}
		}
		if len(better) > 0 {
			fmt.Fprintf(&b, "the model does not beat the %s forecast: do not use it as it is\n", strings.Join(better, " nor the "))
		}
	}
	return b.String()
}

// figure is a number with four decimals or, below least and where it has many
// digits before the point, with four digits.
func figure(x, least float64) string {
	if a := math.Abs(x); x != 0 && (a < least || a >= 1e9) {
		return fmt.Sprintf("%.4g", x)
	}
	return fmt.Sprintf("%.4f", x)
}

// classes lists for each class how many were right, and what most of the others
// were taken for.
func (e *Measurement) classes(b *strings.Builder) {
	wide := 0
	for _, c := range e.Classes {
		wide = max(wide, len([]rune(c)))
	}
	fmt.Fprintf(b, "%-*s  right   of  mistaken for\n", wide, "class")
	for i, row := range e.Confusion {
		sum, worst := 0, -1
		for j, n := range row {
			sum += n
			if j != i && n > 0 && (worst < 0 || n > row[worst]) {
				worst = j
			}
		}
		fmt.Fprintf(b, "%-*s  %5d %4d", wide, e.Classes[i], row[i], sum)
		if worst >= 0 {
			fmt.Fprintf(b, "  %s (%d)", e.Classes[worst], row[worst])
		}
		b.WriteByte('\n')
	}
}
