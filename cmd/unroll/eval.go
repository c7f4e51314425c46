package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// evaluation is what eval prints.
type evaluation struct {
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

func newEvalCmd() *cobra.Command {
	var d dataFlags
	var asJSON bool
	var one string
	workers := 1
	cmd := &cobra.Command{
		Use:   "eval MODEL DATA",
		Short: "Measure a model folder on the test part of its data",
		Long: `eval measures a model folder on the test part of DATA, cut as it was for
training (the model folder remembers --valid, --test, --seed and the columns):
the loss, for classes the accuracy and the confusion matrix, for forecasts the
errors beside those of the naive and the seasonal-naive forecast.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := nn.Open(args[0])
			if err != nil {
				return err
			}
			cfg := m.Config()
			d.Task = cfg.Task
			d.recall(cmd, cfg.Source)
			if err := fits(cfg); err != nil {
				return err
			}
			task, series, err := d.load(args[1], &cfg)
			if err != nil {
				return err
			}
			if one != "" {
				if err := writeCase(cmd, one, m, task, lossKind(cfg)); err != nil {
					return err
				}
			}
			e, err := evaluate(m, task, series, workers)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, e)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), e.text())
			return err
		},
	}
	d.register(cmd)
	cmd.Flags().IntVar(&workers, "workers", 1, "goroutines that share the work; the bits are the same")
	cmd.Flags().StringVar(&one, "case", "", "write the first batch and the loss on it to this file, for examples/pytorch")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// fits reports whether a config has what its task needs.
func fits(c nn.Config) error {
	var ok bool
	switch c.Task {
	case "text":
		ok = c.Vocabulary != nil && len(c.Vocabulary.Tokens) == c.NumEmbeddings && c.OutFeatures == c.NumEmbeddings
	case "classify", "tag":
		if c.Vocabulary == nil && c.Task == "classify" {
			ok = c.Scaling != nil && len(c.Scaling.Mean) == c.RNN.InputSize && len(c.Scaling.Std) == c.RNN.InputSize && c.NumEmbeddings == 0 && len(c.Classes) == c.OutFeatures
			break
		}
		ok = c.Vocabulary != nil && len(c.Vocabulary.Tokens) == c.NumEmbeddings && len(c.Classes) == c.OutFeatures && c.PaddingIdx != nil
	case "music":
		ok = c.NumEmbeddings == 0 && c.RNN.InputSize == c.OutFeatures
	case "forecast":
		f, s := c.Forecast, c.Scaling
		ok = f != nil && s != nil && len(s.Mean) == len(s.Columns) && len(s.Std) == len(s.Columns) && f.Lags > 0 && f.Season > 0 && f.Horizon > 0 && f.Horizon*len(f.Targets) == c.OutFeatures
	default:
		return fmt.Errorf("config.json has task %q, expected music, text, classify, forecast or tag", c.Task)
	}
	if !ok {
		return fmt.Errorf("config.json lacks what task %s needs; train the model again", c.Task)
	}
	return nil
}

// evaluate measures on the test part, or on the validation part if there is
// none.
func evaluate(m *nn.Model, task *data.Task, series *data.Series, workers int) (*evaluation, error) {
	e := &evaluation{Task: task.Config.Task, Part: "test", Unit: task.Unit}
	part := task.Test
	if part == nil {
		part, e.Part = task.Valid, "validation"
	}
	var see func(b *train.Batch, y tensor.Dense) error
	right, all := 0, 0
	classes := task.Config.Classes
	switch {
	case classes != nil:
		e.Classes, e.Confusion = classes, make([][]int, len(classes))
		for i := range e.Confusion {
			e.Confusion[i] = make([]int, len(classes))
		}
		see = func(b *train.Batch, y tensor.Dense) error {
			for n, want := range b.Classes {
				if want < 0 {
					continue
				}
				got := argmax(y.Data[n*len(classes) : (n+1)*len(classes)])
				e.Confusion[want][got]++
				all++
				if got == want {
					right++
				}
			}
			return nil
		}
	case series != nil:
		see = e.forecasts(task, series)
	}
	loss, err := train.Evaluate(m, part, task.Objective, workers, see)
	if err != nil {
		return nil, err
	}
	e.Loss = loss
	if all > 0 {
		a := float64(right) / float64(all)
		e.Accuracy = &a
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

// forecasts adds up the errors of the model and of both naive forecasts.
func (e *evaluation) forecasts(task *data.Task, s *data.Series) func(b *train.Batch, y tensor.Dense) error {
	e.MAE, e.MSE, e.Scaled = map[string]float64{}, map[string]float64{}, map[string]float64{}
	_, at := task.Span()
	out := task.Config.OutFeatures
	std := s.Std()
	return func(b *train.Batch, y tensor.Dense) error {
		for n := range len(y.Data) / out {
			truth := s.Truth(at)
			last, season := s.Naive(at)
			for name, v := range map[string][][]float64{"model": s.Values(y.Data[n*out:(n+1)*out], at), "naive": last, "seasonal naive": season} {
				for h := range truth {
					for k := range truth[h] {
						d := v[h][k] - truth[h][k]
						e.MAE[name] += math.Abs(d)
						e.MSE[name] += d * d
						e.Scaled[name] += d * d / (std[k] * std[k])
					}
				}
			}
			c := float64(len(truth) * len(truth[0]))
			e.MAE["n"], e.MSE["n"], e.Scaled["n"] = e.MAE["n"]+c, e.MSE["n"]+c, e.Scaled["n"]+c
			at++
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

// text is the evaluation for people.
func (e *evaluation) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s loss %.4f %s\n", e.Part, e.Loss, e.Unit)
	if e.Accuracy != nil {
		fmt.Fprintf(&b, "%s accuracy %.2f%%\n", e.Part, 100**e.Accuracy)
		wide := 0
		for _, c := range e.Classes {
			wide = max(wide, len([]rune(c)))
		}
		if len(e.Classes) <= 30 {
			fmt.Fprintf(&b, "%-*s  right   of  mistaken for\n", wide, "class")
			for i, row := range e.Confusion {
				sum, worst := 0, -1
				for j, n := range row {
					sum += n
					if j != i && n > 0 && (worst < 0 || n > row[worst]) {
						worst = j
					}
				}
				fmt.Fprintf(&b, "%-*s  %5d %4d", wide, e.Classes[i], row[i], sum)
				if worst >= 0 {
					fmt.Fprintf(&b, "  %s (%d)", e.Classes[worst], row[worst])
				}
				b.WriteByte('\n')
			}
		}
	}
	if e.MAE != nil {
		fmt.Fprintf(&b, "%-15s %10s %10s %10s\n", "forecast", "MAE", "MSE", "MSE (std.)")
		for _, n := range []string{"model", "naive", "seasonal naive"} {
			fmt.Fprintf(&b, "%-15s %10.4f %10.4f %10.4f\n", n, e.MAE[n], e.MSE[n], e.Scaled[n])
		}
		if e.MSE["model"] >= min(e.MSE["naive"], e.MSE["seasonal naive"]) {
			b.WriteString("the model does not beat the naive forecasts: do not use it\n")
		}
	}
	return b.String()
}
