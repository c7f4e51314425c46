package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
)

// modelBench are the flags of "unroll bench MODEL".
type modelBench struct {
	run    runOptions // --size, --set, --chain and what weights do not tell
	runs   int
	stream bool
	rows   int
	json   bool
}

// modelMeasurement is what bench prints of a model.
type modelMeasurement struct {
	Model    string         `json:"model"`
	Inputs   []string       `json:"inputs"`
	Sizes    map[string]int `json:"sizes"` // of open dimensions
	Rows     int            `json:"rows"`  // of a step with --stream; 0: whole runs
	Batched  bool           `json:"batched"`
	Workers  int            `json:"workers"`
	Load     float64        `json:"load_ms"`      // open and check
	First    float64        `json:"first_run_ms"` // plan, pack, run
	US       float64        `json:"us_per_run"`   // median
	Min      float64        `json:"us_min"`
	Max      float64        `json:"us_max"`
	CPU      float64        `json:"cpu_us_per_run"` // median; 0 where the system does not tell
	Allocs   float64        `json:"allocs"`
	Heap     float64        `json:"heap_mb"` // what opening and running keeps
	Resident float64        `json:"resident_mb"`
	Runs     int            `json:"runs"`
	Kernel   string         `json:"kernel"`
	Weights  string         `json:"weights"` // the precision asked for
}

// modelFlags are those of bench MODEL alone, shapeFlags those of layers.
var (
	modelFlags = []string{"size", "set", "rows", "chain", "prefix", "batch-first", "time-first", "dtype", "precision", "keep"}
	shapeFlags = []string{"mode", "input-size", "hidden-size", "num-layers", "bidirectional", "proj-size", "steps", "batch", "train"}
)

func (o *modelBench) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.run.size, "size", nil, "NAME=N, the size of an open dimension of a MODEL's inputs; may be repeated")
	f.StringArrayVar(&o.run.set, "set", nil, "NAME=NUMBER, an input of a MODEL that is one number; may be repeated")
	f.IntVar(&o.rows, "rows", 1, "with --stream: sequences of a MODEL that step together")
	f.StringVar(&o.run.chain, "chain", "", "the forward() of a state dict in a line; docs/chain.md has the language")
	f.StringVar(&o.run.prefix, "prefix", "", "prefix of the layer's names, where MODEL has several")
	f.BoolVar(&o.run.batchFirst, "batch-first", false, "a state dict's input is [B,T,...]")
	f.BoolVar(&o.run.timeFirst, "time-first", false, "a state dict's input is [T,B,...]")
	f.StringVar(&o.run.dtype, "dtype", "float32", "float32 or float64, of a MODEL")
	f.StringVar(&o.run.precision, "precision", "float32", precisionHelp)
	f.StringSliceVar(&o.run.keep, "keep", nil, keepHelp)
}

// givenFlag returns one of the flags that was given, or "".
func givenFlag(cmd *cobra.Command, names []string) string {
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

// isModelFile reports whether an argument of bench is a file or folder.
func isModelFile(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// benchModel times a model with each number of workers.
func benchModel(cmd *cobra.Command, path string, workers []int, o modelBench) error {
	if bad := givenFlag(cmd, shapeFlags); bad != "" {
		return usagef("--%s is for a shape given by flags, and %s is a model", bad, path)
	}
	if !cmd.Flags().Changed("workers") {
		workers = []int{1}
	}
	if o.rows > 1 && !o.stream {
		return usagef("--rows says how many sequences step together, for --stream; the number of a whole run is an open dimension, --size")
	}
	for _, n := range workers {
		o.run.workers = n
		m, err := o.measure(cmd, path)
		if err != nil {
			return err
		}
		if o.json {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(m); err != nil {
				return err
			}
			continue
		}
		m.print(cmd)
	}
	return nil
}

func (m *modelMeasurement) print(cmd *cobra.Command) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s, kernel %s, %d workers", m.Model, m.Kernel, m.Workers)
	if m.Weights != unroll.Full.String() {
		fmt.Fprintf(out, ", %s weights", m.Weights)
	}
	fmt.Fprintln(out)
	for _, in := range m.Inputs {
		fmt.Fprintf(out, "  %s\n", visible(in))
	}
	what := "run"
	if m.Rows > 0 {
		what = fmt.Sprintf("step of %d sequences", m.Rows)
		if m.Rows > 1 && !m.Batched {
			what += ", one by one"
		}
	}
	fmt.Fprintf(out, "load      %s, first %s %s\n", duration(1e3*m.Load), what, duration(1e3*m.First))
	fmt.Fprintf(out, "%-9s median %s, %s to %s in %d repeats; %.2f allocations\n", what, duration(m.US), duration(m.Min), duration(m.Max), m.Runs, m.Allocs)
	if m.CPU > 0 {
		fmt.Fprintf(out, "CPU time  %s\n", duration(m.CPU))
	}
	fmt.Fprintf(out, "memory    %.1f MB on the heap", m.Heap)
	if m.Resident > 0 {
		fmt.Fprintf(out, ", %.1f MB resident", m.Resident)
	}
	fmt.Fprintln(out)
}

// measure opens the model and times it.
func (o *modelBench) measure(cmd *cobra.Command, path string) (*modelMeasurement, error) {
	before := heap()
	start := time.Now()
	f, err := modelfile.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := openModel(cmd, f, o.run)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r := &modelMeasurement{Model: path, Workers: o.run.workers, Load: float64(time.Since(start).Nanoseconds()) / 1e6, Runs: o.runs, Kernel: kernel.Level(), Weights: o.run.precision, Sizes: map[string]int{}}
	start = time.Now()
	call, err := o.call(m, r)
	if err == nil {
		err = call()
	}
	if err == nil {
		err = keepsParts(m, o.run.keep)
	}
	if err != nil {
		return nil, err
	}
	r.First = float64(time.Since(start).Nanoseconds()) / 1e6
	count, err := calibrate(call)
	if err != nil {
		return nil, err
	}
	var us, cpu, allocs []float64
	for range o.runs {
		used := cpuTime()
		d, mallocs, err := timeCalls(call, count)
		if err != nil {
			return nil, err
		}
		cpu = append(cpu, float64((cpuTime()-used).Nanoseconds())/1e3/float64(count))
		us = append(us, float64(d.Nanoseconds())/1e3/float64(count))
		allocs = append(allocs, float64(mallocs)/float64(count))
	}
	slices.Sort(us)
	slices.Sort(cpu)
	slices.Sort(allocs) // the runtime makes some repeats allocate
	r.US, r.Min, r.Max, r.CPU, r.Allocs = us[o.runs/2], us[0], us[o.runs-1], cpu[o.runs/2], allocs[o.runs/2]
	r.Heap, r.Resident = max(0, heap()-before), resident()
	runtime.KeepAlive(call)
	return r, nil
}

// heap returns the megabytes that are kept.
func heap() float64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc) / 1e6
}

// resident returns the process's megabytes of memory where the system tells; 0
// elsewhere.
func resident() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(b)); err == nil && len(f) > 1 {
		if pages, err := strconv.ParseFloat(f[1], 64); err == nil {
			return pages * float64(os.Getpagesize()) / 1e6
		}
	}
	return 0
}

// call returns one run of the model on drawn inputs, or one step of rows. Integers
// that --set does not give are zeros.
func (o *modelBench) call(m *model.Model, r *modelMeasurement) (func() error, error) {
	opt, err := rowsOptions(m, o.run)
	if err != nil {
		return nil, err
	}
	g := rng.New(1)
	if o.stream {
		return o.steps(m, r, opt, g)
	}
	p := m.NewPass()
	used := map[string]bool{}
	for _, port := range m.Inputs() {
		v, given := opt.Set[port.Name]
		if !given {
			shape := make([]int, len(port.Shape))
			for k, d := range port.Shape {
				if n, err := strconv.Atoi(d); err == nil {
					shape[k] = n
					continue
				}
				name := fmt.Sprintf("%s[%d]", port.Name, k)
				n, said := opt.Sizes[name]
				if !said && d != "?" {
					name = d
					n, said = opt.Sizes[name]
				}
				if used[name] = true; !said {
					n = 1
				}
				shape[k], r.Sizes[name] = n, n
			}
			if v, err = drawnInput(g, port, shape); err != nil {
				return nil, err
			}
		}
		r.Inputs = append(r.Inputs, fmt.Sprintf("%s %s %v", port.Name, v.Type(), v.Shape()))
		if err := p.Set(port.Name, v); err != nil {
			return nil, err
		}
	}
	for name := range opt.Sizes {
		if !used[name] {
			return nil, usagef("--size %s: %s has no open dimension of that name; its inputs are %s", name, m.Path(), inputList(m))
		}
	}
	return p.Run, nil
}

// steps returns a step of o.rows sequences.
func (o *modelBench) steps(m *model.Model, r *modelMeasurement, opt model.RowsOptions, g *rng.Generator) (func() error, error) {
	rows, err := m.NewRows(o.rows, opt)
	if err != nil {
		return nil, err
	}
	if err := rows.Prepare(); err != nil {
		return nil, err
	}
	r.Rows, r.Sizes = o.rows, opt.Sizes
	r.Batched, _ = rows.Batched()
	for _, p := range rows.Inputs() {
		r.Inputs = append(r.Inputs, p.String())
	}
	x, y := make([]float32, o.rows*rows.In()), make([]float32, o.rows*rows.Out())
	at := 0
	for i := 0; i < o.rows; i++ {
		for _, p := range rows.Inputs() {
			n := elements(p)
			if strings.HasPrefix(p.Type, "float") {
				rng.Randn(g, x[at:at+n])
			}
			at += n
		}
	}
	states := make([][]float32, o.rows)
	for i := range states {
		states[i] = make([]float32, rows.StateLen())
		rows.Begin(states[i])
	}
	return func() error { return rows.Step(y, x, states) }, nil
}

// drawnInput is an input of normal numbers, or of zeros if it is of integers.
func drawnInput(g *rng.Generator, p model.Port, shape []int) (model.Value, error) {
	n := 1
	for _, d := range shape {
		if d > 0 && n > 1<<28/d {
			return model.Value{}, usagef("the input %s has more than %d elements with shape %v: say smaller sizes", p, 1<<28, shape)
		}
		n *= d
	}
	x := make([]float32, n)
	if strings.HasPrefix(p.Type, "float") {
		rng.Randn(g, x)
	}
	return rounded(x, p.Type, shape)
}
