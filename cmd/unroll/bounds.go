package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/internal/graph"
)

// bound is what numbers a flag takes.
type bound struct {
	takes func(float64) bool
	want  string
}

// above refuses what is not greater, least what is smaller, span what is outside; all
// of them NaN too.
func above(x float64) bound {
	return bound{func(v float64) bool { return v > x }, fmt.Sprint("above ", x)}
}

func least(x float64) bound {
	return bound{func(v float64) bool { return v >= x }, fmt.Sprint("at least ", x)}
}

func span(from, to int64) bound {
	return bound{func(v float64) bool { return v >= float64(from) && v <= float64(to) }, fmt.Sprintf("%d to %d", from, to)}
}

// or takes a number besides, with a meaning of its own.
func (b bound) or(x float64, meaning string) bound {
	return bound{func(v float64) bool { return v == x || b.takes(v) }, fmt.Sprintf("%s, or %v %s", b.want, x, meaning)}
}

var (
	size   = span(1, 1<<28)
	layers = span(1, 1<<16)
	share  = bound{func(v float64) bool { return v >= 0 && v <= 1 }, "a probability from 0 to 1"}
	all    = bound{func(v float64) bool { return v >= -1 }, "at least 0"} // -1, the default, is all
)

// bounds say of each flag that is a number which it takes, whatever model and data are:
// what a command would refuse later, after it has opened files or written half of its
// answer, or would take for something else. A row of a command goes before one of all.
var bounds = map[string]bound{
	"input-size": span(0, 1<<28), "hidden-size": span(0, 1<<28), "num-layers": layers, "proj-size": span(0, 1<<28),
	"bench hidden-size": size,
	"workers":           least(1).or(0, "to let unroll choose"), "bench workers": span(1, 64),
	"rows": least(0), "bench rows": least(1), "serve rows": span(1, 4096).or(0, "for 32"),
	"steps": least(1), "runs": least(1), "batch": least(1),

	"step": all, "layer": all, "unit": all, "sequence": least(0), "limit": least(0),

	"hidden": size, "layers": layers, "embedding": size, "dropout": share, "head-dropout": share,
	"epochs": least(1), "stop": least(0), "lr": least(0), "momentum": least(0), "weight-decay": least(0),
	"clip": least(0), "clip-value": least(0), "warmup": least(0), "patience": least(0),
	"factor": {func(v float64) bool { return v >= 0 && v < 1 }, "at least 0 and below 1"},
	"test":   least(0), "valid": least(0), "max-tokens": least(0), "window": least(1),
	"lags": least(1), "horizon": least(1), "season": least(1), "word-column": least(0),

	"length": least(1), "temperature": above(0), "top-k": least(0),

	"opset": span(graph.MinWritten, graph.MaxWritten).or(0, "for 17 or the model's own"),

	"shards": span(1, 1024).or(0, "for one a processor"), "idle": {func(float64) bool { return true }, ""},
	"watch": least(0), "snapshot-every": least(0), "grace": least(0), "drain-delay": least(0),
	"max-body": least(0), "max-run": least(0), "max-sequences": least(0), "max-state": least(0),
	"max-queue": least(0), "max-connections": least(0), "max-streams": least(0),
}

// boundOf is the row of a command's flag.
func boundOf(cmd *cobra.Command, flag string) (bound, bool) {
	if b, ok := bounds[cmd.Name()+" "+flag]; ok {
		return b, true
	}
	b, ok := bounds[flag]
	return b, ok
}

// numbersIn are the numbers of a flag, none of a flag that is none.
func numbersIn(f *pflag.Flag) (all []float64) {
	texts := []string{f.Value.String()}
	switch f.Value.Type() {
	case "duration":
		if d, err := time.ParseDuration(texts[0]); err == nil {
			return []float64{d.Seconds()}
		}
		return nil
	case "intSlice":
		texts = f.Value.(pflag.SliceValue).GetSlice()
	case "int", "int64", "uint32", "float64":
	default: // a seed may be any of its numbers
		return nil
	}
	for _, text := range texts {
		if v, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// guardNumbers has every command look at its numbers before it does anything.
func guardNumbers(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			var err error
			cmd.Flags().Visit(func(f *pflag.Flag) {
				b, ok := boundOf(cmd, f.Name)
				for _, v := range numbersIn(f) {
					if ok && err == nil && !b.takes(v) {
						err = usagef("--%s: got %s, expected %s", f.Name, strings.Trim(f.Value.String(), "[]"), b.want)
					}
				}
			})
			if err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		guardNumbers(sub)
	}
}
