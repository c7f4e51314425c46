package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/tensor"
)

// oneTensor are the endings of formats that hold one tensor a file.
var oneTensor = []string{".npy", ".csv", ".jsonl", ".parquet"}

// checkOutput refuses a name that writeResults cannot write.
func checkOutput(name string) error {
	ext := strings.ToLower(filepath.Ext(name))
	if name == "" || name == std || ext == ".safetensors" || ext == ".npz" || slices.Contains(oneTensor, ext) {
		return nil
	}
	return usagef("--output %s: the ending must be .safetensors, .npz, %s", name, strings.Join(oneTensor, ", "))
}

// writeResults writes tensors to a file by its ending. The formats of a single
// tensor get a file for each: output goes to NAME.npy, each other one to
// NAME.TENSOR.npy. Of CSV and Parquet the last dimension is the columns.
func writeResults[F tensor.Float](cmd *cobra.Command, name string, results []result[F]) error {
	var set checkpoint.Set
	for _, r := range results {
		set = append(set, checkpoint.Of(r.name, r.value))
	}
	return writeSet(cmd, name, set)
}

// writeSet is writeResults for tensors of every type.
func writeSet(cmd *cobra.Command, name string, set checkpoint.Set) error {
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case name == std || ext == ".safetensors":
		return writeOutput(cmd, name, func(w io.Writer) error { return safetensors.Write(w, set, nil) })
	case ext == ".npz":
		return array.WriteFile(name, set, array.Options{})
	case slices.Contains(oneTensor, ext):
		files := filesOf(name, set)
		if err := mayWrite(cmd, "output", files...); err != nil { // all of them, before one is written
			return err
		}
		return writeEach(files, set)
	}
	return checkOutput(name)
}

// writeEach writes each tensor to its file.
func writeEach(files []string, set checkpoint.Set) error {
	var all []atomicfile.File
	for i, file := range files {
		format, err := array.FormatOf(file)
		if err != nil {
			return err
		}
		if s := set[i].Shape; (format == array.CSV || format == array.Parquet) && len(s) > 2 {
			last := s[len(s)-1]
			set[i].Shape = []int{set[i].Len() / max(1, last), last}
		}
		all = append(all, atomicfile.File{Path: file, Write: func(w io.Writer) error {
			return array.Write(w, set[i:i+1], array.Options{Format: format})
		}})
	}
	return atomicfile.All(all...)
}

// filesOf names a file for each tensor. A name that a model gives leads to no other
// folder, and two of them to one file are told apart by their place.
func filesOf(name string, set checkpoint.Set) (files []string) {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for i := range set {
		file := name
		if i > 0 {
			file = stem + "." + strings.NewReplacer("/", "_", `\`, "_").Replace(set[i].Name) + ext
		}
		for slices.Contains(files, file) {
			file = fmt.Sprintf("%s.%d%s", strings.TrimSuffix(file, ext), i, ext)
		}
		files = append(files, file)
	}
	return files
}

// printResults prints one JSON object, a member a tensor, in their order.
// JSON has no NaN and no infinities; they are null.
func printResults[F tensor.Float](cmd *cobra.Command, results []result[F]) error {
	out := cmd.OutOrStdout()
	for i, r := range results {
		open := ","
		if i == 0 {
			open = "{"
		}
		shape, err := json.Marshal(r.value.Shape)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, `%s"%s":{"shape":%s,"data":[`, open, r.name, shape)
		for j, v := range r.value.Data {
			if j > 0 {
				fmt.Fprint(out, ",")
			}
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				fmt.Fprint(out, "null")
				continue
			}
			b, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		fmt.Fprint(out, "]}")
	}
	fmt.Fprintln(out, "}")
	return nil
}
