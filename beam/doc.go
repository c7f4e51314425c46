// Package unrollbeam scores records of many series on Apache Beam: it groups them by
// series, orders each by time, steps a model through it, and gives the outputs and
// the final states, with which the next day's run goes on.
//
//	p, s := beam.NewPipelineWithRoot()
//	records, bad := unrollbeam.ReadTables(s, columns, files)
//	got := unrollbeam.Score(s, unrollbeam.Options{Model: "model.onnx"}, records, beam.PCollection{})
//	unrollbeam.WriteTable(s, opt, got.Series, unrollbeam.File{Name: "scores.csv"}, "device", "time")
//
// The model is opened once in each worker process, by package model: any file or
// folder that it opens, layers too.
//
// The numbers are those of unroll run --group-by, to the bit: the order of a series
// does not depend on how its records arrived, and a step does not depend on what
// else is stepped with it. So a bundle that failed and is tried again gives the same
// bytes, on whatever machine.
//
// Collections are bounded ones; windows and timestamps of records are ignored, for
// Record.At is the order.
package unrollbeam
