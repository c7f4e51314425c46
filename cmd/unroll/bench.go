package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// measurement is what "unroll bench --json" prints, a line each.
type measurement struct {
	Workload string  `json:"workload"`
	Workers  int     `json:"workers"`
	US       float64 `json:"us_per_call"` // median
	Min      float64 `json:"us_min"`
	Max      float64 `json:"us_max"`
	GFLOPS   float64 `json:"gflops"`
	Peak     float64 `json:"peak_share"` // of the measured peak of that many cores
	Allocs   float64 `json:"allocs"`     // of a call
	Runs     int     `json:"runs"`
	Kernel   string  `json:"kernel"`
}

func newBenchCmd() *cobra.Command {
	var own workload
	var mode string
	var workers []int
	var runs int
	var asJSON bool
	var whole modelBench
	cmd := &cobra.Command{
		Use:   "bench [W0 ... W8 | MODEL]",
		Short: "Time layers, or a model, on this machine",
		Long: `bench times workloads with drawn parameters and inputs: W0 to W8, which
bench/README.md lists, or one shape given by flags. GFLOP/s count the products
alone; peak is the share of what fused multiply-adds on registers reach on as
many cores, measured beside; allocs is the number of allocations of a call, the
median too.

Of a MODEL, any file or folder that run takes, it tells the time to open it and to
run it first (planning and packing), the median and spread of a run, its CPU time
and allocations, and the memory it keeps. Inputs are normal numbers, integers
zeros; --set gives one. --size NAME=N says the size of an open dimension, by its
symbol or as INPUT[AXIS]; 1 otherwise. --precision rounds the weights first. With --stream it times a step that carries
the state, of --rows sequences together.`,
		Example: `  unroll bench W4 W8
  unroll bench examples/bach --size T=100
  unroll bench examples/bach --stream --rows 32`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 && !isWorkload(args[0]) && isModelFile(args[0]) {
				whole.runs, whole.stream, whole.json = runs, own.stream, asJSON
				return benchModel(cmd, args[0], workers, whole)
			}
			if bad := givenFlag(cmd, modelFlags); bad != "" {
				return usagef("--%s is for a MODEL: unroll bench MODEL", bad)
			}
			shaped := cmd.Flags().Changed("hidden-size")
			if shaped && len(args) > 0 {
				return usagef("either workloads (%s) or a shape by flags, not both", strings.Join(args, " "))
			}
			if bad := givenFlag(cmd, append([]string{"stream"}, shapeFlags...)); bad != "" && !shaped {
				return usagef("--%s is for a shape given by flags, with --hidden-size", bad)
			}
			list, err := namedWorkloads(args)
			if err != nil {
				return err
			}
			if shaped {
				if own.cfg.Mode, err = parseMode(mode); err != nil {
					return err
				}
				if err := own.check(); err != nil {
					return usageError{err}
				}
				list = []workload{own}
			}
			return runBench(cmd, list, workers, runs, asJSON)
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&workers, "workers", []int{1, min(2, runtime.GOMAXPROCS(0))}, "numbers of workers to measure with")
	f.IntVar(&runs, "runs", 5, "repeats of about 0.2 s, of which the median is shown")
	f.BoolVar(&asJSON, "json", false, "print a line of JSON a measurement")
	f.StringVar(&mode, "mode", "LSTM", cell.Names())
	f.IntVar(&own.cfg.InputSize, "input-size", 64, "features of the input")
	f.IntVar(&own.cfg.HiddenSize, "hidden-size", 0, "hidden units; measures this shape instead of W0 to W8")
	f.IntVar(&own.cfg.NumLayers, "num-layers", 1, "stacked layers")
	f.BoolVar(&own.cfg.Bidirectional, "bidirectional", false, "two directions")
	f.IntVar(&own.cfg.ProjSize, "proj-size", 0, "projection of an LSTM")
	f.IntVar(&own.steps, "steps", 1, "steps of a call")
	f.IntVar(&own.batch, "batch", 1, "sequences")
	f.BoolVar(&own.stream, "stream", false, "carry the state from call to call; one step a call")
	f.BoolVar(&own.train, "train", false, "forward, backward and a step of SGD")
	whole.flags(cmd)
	groupFlags(cmd, "Shape", "mode", "input-size", "hidden-size", "num-layers", "proj-size", "bidirectional")
	groupFlags(cmd, "Call", "steps", "batch", "stream", "train")
	groupFlags(cmd, "A MODEL", "chain", "prefix", "batch-first", "time-first", "set", "size", "rows", "dtype", "precision", "keep")
	groupFlags(cmd, "Measurement", "workers", "runs", "json")
	return cmd
}

func isWorkload(name string) bool {
	return slices.ContainsFunc(workloads, func(w workload) bool { return strings.EqualFold(w.name, name) })
}

func namedWorkloads(names []string) ([]workload, error) {
	if len(names) == 0 {
		return workloads, nil
	}
	var list []workload
	for _, n := range names {
		i := slices.IndexFunc(workloads, func(w workload) bool { return strings.EqualFold(w.name, n) })
		if i < 0 {
			return nil, usagef("there is no workload and no file %q; W0 to W8 and W5b are there", n)
		}
		list = append(list, workloads[i])
	}
	return list, nil
}

// check names a shape given by flags and says what is wrong with it.
func (w *workload) check() error {
	w.name = fmt.Sprintf("%v T=%d B=%d", w.cfg, w.steps, w.batch)
	switch {
	case w.steps < 1 || w.batch < 1 || w.steps > 1<<24/w.batch:
		return usagef("--steps %d, --batch %d: expected at least 1 each and together at most %d", w.steps, w.batch, 1<<24)
	case w.stream && (w.steps != 1 || w.train || w.cfg.Bidirectional):
		return fmt.Errorf("--stream is one step a call in one direction, without --train")
	}
	return w.cfg.Validate()
}

func runBench(cmd *cobra.Command, list []workload, workers []int, runs int, asJSON bool) error {
	out := cmd.OutOrStdout()
	if !asJSON {
		fmt.Fprintf(out, "kernel %s, peak of a core %.0f GFLOP/s\n\n", kernel.Level(), kernel.PeakGFLOPS(100*time.Millisecond))
		fmt.Fprintf(out, "%-10s %7s %14s %22s %9s %6s %7s\n", "workload", "workers", "median", "min to max", "GFLOP/s", "peak", "allocs")
	}
	for _, w := range list {
		for _, n := range workers {
			m, err := w.measure(n, runs)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(out).Encode(m); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "%-10s %7d %14s %22s %9.2f %5.0f%% %7.2f\n", m.Workload, m.Workers, duration(m.US),
				duration(m.Min)+" to "+duration(m.Max), m.GFLOPS, 100*m.Peak, m.Allocs)
		}
	}
	return nil
}

// duration writes microseconds in the unit that suits them.
func duration(us float64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%.2f us", us)
	case us < 1e6:
		return fmt.Sprintf("%.3f ms", us/1e3)
	}
	return fmt.Sprintf("%.3f s", us/1e6)
}

// measure times the workload: repeats of about 0.2 s, each beside a look at
// the peak, so that both see the machine at the same speed.
func (w workload) measure(workers, runs int) (measurement, error) {
	call, err := w.call(workers)
	if err != nil {
		return measurement{}, err
	}
	count, err := calibrate(call)
	if err != nil {
		return measurement{}, err
	}
	var us, share, allocs []float64
	for range runs {
		peak := kernel.PeakGFLOPS(10 * time.Millisecond)
		d, mallocs, err := timeCalls(call, count)
		if err != nil {
			return measurement{}, err
		}
		us = append(us, float64(d.Nanoseconds())/1e3/float64(count))
		share = append(share, w.flops()/us[len(us)-1]/1e3/peak/float64(workers))
		allocs = append(allocs, float64(mallocs)/float64(count))
	}
	slices.Sort(us)
	slices.Sort(share)
	slices.Sort(allocs) // somebody else on the machine makes some repeats allocate
	mid := runs / 2
	return measurement{
		Workload: w.name, Workers: workers, US: us[mid], Min: us[0], Max: us[runs-1], Runs: runs,
		GFLOPS: w.flops() / us[mid] / 1e3, Peak: share[mid], Allocs: allocs[mid], Kernel: kernel.Level(),
	}, nil
}

// calibrate returns how many calls take about 0.2 s, and warms up.
func calibrate(call func() error) (int, error) {
	count := 1
	for {
		d, _, err := timeCalls(call, count)
		if err != nil || d > 100*time.Millisecond || count >= 1<<24 {
			return count, err
		}
		count = min(count*10, max(count+1, int(float64(count)*float64(200*time.Millisecond)/float64(max(d, 1)))))
	}
}

// timeCalls returns how long count calls took and how often they allocated.
func timeCalls(call func() error, count int) (time.Duration, uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range count {
		if err := call(); err != nil {
			return 0, 0, err
		}
	}
	d := time.Since(start)
	runtime.ReadMemStats(&after)
	return d, after.Mallocs - before.Mallocs, nil
}
