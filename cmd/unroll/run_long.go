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
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/tensor"
)

// longPart is about how many numbers of input, of output or of gates' sums are in
// memory at a time.
const longPart = 1 << 20

// longInput is one sequence [T,I], read a part at a time.
type longInput[F tensor.Float] struct {
	runInput[F]     // states; x is the first part
	steps       int // T; 0: not known before the end
	read        func([]F) (int, error)
	close       func()
}

// isLong reports whether the command line lets a long sequence go through the layer a
// part at a time: forward, from one file to another.
func (o *runOptions) isLong(args []string, layer unroll.Config) bool {
	if len(args) == 0 || args[len(args)-1] == std || o.trace || o.stream || o.longest || o.json || layer.Bidirectional {
		return false
	}
	if !strings.EqualFold(filepath.Ext(o.output), ".npy") {
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
	if !o.isLong(args, cfg) {
		return false, nil
	}
	steps := longSteps(cfg)
	in, err := openLong[F](cmd, args[len(args)-1], steps)
	if err != nil || in == nil {
		return false, err
	}
	defer in.close()
	if in.x.Shape[0] < steps {
		return false, nil
	}
	if err := in.startFrom(cmd, o.statesIn); err != nil {
		return true, err
	}
	if err := layer.Check(in.x, in.s0); err != nil {
		return true, inputError(args, err)
	}
	names := []string{"output", "h_n", "c_n"}[:2+boolInt(cfg.HasCell())]
	var set checkpoint.Set
	for _, name := range names {
		set = append(set, checkpoint.Tensor{Info: checkpoint.Info{Name: name}})
	}
	files := filesOf(o.output, set)
	if err := mayWrite(cmd, "output", files...); err != nil { // all of them, before one is written
		return true, err
	}
	var results []result[F]
	err = atomicfile.WriteFile(files[0], func(f *os.File) error {
		sn, err := in.through(layer, f, o.workers)
		results = final(layer, tensor.DenseOf[F]{}, sn)
		return err
	})
	if err != nil {
		return true, inputError(args, err)
	}
	for i, r := range results[1:] {
		if err := array.WriteFile(files[1+i], checkpoint.Set{checkpoint.Of(r.name, r.value)}, array.Options{}); err != nil {
			return true, err
		}
	}
	return true, layerStates(cmd, o.statesOut, results)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// longSteps is how many steps go through a layer at a time.
func longSteps(cfg unroll.Config) int {
	widest := max(cfg.InputSize, cfg.OutputSize(), 4*cfg.HiddenSize, 1)
	return max(longPart/widest, 1)
}

// openLong opens a sequence and reads its first part, of as many steps or, where it is
// shorter, all of it. It is nil for input of another form.
func openLong[F tensor.Float](cmd *cobra.Command, path string, steps int) (*longInput[F], error) {
	format, err := array.FormatOf(path)
	if err == nil && format == array.CSV {
		return longTable[F](cmd, path, steps)
	}
	if (err != nil || format != array.NPY && format != array.NPZ) && !strings.EqualFold(filepath.Ext(path), ".safetensors") {
		return nil, nil
	}
	src, done, err := openArrays(cmd, path)
	if err != nil {
		return nil, err
	}
	in, err := longArray[F](src, path, steps)
	if in == nil || err != nil {
		done()
		return nil, err
	}
	in.close = done
	return in, nil
}

// longArray is an array [T,I] of a file whose numbers can be read one after another.
func longArray[F tensor.Float](src checkpoint.Source, path string, steps int) (*longInput[F], error) {
	_, piecewise := src.(checkpoint.Opener)
	name, err := array.Pick(src, "input", "x")
	if err != nil || !piecewise {
		return nil, nil // the whole run says what is wrong
	}
	if info, _ := src.Info(name); len(info.Shape) != 2 || info.Shape[0] < steps || slices.Contains(src.Names(), "lengths") {
		return nil, nil
	}
	given, err := statesOf[F](src, path, name)
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.OpenFloats[F](src, name)
	if err != nil {
		return nil, err
	}
	in := &longInput[F]{runInput: given, steps: f.Info.Shape[0], read: f.Read}
	return in, in.first(steps, f.Info.Shape[1])
}

// longTable is a table of a file of text.
func longTable[F tensor.Float](cmd *cobra.Command, path string, steps int) (*longInput[F], error) {
	options, err := tableOptions(cmd)
	if err != nil {
		return nil, err
	}
	file, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	var notes []string // of a short one, they are said when it is read again
	say := options.Text.Note
	options.Text.Note = func(s string) { notes = append(notes, s) }
	options.Text.File = path
	if strings.EqualFold(filepath.Ext(path), ".tsv") && options.Text.Comma == 0 {
		options.Text.Comma = '\t'
	}
	m, err := text.NewMatrix[F](io.NewSectionReader(file, 0, file.Size), options.Text)
	if err != nil {
		_ = file.Close() // it was only read
		return nil, err
	}
	in := &longInput[F]{close: func() { _ = file.Close() }}
	in.read = func(dst []F) (int, error) {
		row := dst[:0]
		for len(row)+m.Columns() <= len(dst) {
			if row, err = m.Append(row); err != nil {
				break
			}
		}
		if errors.Is(err, io.EOF) && len(row) > 0 {
			return len(row), nil
		}
		return len(row), err
	}
	if err := in.first(steps, m.Columns()); err != nil {
		in.close()
		return nil, err
	}
	if in.x.Shape[0] == steps {
		for _, n := range notes {
			say(n)
		}
	}
	return in, nil
}

// first reads the first part.
func (in *longInput[F]) first(steps, size int) error {
	in.x = tensor.NewOf[F](steps, size)
	n, err := in.read(in.x.Data)
	if err == nil {
		in.cut(n)
	}
	return err
}

// cut makes x a part of n numbers.
func (in *longInput[F]) cut(n int) {
	size := in.x.Shape[1]
	in.x.Shape[0], in.x.Data = n/max(size, 1), in.x.Data[:n]
}

// through writes the output of all parts into a .npy file and returns the final states.
func (in *longInput[F]) through(layer *unroll.LayerOf[F], f *os.File, workers int) (unroll.StateOf[F], error) {
	p := unroll.PassOf[F]{Layer: layer, Workers: workers}
	state, total := in.s0, 0
	header := func(steps int) error {
		t, err := checkpoint.NewInfo("output", checkpoint.TypeOf[F](), []int{steps, layer.Config().OutputSize()})
		if err != nil {
			return err
		}
		return npy.WriteHeader(f, t)
	}
	if err := header(in.steps); err != nil {
		return state, err
	}
	b := bufio.NewWriterSize(f, 1<<16)
	var bytes []byte
	for {
		y, sn, err := p.Forward(in.x, state)
		if err != nil {
			return state, err
		}
		bytes = checkpoint.AppendFloats(bytes[:0], y.Data)
		if _, err := b.Write(bytes); err != nil {
			return state, err
		}
		state, total = sn, total+in.x.Shape[0] // a call may begin from the states of the one before
		n, err := in.read(in.x.Data[:cap(in.x.Data)])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return state, err
		}
		in.cut(n)
	}
	if err := b.Flush(); err != nil || total == in.steps {
		return state, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return state, err
	}
	return state, header(total) // as long as the one before: npy.HeaderBytes
}
