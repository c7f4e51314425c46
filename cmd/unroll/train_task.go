package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train/data"
)

// dataFlags are what train, eval and predict need to read data; the train
// command saves them with the checkpoint.
type dataFlags struct {
	Task        string
	Level       string
	MaxTokens   int
	Text, Label string
	Batch       int
	Window      int
	Valid, Test float64
	Seed        uint64
	Forecast    data.ForecastOptions
	NoCalendar  bool
}

func (d *dataFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.Level, "level", "char", "text, classify: tokens are char or word; classify: number, for sequences of numbers")
	f.IntVar(&d.MaxTokens, "max-tokens", 0, "keep the most frequent words only; 0: all")
	f.StringVar(&d.Text, "text-column", "text", "classify: column with the text or sequence")
	f.StringVar(&d.Label, "label-column", "label", "classify: column with the class")
	f.IntVar(&d.Batch, "batch", 16, "sequences in a step")
	f.IntVar(&d.Window, "window", 100, "text: steps of backpropagation through time")
	f.Float64Var(&d.Valid, "valid", 0.1, "part held out for validation (forecast: rows, if 1 or more)")
	f.Float64Var(&d.Test, "test", 0.1, "part held out for the test (forecast: rows, if 1 or more)")
	f.Uint64Var(&d.Seed, "seed", 1, "seed of everything random")
	f.StringVar(&d.Forecast.Time, "time-column", "", "forecast: column with the time (default: the first)")
	f.StringSliceVar(&d.Forecast.Columns, "columns", nil, "forecast: columns the model sees (default: all)")
	f.StringSliceVar(&d.Forecast.Targets, "target", nil, "forecast: columns to foretell (default: the last)")
	f.IntVar(&d.Forecast.Lags, "lags", 96, "forecast: steps seen")
	f.IntVar(&d.Forecast.Horizon, "horizon", 24, "forecast: steps foretold")
	f.IntVar(&d.Forecast.Season, "season", 24, "forecast: length of a season")
	f.StringVar(&d.Forecast.Base, "base", "last", "forecast: foretell the change from the last value, from the season before, or from none")
	f.StringVar(&d.Forecast.Loss, "loss", "mse", "forecast: mse, l1 or huber")
	f.IntVar(&d.Forecast.Limit, "rows", 0, "forecast: use the first rows only; 0: all")
	f.BoolVar(&d.NoCalendar, "no-calendar", false, "forecast: do not show the model the hour and the day of the week")
}

func (d *dataFlags) check() error {
	switch {
	case d.Level != "char" && d.Level != "word" && (d.Level != "number" || d.Task != "classify"):
		return usagef("--level is %q, expected char or word, or for classify number", d.Level)
	case d.Batch < 1 || d.Window < 1:
		return usagef("--batch and --window are to be at least 1")
	case !(d.Valid > 0) || !(d.Test >= 0) || d.Task != "forecast" && d.Valid+d.Test >= 1:
		return usagef("--valid and --test are shares that leave something to train on")
	case d.Forecast.Lags < 1 || d.Forecast.Horizon < 1 || d.Forecast.Season < 1:
		return usagef("--lags, --horizon and --season are to be at least 1")
	case d.Forecast.Base != "last" && d.Forecast.Base != "season" && d.Forecast.Base != "none":
		return usagef("--base is %q, expected last, season or none", d.Forecast.Base)
	case d.Forecast.Loss != "mse" && d.Forecast.Loss != "l1" && d.Forecast.Loss != "huber":
		return usagef("--loss is %q, expected mse, l1 or huber", d.Forecast.Loss)
	}
	return nil
}

// source is what a model keeps of the flags.
func (d *dataFlags) source() *nn.Source {
	s := &nn.Source{Valid: d.Valid, Test: d.Test, Seed: d.Seed}
	switch d.Task {
	case "classify":
		s.Text, s.Label = d.Text, d.Label
	case "forecast":
		s.Rows, s.Loss = d.Forecast.Limit, d.Forecast.Loss
	}
	return s
}

// recall sets the flags that were not given to what the model was trained with,
// so that what is measured is what was held out.
func (d *dataFlags) recall(cmd *cobra.Command, s *nn.Source) {
	if s == nil {
		return
	}
	was := func(flag string, set func()) {
		if !cmd.Flags().Changed(flag) {
			set()
		}
	}
	was("valid", func() { d.Valid = s.Valid })
	was("test", func() { d.Test = s.Test })
	was("seed", func() { d.Seed = s.Seed })
	if s.Text != "" {
		was("text-column", func() { d.Text = s.Text })
		was("label-column", func() { d.Label = s.Label })
	}
	if s.Loss != "" {
		was("rows", func() { d.Forecast.Limit = s.Rows })
		was("loss", func() { d.Forecast.Loss = s.Loss })
	}
}

// load reads the data; known is the config of a trained model, or nil.
func (d *dataFlags) load(path string, known *nn.Config) (*data.Task, *data.Series, error) {
	if err := d.check(); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err
	}
	var t *data.Task
	var s *data.Series
	var err error
	switch d.Task {
	case "music":
		t, err = data.Music(path, d.Batch)
	case "text":
		level := d.Level
		var v *nn.Vocabulary
		if known != nil {
			v, level = known.Vocabulary, known.Vocabulary.Level
		}
		t, err = data.Text(path, level, v, d.MaxTokens, d.Batch, d.Window, d.Valid, d.Test)
	case "classify":
		t, err = data.Classify(path, d.Text, d.Label, d.Level, known, d.MaxTokens, d.Batch, d.Valid, d.Test, d.Seed)
	case "tag":
		t, err = data.Tag(path, known, d.MaxTokens, d.Batch, d.Valid, d.Test, d.Seed)
	case "forecast":
		o := d.Forecast
		o.Batch, o.Valid, o.Test, o.Calendar = d.Batch, d.Valid, d.Test, !d.NoCalendar
		if known != nil {
			o.Forecast, o.Columns = *known.Forecast, known.Scaling.Columns
		}
		t, s, err = data.NewForecast(path, o, known)
	default:
		return nil, nil, usagef("--task is %q, expected music, text, classify, forecast or tag", d.Task)
	}
	return t, s, err
}
