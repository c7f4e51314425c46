package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// checkGroups refuses what run --group-by has no use for.
func (o runOptions) checkGroups(cmd *cobra.Command, args []string) error {
	if o.groupBy == "" {
		if o.sortBy != "" || o.sort {
			return usagef("--sort-by and --sort are for --group-by COLUMN, which says whose steps the rows are")
		}
		return nil
	}
	if len(args) != 2 {
		return usagef("--group-by needs MODEL and INPUT, a table of CSV or Parquet")
	}
	for _, name := range []string{"stream", "trace", "input", "recurrent", "seed"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s and --group-by contradict each other: with --group-by every row of INPUT is a step of a series, by the whole model", name)
		}
	}
	switch ext := strings.ToLower(filepath.Ext(o.output)); {
	case o.dtype != "float32":
		return usagef("--group-by: states are float32; leave --dtype %s out", o.dtype)
	case o.sort && o.sortBy == "":
		return usagef("--sort sorts by the column of --sort-by, which is not given")
	case o.output != "" && !slices.Contains([]string{".csv", ".jsonl", ".parquet"}, ext):
		return usagef("--output %s: with --group-by the ending must be .csv, .jsonl or .parquet", o.output)
	}
	for _, file := range []string{o.statesIn, o.statesOut} {
		if file != "" && !strings.EqualFold(filepath.Ext(file), ".safetensors") {
			return usagef("%s: with --group-by states are in .safetensors, which holds the series' names beside them", file)
		}
	}
	return nil
}

// runGroups runs a table of many series through a model.
func runGroups(cmd *cobra.Command, args []string, o runOptions) error {
	m, err := openSeries(cmd, args[0], o)
	if err != nil {
		return err
	}
	defer m.Close()
	opt, err := rowsOptions(m, o)
	if err != nil {
		return err
	}
	rows, err := m.NewRows(score.Rows(), opt)
	if err == nil {
		err = keepsParts(m, o.keep)
	}
	if err != nil {
		return err
	}
	src, done, err := openTable(cmd, args[1], o)
	if err != nil {
		return err
	}
	defer done()
	if w := src.Width(); w != rows.In() {
		return errInput(shown(args[1]), "it has %d columns of numbers, and a step of %s reads %d (%s); --columns chooses columns", w, args[0], rows.In(), portList(rows.Inputs()))
	}
	begin, err := readSeries(o.statesIn, rows)
	if err != nil {
		return err
	}
	if err := rows.Prepare(); err != nil {
		return err
	}
	var end []score.Series
	err = writeTable(cmd, o, rows, func(write func(*score.Row, []float32) error) (err error) {
		end, err = score.Run(rows, src, begin, score.Options{Sort: o.sort}, func(r *score.Row, y []float32) error {
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return write(r, y)
		})
		return err
	})
	if err != nil {
		return err
	}
	return writeSeries(cmd, o.statesOut, rows, end)
}

// openSeries opens a model whose steps are rows. Weights alone need no order of the
// dimensions: a step has one of each.
func openSeries(cmd *cobra.Command, path string, o runOptions) (*model.Model, error) {
	opt := model.Options{Chain: o.chain, Prefix: o.prefix, Loose: o.loose, States: true}
	var err error
	if opt.Precision, opt.Keep, err = o.weights(); err != nil {
		return nil, err
	}
	if opt.KerasNames, err = isKeras(o.convention); err != nil {
		return nil, err
	}
	if o.moded {
		mode, err := parseMode(o.mode)
		if err != nil {
			return nil, err
		}
		opt.Mode = &mode
	}
	switch {
	case o.batchFirst:
		opt.Layout = model.BatchFirst
	case o.timeFirst || o.chain == "":
		opt.Layout = model.TimeFirst
	}
	m, err := opt.Open(path)
	if errors.Is(err, model.ErrAsk) {
		return nil, asking(err)
	}
	if err != nil {
		return nil, asFlags(err)
	}
	for _, n := range m.Notes() {
		fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", visible(n))
	}
	return m, nil
}

// table is a source of rows of some width.
type table interface {
	score.Source
	Width() int
}

// openTable opens CSV or Parquet; - is CSV.
func openTable(cmd *cobra.Command, file string, o runOptions) (table, func(), error) {
	dialect, err := tableOptions(cmd)
	if err != nil {
		return nil, nil, err
	}
	columns := score.Columns{Key: o.groupBy, Time: o.sortBy, X: dialect.Text.Columns}
	in, done, name := cmd.InOrStdin(), func() {}, shown(file)
	if file != std {
		f, err := checkpoint.OpenInput(file)
		if err != nil {
			return nil, nil, err
		}
		done = func() { f.Close() }
		head := make([]byte, min(f.Size, 64))
		if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
			done()
			return nil, nil, err
		}
		if array.Sniff(head) == array.Parquet {
			p, err := score.NewParquet(f, f.Size, name, columns)
			if err != nil {
				done()
				return nil, nil, err
			}
			return p, done, nil
		}
		in = io.NewSectionReader(f, 0, f.Size)
	}
	c, notes, err := score.NewCSV(in, name, dialect.Text.Dialect, columns)
	if err != nil {
		done()
		return nil, nil, err
	}
	for _, n := range notes {
		dialect.Text.Note(n)
	}
	return c, done, nil
}

// writeTable has run write rows as CSV, as JSON Lines or as Parquet, to a file or to
// standard output: the key, the time, and a column for each number of the outputs.
func writeTable(cmd *cobra.Command, o runOptions, rows *model.Rows, run func(write func(*score.Row, []float32) error) error) error {
	to := o.output
	if to == "" {
		to = std
	}
	return writeOutput(cmd, to, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		write, end, err := rowWriter(b, o, rows)
		if err == nil {
			err = run(write)
		}
		if err == nil {
			err = end()
		}
		if err == nil || to == std { // what was answered before an error stands
			err = errors.Join(err, b.Flush())
		}
		return err
	})
}

func rowWriter(w io.Writer, o runOptions, rows *model.Rows) (write func(*score.Row, []float32) error, end func() error, err error) {
	var t score.Writer
	switch ext := strings.ToLower(filepath.Ext(o.output)); {
	case ext == ".parquet":
		t, err = score.NewParquetWriter(w, o.groupBy, o.sortBy, score.OutputNames(rows))
	case ext == ".jsonl" || o.json:
		texts := []string{o.groupBy, o.sortBy}
		if o.sortBy == "" {
			texts = texts[:1]
		}
		return jsonRows(w, texts, rows.Outputs()), func() error { return nil }, nil
	default:
		t, err = score.NewCSVWriter(w, o.groupBy, o.sortBy, score.OutputNames(rows))
	}
	return func(r *score.Row, y []float32) error { return t.Write(r.Key, r.At, y) }, t.Close, err
}

// jsonRows writes an object a row: the key, the time, and an array for each output.
func jsonRows(w io.Writer, texts []string, outputs []model.Port) func(*score.Row, []float32) error {
	var b []byte
	return func(r *score.Row, y []float32) error {
		b = append(b[:0], '{')
		for i, v := range []string{r.Key, r.At}[:len(texts)] {
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			b = append(append(append(appendName(b, texts[i]), text...), ','), ' ')
		}
		for _, p := range outputs {
			n := elements(p)
			b = append(appendFloats(append(appendName(b, p.Name), '['), y[:n]), ']', ',', ' ')
			y = y[n:]
		}
		b = append(b[:len(b)-2], '}', '\n')
		_, err := w.Write(b)
		return err
	}
}

func appendName(b []byte, name string) []byte {
	text, _ := json.Marshal(name) // text always has one
	return append(append(b, text...), ':', ' ')
}
