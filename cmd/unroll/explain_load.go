//go:build !js

package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/tensor"
)

// layer reads a model folder, a .safetensors or a PyTorch file.
func (s *explainSource) layer(path string) (*unroll.Layer, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, "model.safetensors")
	}
	var opt statedict.Options
	if s.mode != "" {
		m, err := unroll.ParseMode(s.mode)
		if err != nil {
			return nil, usageError{err}
		}
		opt.Mode = &m
	}
	var src checkpoint.Source
	if filepath.Ext(path) == ".safetensors" {
		f, err := safetensors.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		src = f
	} else {
		f, err := torchfile.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		src = f
	}
	parts, err := statedict.Find(src, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	part, err := statedict.Choose(parts, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return statedict.Load[float32](src, part)
}

// input reads one sequence, and its initial state where the file has one.
func (s *explainSource) input(path string, cfg unroll.Config) (x tensor.Dense, s0 unroll.State, err error) {
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		x, err = s.csv(path)
		return x, s0, err
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return x, s0, err
	}
	defer f.Close()
	read := func(name string, time bool) (d tensor.Dense) {
		if _, ok := f.Info(name); err != nil || !ok && name != "input" {
			return d
		}
		if d, err = checkpoint.Float[float32](f, name); err == nil && len(d.Shape) == 3 {
			d, err = sequence(d, s.sequence, time && cfg.BatchFirst)
		}
		return d
	}
	x, s0.H = read("input", true), read("hx", false)
	if cfg.HasCell() {
		s0.C = read("cx", false)
	}
	return x, s0, err
}

// sequence takes sequence b out of [T,B,K] (or [B,T,K]).
func sequence(d tensor.Dense, b int, batchFirst bool) (tensor.Dense, error) {
	steps, batch, k := d.Shape[0], d.Shape[1], d.Shape[2]
	if batchFirst {
		steps, batch = batch, steps
	}
	if b < 0 || b >= batch {
		return d, usagef("--sequence %d: the batch has %d sequences", b, batch)
	}
	out := tensor.New(steps, k)
	for t := range steps {
		at := t*batch + b
		if batchFirst {
			at = b*steps + t
		}
		copy(out.Data[t*k:(t+1)*k], d.Data[at*k:(at+1)*k])
	}
	return out, nil
}

// csv reads a line a step; a first line that is not numbers names the columns.
func (s *explainSource) csv(path string) (x tensor.Dense, err error) {
	f, err := os.Open(path)
	if err != nil {
		return x, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.TrimLeadingSpace, r.Comment = true, '#'
	lines, err := r.ReadAll()
	if err != nil {
		return x, fmt.Errorf("%s: %w", path, err)
	}
	if len(lines) > 0 {
		if _, err := strconv.ParseFloat(lines[0][0], 32); err != nil {
			s.columns, lines = lines[0], lines[1:]
		}
	}
	if len(lines) == 0 {
		return x, fmt.Errorf("%s: there is no line of numbers", path)
	}
	x = tensor.New(len(lines), len(lines[0]))
	for i, line := range lines {
		for j, field := range line {
			v, err := strconv.ParseFloat(field, 32)
			if err != nil {
				return x, fmt.Errorf("%s: row %d, column %d: %q is not a number", path, i, j, field)
			}
			x.Data[i*len(line)+j] = float32(v)
		}
	}
	return x, nil
}
