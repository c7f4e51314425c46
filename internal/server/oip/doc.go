// Package oip is the generated code of the Open Inference Protocol's gRPC service,
// with Triton's ModelStreamInfer. Only internal/server imports it: two copies of
// these messages in one program register the same names and panic.
//
//go:generate bash generate.sh
package oip
