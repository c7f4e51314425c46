// Package graph runs programs of operators over named values: what an ONNX file
// holds, and what other readers build of the same operators.
//
// A Graph is the program as data: inputs, constants, nodes, outputs, all by
// name; a Builder writes one. Compile checks it and makes a Program, which many
// goroutines may run at once. The operators are those of ONNX
// (https://onnx.ai/onnx/operators/), each a row in one table; every family has a
// file. docs/graph.md says how one is added.
//
// The first run with given input shapes makes a plan. While it is made all
// shapes are numbers, so each node is asked, in order, what its outputs are and
// what computes them. What follows from constants and shapes alone is computed
// at once, so that If, Reshape, Slice and their like see numbers; the body of an
// If, Loop or Scan becomes steps of the same plan. Where such a number depends
// on a small input of integers (a sample rate), the plan is made for that
// input's value too; where it depends on other data, the program runs without a
// plan, node by node. Every value of a plan has its place in one memory, reused
// by lifetime; a run of a plan that was made before allocates nothing.
//
// Results follow docs/numerics.md: sums in index order, one fused multiply-add a
// term, functions with the same bits on every platform.
//
// Letters in shapes: N batch, C channels, T steps, B sequences, I inputs, H
// units, D directions.
package graph
