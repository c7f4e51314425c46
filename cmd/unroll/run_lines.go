package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// maxStepLine bounds a line of standard input that is a step, in bytes.
const maxStepLine = 1 << 24

// stepLines are the steps of one live sequence that come by standard input, one
// a line: CSV, or JSON Lines of arrays.
type stepLines struct {
	in   *bufio.Reader
	opt  array.Options
	line int
	json bool
	lead []byte // the first line, which was read to see what comes
}

// openLines looks at the first line. ok is false if it is no text of steps, or of
// several tensors; what was read then stands in the command's input again.
func openLines(cmd *cobra.Command) (s *stepLines, ok bool, err error) {
	s = &stepLines{in: bufio.NewReaderSize(cmd.InOrStdin(), 1<<16)}
	if s.opt, err = tableOptions(cmd); err != nil {
		return nil, false, err
	}
	if s.lead, err = s.read(); err != nil && err != io.EOF {
		return nil, false, err
	}
	begin := bytes.TrimSpace(s.lead)
	format := array.Sniff(s.lead)
	s.json = format == array.JSONLines
	if !s.json && format != array.CSV || len(s.lead) > 8 && s.lead[8] == '{' || len(begin) == 0 || begin[0] == '{' {
		cmd.SetIn(io.MultiReader(bytes.NewReader(s.lead), s.in))
		return nil, false, nil
	}
	s.line = 0
	return s, true, nil
}

// read returns the next line with its end.
func (s *stepLines) read() (line []byte, err error) {
	if line = s.lead; line != nil {
		s.lead, s.line = nil, s.line+1
		return line, nil
	}
	s.line++
	for {
		part, err := s.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxStepLine {
			return nil, fmt.Errorf("standard input: line %d is longer than %d bytes", s.line, maxStepLine)
		}
		if err != bufio.ErrBufferFull {
			if len(line) > 0 {
				err = nil
			}
			return line, err
		}
	}
}

// next returns the numbers of the next step, or io.EOF.
func next[F tensor.Float](s *stepLines) (x []F, err error) {
	for {
		line, err := s.read()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		x, err := parseStep[F](s, line)
		var e *checkpoint.Error
		if errors.As(err, &e) {
			e.Place = strings.Replace(e.Place, "line 1", fmt.Sprintf("line %d", s.line), 1)
		}
		if err != nil || x != nil {
			return x, err
		}
	}
}

// parseStep reads a line; names are no step.
func parseStep[F tensor.Float](s *stepLines, line []byte) ([]F, error) {
	const file = "standard input"
	if s.json {
		all, err := text.ReadJSONLines[F](bytes.NewReader(line), file)
		if err != nil {
			return nil, err
		}
		return all[0].Data, nil
	}
	c := s.opt.Text
	c.File = file
	if s.line == 1 {
		rows, err := text.NewRows(bytes.NewReader(line), file, c.Dialect)
		if err != nil {
			return nil, err
		}
		for _, n := range rows.Notes() {
			c.Note(n)
		}
		names := c.Header == text.HeaderYes || c.Header == text.HeaderAuto && len(rows.Sample()) > 0 && !rows.AnyNumber(rows.Sample()[0])
		if c.Header == text.HeaderAuto && len(rows.Sample()) > 0 && text.Counts(rows.Sample()[0]) {
			c.Note(file + ": line 1 counts 0, 1, ... and is taken as numbers; --header if it is names")
		}
		s.opt.Text.Comma, _ = rows.Found() // numbers below names tell the decimal sign
		if s.opt.Text.Header = text.HeaderNo; names {
			return nil, nil
		}
		c = s.opt.Text
		c.File = file
	}
	if x, ok := plainStep[F](string(line), c); ok {
		return x, nil
	}
	c.Note = nil
	d, _, err := text.ReadCSV[F](bytes.NewReader(line), c)
	return d.Data, err
}

// plainStep reads a line of nothing but numbers, which is what nearly all lines are, as
// ReadCSV does without a reader of files for each of them. ok is false for any other.
func plainStep[F tensor.Float](line string, c text.CSV) (x []F, ok bool) {
	if c.Header != text.HeaderNo || c.Comma == 0 || c.Decimal == ',' || c.Columns != nil {
		return nil, false
	}
	bits := 32
	if _, wide := any(F(0)).(float64); wide {
		bits = 64
	}
	for more := true; more; {
		var field string
		field, line, more = strings.Cut(line, string(c.Comma))
		v, err := strconv.ParseFloat(strings.TrimSpace(field), bits)
		if err != nil || len(x) == text.MaxColumns {
			return nil, false
		}
		x = append(x, F(v))
	}
	return x, true
}

// runLines answers each line of standard input, a step, with a line of output
// before it waits for the next. done is false if the input is no such text.
func runLines[F tensor.Float](cmd *cobra.Command, args []string, o runOptions) (done bool, err error) {
	lines, ok, err := openLines(cmd)
	if !ok || err != nil {
		return false, err
	}
	layer, err := lineLayer[F](cmd, args, o)
	if errors.Is(err, modelfile.ErrVariant) {
		return false, nil // which says that it has no streams
	}
	if err != nil {
		return true, err
	}
	cfg := layer.Config()
	if cfg.Bidirectional {
		return true, usagef("--stream: %v also reads each sequence from its end, which a live sequence does not have yet; run without --stream", cfg)
	}
	s, err := layer.NewStream(1)
	if err != nil {
		return true, err
	}
	if err := streamFrom(cmd, s, o.statesIn); err != nil {
		return true, err
	}
	if err := answer(cmd, lines, o, make([]F, cfg.OutputSize()), cfg.InputSize, cfg.String(), s.Step); err != nil {
		return true, err
	}
	return true, layerStates(cmd, o.statesOut, final(layer, tensor.DenseOf[F]{}, s.State()))
}

// answer gives each line of numbers, a step, to step, and writes the y that it
// made before it waits for the next.
func answer[F tensor.Float](cmd *cobra.Command, lines *stepLines, o runOptions, y []F, in int, what string, step func(y, x []F) error) error {
	var row []byte
	for steps := 0; ; steps++ {
		x, err := next[F](lines)
		if err == io.EOF {
			if steps == 0 {
				return errors.New("standard input: there are no rows of numbers")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if len(x) != in {
			return fmt.Errorf("standard input: line %d has %d numbers, %s reads %d", lines.line, len(x), what, in)
		}
		if err := step(y, x); err != nil {
			return fmt.Errorf("standard input: line %d: %w", lines.line, err)
		}
		row = appendRow(row[:0], y, o.json)
		if _, err := cmd.OutOrStdout().Write(row); err != nil {
			return err
		}
		if f, ok := cmd.OutOrStdout().(interface{ Flush() error }); ok && lines.in.Buffered() == 0 {
			if err := f.Flush(); err != nil {
				return err
			}
		}
		if err := cmd.Context().Err(); err != nil {
			return err
		}
	}
}

// lineLayer is the layer that the command line names, as runLayer makes it.
func lineLayer[F tensor.Float](cmd *cobra.Command, args []string, o runOptions) (*unroll.LayerOf[F], error) {
	if len(args) == 2 {
		layer, _, err := loadLayer[F](cmd, args[0], o)
		if err != nil {
			return nil, err
		}
		return withPrecision(layer, o)
	}
	cfg := o.fresh
	var err error
	if cfg.Mode, err = parseMode(o.mode); err != nil {
		return nil, err
	}
	layer, err := unroll.NewOf[F](cfg)
	if err != nil {
		return nil, usageError{err}
	}
	layer.ResetParameters(rng.New(o.seed))
	return withPrecision(layer, o)
}

// appendRow writes a step's output as a row of CSV or an array of JSON, which
// has null for what is no number.
func appendRow[F tensor.Float](row []byte, y []F, asJSON bool) []byte {
	bits := 32
	if _, ok := any(F(0)).(float64); ok {
		bits = 64
	}
	if asJSON {
		row = append(row, '[')
	}
	for i, v := range y {
		if i > 0 {
			row = append(row, ',')
		}
		if f := float64(v); asJSON && (math.IsNaN(f) || math.IsInf(f, 0)) {
			row = append(row, "null"...)
			continue
		}
		row = strconv.AppendFloat(row, float64(v), 'g', -1, bits)
	}
	if asJSON {
		row = append(row, ']')
	}
	return append(row, '\n')
}
