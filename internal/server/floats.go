package server

import (
	"github.com/unroll-ml/unroll/model"
)

// floats are a value's elements as a pool steps them; those of float32 are shared. A
// number that float32 does not hold is a failure.
func floats(name string, v model.Value) ([]float32, *failure) {
	switch v.Type() {
	case "float32":
		return model.Data[float32](v), nil
	case "float64":
		return held(name, model.Data[float64](v))
	case "int64":
		return held(name, model.Data[int64](v))
	case "int32":
		return held(name, model.Data[int32](v))
	case "int8":
		return held(name, model.Data[int8](v))
	case "uint8":
		return held(name, model.Data[uint8](v))
	}
	list := model.Data[bool](v)
	out := make([]float32, len(list))
	for i, b := range list {
		if b {
			out[i] = 1
		}
	}
	return out, nil
}

func held[T float64 | int64 | int32 | int8 | uint8](name string, list []T) ([]float32, *failure) {
	out := make([]float32, len(list))
	for i, x := range list {
		if out[i] = float32(x); T(out[i]) != x && x == x {
			return nil, failf(badRequest, "input %q has %v at place %d, which a step, whose numbers are float32, does not hold", name, x, i)
		}
	}
	return out, nil
}

// typed is a value of an output's own type, of the numbers of a step.
func typed(kind string, data []float32, shape []int) (model.Value, error) {
	switch kind {
	case "float64":
		return converted[float64](data, shape)
	case "int64":
		return converted[int64](data, shape)
	case "int32":
		return converted[int32](data, shape)
	case "int8":
		return converted[int8](data, shape)
	case "uint8":
		return converted[uint8](data, shape)
	case "bool":
		out := make([]bool, len(data))
		for i, x := range data {
			out[i] = x != 0
		}
		return model.Of(out, shape...)
	}
	return model.Of(data, shape...)
}

func converted[T float64 | int64 | int32 | int8 | uint8](data []float32, shape []int) (model.Value, error) {
	out := make([]T, len(data))
	for i, x := range data {
		out[i] = T(x)
	}
	return model.Of(out, shape...)
}
