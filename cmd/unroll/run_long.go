package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/tensor"
)

// longPart is about how many numbers of input, of output or of gates' sums are in
// memory at a time.
const longPart = 1 << 20

// isLong reports whether the command line lets a long sequence go through a model a
// part at a time: forward, from one file to another of a format that is written so.
func (o *runOptions) isLong(args []string) bool {
	if len(args) == 0 || args[len(args)-1] == std || o.trace || o.longest || o.json {
		return false
	}
	if !slices.Contains([]string{".npy", ".csv", ".jsonl"}, strings.ToLower(filepath.Ext(o.output))) {
		return false
	}
	if info, err := os.Stat(args[len(args)-1]); err != nil || !info.Mode().IsRegular() {
		return false // it may be read once only
	}
	info, err := os.Stat(o.output)
	return err != nil || info.Mode().IsRegular() // what cannot be gone back in
}

// runLong runs a layer over a sequence of any length in memory that does not grow with
// it: input is read, multiplied and written a part at a time, with the bits of a run in
// one. done is false, and nothing was written, where the input is no such sequence, or
// is short.
func runLong[F tensor.Float](cmd *cobra.Command, args []string, o runOptions, layer *unroll.LayerOf[F]) (done bool, err error) {
	cfg := layer.Config()
	if !o.isLong(args) || cfg.Bidirectional {
		return false, nil
	}
	in, err := openLong[F](cmd, args[len(args)-1], longSteps(cfg.InputSize, cfg.OutputSize(), 4*cfg.HiddenSize))
	if err != nil || in == nil {
		return false, err
	}
	defer in.close()
	if err := in.startFrom(cmd, o.statesIn); err != nil {
		return true, err
	}
	if err := layer.Check(in.x, in.s0); err != nil {
		return true, inputError(args, err)
	}
	state := in.s0
	part, err := layerParts(layer, &state, o)
	if err != nil {
		return true, err
	}
	names := []string{"output", "h_n", "c_n"}[:2+boolInt(cfg.HasCell())]
	var results []result[F]
	err = in.write(cmd, o.output, cfg.OutputSize(), names, part, func() (checkpoint.Set, error) {
		results = final(layer, tensor.DenseOf[F]{}, state)[1:]
		var set checkpoint.Set
		for _, r := range results {
			set = append(set, checkpoint.Of(r.name, r.value))
		}
		return set, nil
	})
	if err != nil {
		return true, inputError(args, err)
	}
	return true, layerStates(cmd, o.statesOut, results)
}

// layerParts is what runs a layer over one part of a sequence after the other, and
// leaves the state after each in state. The output holds until the next one.
func layerParts[F tensor.Float](layer *unroll.LayerOf[F], state *unroll.StateOf[F], o runOptions) (func(x tensor.DenseOf[F]) ([]F, error), error) {
	if !o.stream {
		p := &unroll.PassOf[F]{Layer: layer, Workers: o.workers}
		return func(x tensor.DenseOf[F]) ([]F, error) {
			y, sn, err := p.Forward(x, *state) // it may begin from the states of the one before
			*state = sn
			return y.Data, err
		}, nil
	}
	s, err := layer.NewStream(1)
	if err != nil {
		return nil, err
	}
	if o.workers > 0 {
		s.SetWorkers(o.workers)
	}
	if err := s.SetState(ofSequences(*state, 3)); err != nil {
		return nil, err
	}
	var y []F
	in, out := layer.Config().InputSize, layer.Config().OutputSize()
	return func(x tensor.DenseOf[F]) ([]F, error) {
		y = slices.Grow(y[:0], x.Shape[0]*out)[:x.Shape[0]*out]
		for t := range x.Shape[0] {
			if err := s.Step(y[t*out:(t+1)*out], x.Data[t*in:(t+1)*in]); err != nil {
				return nil, err
			}
		}
		*state = ofSequences(s.State(), 2)
		return y, nil
	}, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// longSteps is how many steps go through a model at a time, of which one makes rows of
// as many numbers.
func longSteps(widths ...int) int {
	return max(longPart/max(slices.Max(widths), 1), 1)
}

// write has part run a part after the other, and writes what it answers, rows of as
// many numbers, into the file of the first name, a part at a time; then what end says
// of the other names into files beside it.
func (in *longInput[F]) write(cmd *cobra.Command, output string, width int, names []string, part func(tensor.DenseOf[F]) ([]F, error), end func() (checkpoint.Set, error)) error {
	var set checkpoint.Set
	for _, name := range names {
		set = append(set, checkpoint.Tensor{Info: checkpoint.Info{Name: name}})
	}
	files := filesOf(output, set)
	if err := mayWrite(cmd, "output", files...); err != nil { // all of them, before one is written
		return err
	}
	format, err := array.FormatOf(output)
	if err != nil {
		return err
	}
	err = atomicfile.WriteFile(files[0], func(f *os.File) error {
		return in.through(&longOutput[F]{b: bufio.NewWriterSize(f, 1<<16), format: format, name: names[0], width: width}, f, part)
	})
	if err == nil {
		set, err = end()
	}
	if err == nil {
		err = writeEach(files[1:], set)
	}
	return err
}

// through gives all parts to part and writes its answers.
func (in *longInput[F]) through(w *longOutput[F], f io.WriteSeeker, part func(tensor.DenseOf[F]) ([]F, error)) error {
	if err := w.begin(in.steps); err != nil {
		return err
	}
	total := 0
	for {
		y, err := part(in.x)
		if err != nil {
			return err
		}
		if err := w.add(y); err != nil {
			return err
		}
		total += in.x.Shape[0]
		n, err := in.read(in.x.Data[:cap(in.x.Data)])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		in.cut(n)
	}
	if err := w.b.Flush(); err != nil || total == in.steps || w.format != array.NPY {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.begin(total); err != nil { // as long as the one before: npy.HeaderBytes
		return err
	}
	return w.b.Flush()
}

// longOutput writes rows of numbers as the whole array of them is written.
type longOutput[F tensor.Float] struct {
	b      *bufio.Writer
	format array.Format
	name   string
	width  int
	bytes  []byte
}

func (w *longOutput[F]) info(rows int) (checkpoint.Info, error) {
	return checkpoint.NewInfo(w.name, checkpoint.TypeOf[F](), []int{rows, w.width})
}

// begin writes what stands before the rows.
func (w *longOutput[F]) begin(rows int) error {
	if w.format != array.NPY {
		return nil
	}
	i, err := w.info(rows)
	if err != nil {
		return err
	}
	return npy.WriteHeader(w.b, i)
}

// add writes rows.
func (w *longOutput[F]) add(y []F) error {
	w.bytes = checkpoint.AppendFloats(w.bytes[:0], y)
	if w.format == array.NPY {
		_, err := w.b.Write(w.bytes)
		return err
	}
	i, err := w.info(len(y) / max(w.width, 1))
	if err != nil {
		return err
	}
	return array.Write(w.b, checkpoint.Set{{Info: i, Data: w.bytes}}, array.Options{Format: w.format})
}
