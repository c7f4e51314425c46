// Package server serves models over the Open Inference Protocol, version 2: REST
// with JSON and binary tensors, and gRPC with streams. It is protocols and limits
// over packages model and live; docs/serving.md describes what it speaks.
//
//	s, err := server.New(server.Options{Models: []server.Source{{Path: "examples/bach"}}})
//	...
//	err = s.Run(ctx) // until ctx ends, then drained
//
// A request is decoded into one form whatever it came by (request), answered
// (infer), and encoded from one form (answer). What a request says is bounded
// before memory is taken for it: its body by Limits.Body, and a run's values by
// Limits.Run.
package server
