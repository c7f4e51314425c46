package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// precisionOptions are the flags of a conversion to rounded weights.
type precisionOptions struct {
	keep      []string
	calibrate string
}

func (o *precisionOptions) register(f *pflag.FlagSet) {
	f.StringSliceVar(&o.keep, "keep", nil, "with --to int8 or bfloat16: parts of the model that stay float32, such as embedding, rnn, rnn.l0, fc")
	f.StringVar(&o.calibrate, "calibrate", "", "with --to int8 or bfloat16: measure what rounding costs on the test part of this data")
}

// precision reports whether --to names a precision instead of a format.
func (o precisionOptions) precision(to string) (unroll.Precision, bool, error) {
	p, err := unroll.ParsePrecision(to)
	if err == nil && p != unroll.Full {
		return p, true, nil
	}
	if len(o.keep) > 0 || o.calibrate != "" {
		return p, false, usagef("--keep and --calibrate are for --to int8 and --to bfloat16")
	}
	return p, false, nil
}

// onnxPrecision writes an ONNX file whose weights are integers.
func (c *conversion) onnxPrecision(cmd *cobra.Command, p unroll.Precision) error {
	if p != unroll.Int8 {
		return usagef("--to %s: an ONNX file holds int8; leave the ending of OUT for a model folder", p)
	}
	f, err := modelfile.Open(c.in)
	if err != nil {
		return err
	}
	opt := model.Options{
		Chain: c.chain, Prefix: c.opt.Prefix, Loose: c.opt.Loose, States: c.states, Mode: c.opt.Mode, KerasNames: c.opt.Keras,
		Precision: p, Keep: c.low.keep, Layout: c.layout(),
	}
	m, err := openWhole(opt, f)
	if errors.Is(err, model.ErrAsk) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer m.Close()
	say(cmd, "note", m.Notes())
	var set *task.Set
	var full *nn.Model
	if c.low.calibrate != "" {
		if f.Folder == nil {
			return usagef("--calibrate measures a model folder, which says its task; %s is none", c.in)
		}
		if full, err = nn.Load(f.Folder); err != nil {
			return err
		}
		if set, err = calibration(cmd, full, c.low.calibrate); err != nil {
			return err
		}
	}
	if _, err := m.SaveAs(c.out, model.SaveOptions{Format: string(modelfile.ONNX), Opset: c.opset}); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	before, errBefore := os.Stat(c.in)
	after, errAfter := os.Stat(c.out)
	if err := errors.Join(errBefore, errAfter); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d bytes", c.out, after.Size())
	if !before.IsDir() {
		fmt.Fprintf(w, " of %d", before.Size())
	}
	fmt.Fprintf(w, "; weights int8, float32 in other engines; unroll run --precision int8 computes in int8\n")
	if set == nil {
		return nil
	}
	return reportPrecision(w, full, m.Trained(), p, set)
}

// convertPrecision writes a model folder whose weights are rounded, and tells what
// that costs.
func convertPrecision(cmd *cobra.Command, in, out string, opt modelfile.Options, p unroll.Precision, o precisionOptions) error {
	from, err := loadFile(in, opt)
	if err != nil {
		return err
	}
	if from.Model == nil {
		return fmt.Errorf("%s: rounded weights are saved in a model folder, which holds a layer with a linear head; this is a lone layer: unroll run --precision %s rounds it as it runs", in, p)
	}
	low, err := from.Model.Quantize(p, o.keep...)
	if err != nil {
		return asFlags(err)
	}
	var set *task.Set
	if o.calibrate != "" { // first: what cannot be measured is not written
		if set, err = calibration(cmd, from.Model, o.calibrate); err != nil {
			return err
		}
	}
	place, err := claimOut(out)
	if err != nil {
		return err
	}
	defer place.release()
	atEnd(cmd.Context(), place.release)
	if err := low.Save(out, ""); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s: %s with a head of %d\n", out, from.Layer.Config(), low.Config().OutFeatures)
	for _, part := range low.Config().Parts() {
		fmt.Fprintf(w, "  %s %s\n", part, low.Config().Precision[part])
	}
	if info, err := os.Stat(filepath.Join(out, nn.WeightsFile)); err == nil {
		n, _ := low.Config().Parameters()
		fmt.Fprintf(w, "  %d bytes of weights for %.0f numbers\n", info.Size(), n)
	}
	if set == nil {
		return nil
	}
	return reportPrecision(w, from.Model, low, p, set)
}

// precisionLost says what formats other than the model folder hold of rounded weights:
// their numbers, which run in float32.
func precisionLost(from *modelfile.Loaded, to modelfile.Format) []string {
	if to == modelfile.Folder || from.Model == nil || len(from.Model.Config().Precision) == 0 {
		return nil
	}
	return []string{"the precision of the weights: their rounded numbers are written as float32"}
}

// calibration loads the data of a model folder's task.
func calibration(cmd *cobra.Command, m *nn.Model, path string) (*task.Set, error) {
	t, err := task.Of(m.Config())
	if err != nil {
		return nil, fmt.Errorf("--calibrate: %w", err)
	}
	t.From(cmd.InOrStdin())
	set, err := t.Load(path)
	if err != nil {
		return nil, fmt.Errorf("--calibrate: %w", err)
	}
	for _, n := range set.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", n)
	}
	return set, nil
}

// spread is how far numbers lie from others.
type spread struct {
	most, sum float64
	n         int
}

func (s *spread) add(d float64) {
	s.most = max(s.most, d)
	s.sum += d
	s.n++
}

func (s spread) String() string { return fmt.Sprintf("%.3g\t%.3g", s.most, s.sum/float64(max(s.n, 1))) }

// drift is how far the outputs of two models lie apart, over time: in windows of
// steps since a sequence began, each ten times as long as the one before.
type drift struct {
	all     spread
	windows map[int]*window
}

// window is what lies apart from one step to another, which had outputs.
type window struct {
	spread
	first, last int
}

func (w *window) String() string {
	name := fmt.Sprintf("steps %d to %d", w.first, w.last)
	if w.first == w.last {
		name = fmt.Sprintf("step %d", w.first)
	}
	return name + "\t" + w.spread.String()
}

func (d *drift) add(step int, far float64) {
	d.all.add(far)
	step++ // the first is 1
	k := int(math.Log10(float64(step)))
	w := d.windows[k]
	if w == nil {
		w = &window{first: step, last: step}
		d.windows[k] = w
	}
	w.first, w.last = min(w.first, step), max(w.last, step)
	w.add(far)
}

// compared runs two models over the same data and returns how far their outputs lie
// apart.
func compared(full, low *nn.Model, set *task.Set) (*drift, error) {
	d := &drift{windows: map[int]*window{}}
	p := nn.Pass{Model: low, Workers: 1}
	part, _ := set.Part()
	var state unroll.State
	began := 0 // steps before the batch
	_, err := train.Evaluate(full, part, set.Objective, 1, func(b *train.Batch, want tensor.Dense) error {
		if !b.Carry {
			state, began = unroll.State{}, 0
		}
		p.Lengths = b.Lengths
		got, sn, err := p.Forward(b.In, state)
		if err != nil {
			return err
		}
		state = sn
		began += d.batch(low.Config(), b, began, got, want)
		return nil
	})
	return d, err
}

// batch adds a batch's outputs and returns how many steps it has.
func (d *drift) batch(c nn.Config, b *train.Batch, began int, got, want tensor.Dense) (steps int) {
	batch := b.In.B
	if steps = b.In.T; steps == 0 {
		steps, batch = b.In.Features.Shape[0], b.In.Features.Shape[1]
		if c.RNN.BatchFirst {
			steps, batch = batch, steps
		}
	}
	width := c.OutFeatures
	for row := range len(got.Data) / width {
		t, i := row/batch, row%batch
		switch {
		case c.Output == "last":
			t, i = steps-1, row
			if b.Lengths != nil {
				t = b.Lengths[i] - 1
			}
		case c.RNN.BatchFirst:
			t, i = row%steps, row/steps
		}
		if b.Lengths != nil && t >= b.Lengths[i] {
			continue // the head's bias
		}
		for k := row * width; k < (row+1)*width; k++ {
			d.add(began+t, math.Abs(float64(got.Data[k])-float64(want.Data[k])))
		}
	}
	return steps
}

// reportPrecision tells the errors of outputs over time and by part, and the task's
// own measure of both models.
func reportPrecision(w io.Writer, full, low *nn.Model, p unroll.Precision, set *task.Set) error {
	_, name := set.Part()
	all, err := compared(full, low, set)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nerror of outputs, %s part\tlargest\tmean\n", name)
	fmt.Fprintf(t, "all\t%s\n", all.all)
	for _, k := range slices.Sorted(maps.Keys(all.windows)) {
		fmt.Fprintln(t, all.windows[k])
	}
	if err := eachPart(t, full, low, p, set); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	kind, err := task.Of(full.Config())
	if err != nil {
		return err
	}
	for _, m := range []struct {
		name  string
		model *nn.Model
	}{{"float32", full}, {p.String(), low}} {
		e, err := task.Measure(m.model, kind, set, 1)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s: %s", m.name, measures(e))
	}
	fmt.Fprintln(w)
	return nil
}

// eachPart tells the error where one part alone is rounded, the largest first.
func eachPart(w io.Writer, full, low *nn.Model, p unroll.Precision, set *task.Set) error {
	parts := full.Config().Parts()
	if full.Config().TieWeights { // one part by two names
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "fc" })
	}
	type one struct {
		part string
		far  spread
	}
	var list []one
	for _, part := range parts {
		if low.Config().Precision[part] != p {
			continue
		}
		keep := slices.DeleteFunc(full.Config().Parts(), func(s string) bool {
			return s == part || full.Config().TieWeights && part == "embedding" && s == "fc"
		})
		alone, err := full.Quantize(p, keep...)
		if err != nil {
			return err
		}
		d, err := compared(full, alone, set)
		if err != nil {
			return err
		}
		list = append(list, one{part, d.all})
	}
	slices.SortStableFunc(list, func(a, b one) int { return cmp.Compare(b.far.sum, a.far.sum) })
	for _, o := range list {
		fmt.Fprintf(w, "%s alone\t%s\n", o.part, o.far)
	}
	return nil
}

// measures are the numbers of a measurement in a line.
func measures(e *task.Measurement) string {
	list := []string{fmt.Sprintf("%s loss %.6g %s", e.Part, e.Loss, e.Unit)}
	if e.Task == "text" {
		list = append(list, fmt.Sprintf("perplexity %.4f", math.Exp(e.Loss)))
	}
	if e.Accuracy != nil {
		list = append(list, fmt.Sprintf("accuracy %.2f%%", 100**e.Accuracy))
	}
	if mse, ok := e.MSE["model"]; ok {
		list = append(list, fmt.Sprintf("MSE %.6g, MAE %.6g, standardised %.6g", mse, e.MAE["model"], e.Scaled["model"]))
	}
	return strings.Join(list, ", ")
}
