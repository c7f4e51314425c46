package main

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/tensor"
)

// longInput is one sequence [T,I], read a part at a time.
type longInput[F tensor.Float] struct {
	runInput[F]          // states; x is the first part
	names       []string // of what the file holds
	steps       int      // T; 0: not known before the end
	read        func([]F) (int, error)
	close       func()
}

// openLong opens a sequence and reads its first part, of as many steps. It is nil for
// input of another form, and for what is shorter.
func openLong[F tensor.Float](cmd *cobra.Command, path string, steps int) (*longInput[F], error) {
	format, err := array.FormatOf(path)
	if err == nil && (format == array.CSV || format == array.JSONLines) {
		return longText[F](cmd, path, format, steps)
	}
	if (err != nil || format != array.NPY && format != array.NPZ) && !strings.EqualFold(filepath.Ext(path), ".safetensors") {
		return nil, nil
	}
	src, done, err := openArrays(cmd, path, checkpoint.TypeOf[F]())
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
	in := &longInput[F]{runInput: given, names: src.Names(), steps: f.Info.Shape[0], read: f.Read}
	return in, in.first(steps, f.Info.Shape[1])
}

// longText is a table, or lines that hold an array of numbers each.
func longText[F tensor.Float](cmd *cobra.Command, path string, format array.Format, steps int) (*longInput[F], error) {
	options, err := tableOptions(cmd)
	if err != nil {
		return nil, err
	}
	if format != array.CSV && len(options.Text.Columns) > 0 {
		return nil, nil // the whole run says what is wrong
	}
	file, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	in := &longInput[F]{names: []string{checkpoint.Single}, close: func() { _ = file.Close() }} // it was only read
	var notes []string                                                                          // of a short one, they are said when it is read again
	say := options.Text.Note
	options.Text.Note = func(s string) { notes = append(notes, s) }
	options.Text.File = path
	if strings.EqualFold(filepath.Ext(path), ".tsv") && options.Text.Comma == 0 {
		options.Text.Comma = '\t'
	}
	rows, size, err := in.text(io.NewSectionReader(file, 0, file.Size), format, options.Text)
	if err != nil || rows == nil {
		in.close()
		return nil, err
	}
	in.read = func(dst []F) (int, error) {
		var err error
		row := dst[:0]
		for len(row)+size <= len(dst) {
			if row, err = rows(row); err != nil {
				break
			}
		}
		if errors.Is(err, io.EOF) && len(row) > 0 {
			return len(row), nil
		}
		return len(row), err
	}
	err = in.first(steps, size)
	if err != nil || in.x.Shape[0] < steps {
		in.close()
		return nil, err
	}
	for _, n := range notes {
		say(n)
	}
	return in, nil
}

// text is what appends the next row of a text, and how many numbers it has. It is nil
// for lines of another form.
func (in *longInput[F]) text(r io.Reader, format array.Format, c text.CSV) (rows func([]F) ([]F, error), size int, err error) {
	if format == array.CSV {
		m, err := text.NewMatrix[F](r, c)
		if err != nil {
			return nil, 0, err
		}
		return m.Append, m.Columns(), nil
	}
	l, err := text.NewLines[F](r, c.File)
	if err != nil {
		return nil, 0, err
	}
	if v := l.Values(); len(v) == 1 && len(v[0].Shape) == 1 && v[0].Shape[0] > 0 && stateNames[v[0].Name] == "" && v[0].Name != "lengths" {
		in.names[0] = v[0].Name
		return l.Append, v[0].Shape[0], nil
	}
	return nil, 0, nil
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
